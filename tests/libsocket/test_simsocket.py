"""The module socket of a box in memory: calls that block let the world go on."""

from __future__ import annotations

import pytest

from libnet.lab.memory import World
from libnet.libsocket import simsocket


@pytest.fixture
def world():
    made = World(seed=3)
    for number, name in enumerate("AB", 1):
        box = made.box(name, nic="i82544:lan0")
        box.sh("io-pkt-v4-hc -d i82544")
        box.sh(f"ifconfig wm0 10.0.0.{number}/24")
        box.socket = simsocket.module(box.ctx("python"))
    yield made
    made.close()


def test_a_server_and_a_client_in_virtual_time(world):
    a, b = world.box("A"), world.box("B")

    def serve(out, _err):
        with b.socket.create_server(("", 80)) as listener:
            for _ in range(2):
                conn, addr = listener.accept()
                with conn, conn.makefile("rwb") as file:
                    for line in file:
                        file.write(line.upper())
                        file.flush()
                out.write(f"{addr[0]}\n")
        return 0

    job = b.start_job("serve", serve)
    world.run(0.01)
    for _ in range(2):
        with a.socket.create_connection(("10.0.0.2", 80), timeout=5) as sock:
            assert sock.getpeername() == ("10.0.0.2", 80)
            sock.sendall(b"hello\n" * 20_000)
            sock.shutdown(a.socket.SHUT_WR)
            assert sock.makefile("rb").read() == b"HELLO\n" * 20_000
    assert job.result(10).out == "10.0.0.1\n10.0.0.1\n"


def test_errors_and_timeouts(world):
    a = world.box("A")
    with pytest.raises(ConnectionRefusedError):
        a.socket.create_connection(("10.0.0.2", 81), timeout=5)
    with a.socket.socket(a.socket.AF_INET, a.socket.SOCK_DGRAM) as sock:
        begin = world.now
        sock.settimeout(2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert world.now == begin + 2
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.connect(("10.0.0.2", 82))
        sock.send(b"x")
        sock.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            sock.recv(1)
    with pytest.raises(OSError, match="Bad file"):
        sock.recv(1)
    with pytest.raises(OSError, match="family"):
        a.socket.socket(a.socket.AF_UNIX)
    with pytest.raises(OSError, match="timed out"):
        a.socket.create_connection(("10.0.0.77", 81), timeout=0.5)
    with a.socket.socket() as sock, pytest.raises(OSError, match="Invalid"):
        sock.accept()


def test_options_names_and_waiting(world):
    a, b = world.box("A"), world.box("B")
    server = b.socket.socket(b.socket.AF_INET, b.socket.SOCK_DGRAM)
    server.bind(("", 53))
    client = a.socket.socket(a.socket.AF_INET, a.socket.SOCK_DGRAM)
    client.setsockopt(a.socket.SOL_SOCKET, a.socket.SO_BROADCAST, 1)
    assert client.getsockopt(a.socket.SOL_SOCKET, a.socket.SO_BROADCAST) == 1
    assert client.getsockopt(a.socket.SOL_SOCKET, a.socket.SO_TYPE) == a.socket.SOCK_DGRAM
    client.sendto(b"to all", ("10.0.0.255", 53))
    assert b.socket.wait([server], 5) == [server]
    data, addr = server.recvfrom(100)
    assert (data, addr[0]) == (b"to all", "10.0.0.1")
    assert b.socket.wait([server], 1) == []
    assert a.socket.gethostbyname("localhost") == "127.0.0.1"
    assert a.socket.gethostname() == "A"
    for sock in (server, client):
        sock.close()
