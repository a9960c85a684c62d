"""nc between boxes in memory."""

from __future__ import annotations

import pytest

from libnet.lab.memory import World


@pytest.fixture
def two():
    with World(seed=5) as world:
        for number, name in enumerate("AB", 1):
            box = world.box(name, nic="i82544:lan0")
            box.sh("io-pkt-v4-hc -d i82544")
            box.sh(f"ifconfig wm0 10.0.0.{number}/24")
            box.write("/etc/hosts", "127.0.0.1 localhost\n10.0.0.2 bee\n")
            box.write("/etc/services", "lesson 5000/tcp\nlesson 5000/udp\n")
        yield world, world.box("A"), world.box("B")


def test_lines_go_both_ways(two):
    world, a, b = two
    job = b.spawn("nc -l -v 5000", stdin="answer\n")
    world.run(0.01)
    out, err, status = a.sh("nc -v bee lesson", stdin="question\n")
    assert (out, status) == ("answer\n", 0)
    assert err == "Connection to bee 5000 port [tcp/lesson] succeeded!\n"
    out, err, status = job.result(10)
    assert (out, status) == ("question\n", 0)
    assert err.startswith("Connection from 10.0.0.1 ")
    assert err.endswith(" received!\n")


def test_a_file_larger_than_the_buffers_arrives_whole(two):
    world, a, b = two
    data = "".join(f"line {n}\n" for n in range(50_000))
    job = b.spawn("nc -l -d 5000 > /tmp/copy")
    world.run(0.01)
    assert a.sh("nc 10.0.0.2 5000", stdin=data) == ("", "", 0)
    job.result(10)
    assert b.read("/tmp/copy") == data


def test_a_redirected_file_is_sent(two):
    world, a, b = two
    b.write("/tmp/in", "from a file\n")
    job = a.spawn("nc -l -d 5000")
    world.run(0.01)
    assert b.sh("nc 10.0.0.1 5000 < /tmp/in").status == 0
    assert job.result(10).out == "from a file\n"


def test_keep_listening_serves_one_after_the_other(two):
    world, a, b = two
    job = b.spawn("nc -l -k -p 5000 > /tmp/all")
    world.run(0.01)
    for n in range(3):
        assert a.sh("nc 10.0.0.2 5000", stdin=f"{n}\n").status == 0
    world.run(1)
    job.kill()
    assert b.read("/tmp/all") == "0\n1\n2\n"


def test_nobody_there(two):
    world, a, _b = two
    assert a.sh("nc 10.0.0.2 5000") == ("", "", 1)
    assert a.sh("nc -v 10.0.0.2 5000").err == (
        "nc: connect to 10.0.0.2 port 5000 (tcp) failed: Connection refused\n"
    )
    begin = world.now
    _out, err, status = a.sh("nc -v -w 3 10.0.0.99 5000")
    assert status == 1
    assert err == "nc: connect to 10.0.0.99 port 5000 (tcp) failed: Connection timed out\n"
    assert world.now == begin + 3


def test_looking_for_open_ports(two):
    world, a, b = two
    job = b.spawn("nc -lk 5001")
    world.run(0.01)
    out, err, status = a.sh("nc -zv bee 5000-5002")
    assert (out, status) == ("", 0)
    assert err.splitlines() == [
        "nc: connect to bee port 5000 (tcp) failed: Connection refused",
        "Connection to bee 5001 port [tcp/*] succeeded!",
        "nc: connect to bee port 5002 (tcp) failed: Connection refused",
    ]
    job.kill()
    job = b.spawn("nc -luk 5001")
    world.run(0.01)
    assert a.sh("nc -zuv -n 10.0.0.2 5000-5001").err.splitlines() == [
        "nc: connect to 10.0.0.2 port 5000 (udp) failed: Connection refused",
        "Connection to 10.0.0.2 5001 port [udp/*] succeeded!",
    ]
    world.run(0.01)
    assert job.out == "XX"
    job.kill()


def test_datagrams(two):
    world, a, b = two
    server = b.spawn("nc -ulv 5000", stdin="pong\n")
    world.run(0.01)
    client = a.spawn("nc -u -w 2 -p 1234 -s 10.0.0.1 bee lesson", stdin="ping\n")
    world.run(3)
    assert client.result(10).out == "pong\n"
    server.interrupt()
    out, err, status = server.result(10)
    assert (out, status) == ("ping\n", 130)
    assert err == "Connection from 10.0.0.1 1234 received!\n"


def test_the_idle_time_ends_it(two):
    world, a, b = two
    job = b.spawn("nc -ld 5000")
    world.run(0.01)
    begin = world.now
    assert a.sh("nc -d -w 4 10.0.0.2 5000").status == 0
    assert world.now == begin + 4
    job.result(10)


@pytest.mark.parametrize(
    ("words", "err", "status"),
    [
        ("", "usage: nc ", 1),
        ("10.0.0.2", "usage: nc ", 1),
        ("-k 10.0.0.2 80", "usage: nc ", 1),
        ("-l -z 80", "usage: nc ", 1),
        ("-l 80-90", "usage: nc ", 1),
        ("-Q", "nc: unknown option -- Q\nusage: nc ", 1),
        ("-w", "nc: option requires an argument -- w\nusage: nc ", 1),
        ("-w x 10.0.0.2 80", "nc: timeout invalid: x\n", 1),
        ("10.0.0.2 0", "nc: port number too small: 0\n", 1),
        ("10.0.0.2 65536", "nc: port number too large: 65536\n", 1),
        ("10.0.0.2 80-x", "nc: port number invalid: 80-x\n", 1),
        ("nowhere 80", "nc: nowhere: no address associated with name\n", 1),
        ("-n bee 80", "nc: bee: no address associated with name\n", 1),
        ("-s 10.9.9.9 bee 80", "nc: bind failed: Can't assign requested address\n", 1),
    ],
)
def test_wrong_usage(two, words, err, status):
    _world, a, _b = two
    got = a.sh(f"nc {words}")
    assert got.err.startswith(err)
    assert (got.out, got.status) == ("", status)


def test_without_a_stack():
    with World() as world:
        got = world.box("A").sh("nc 10.0.0.2 80")
        assert got == (
            "",
            "nc: socket: Address family not supported by protocol family\n",
            1,
        )
