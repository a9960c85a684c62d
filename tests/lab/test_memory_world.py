"""Worlds in the caller's own process: clocks, jobs, the little shell, files and stacks."""

from __future__ import annotations

import configparser
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrIn
from libnet.clock import Clock
from libnet.errors import NetError
from libnet.lab.memory import PROGRAMS, World
from libnet.lab.shell import BadSyntax, expand, parse
from libnet.loop.sim import Deadlock, Interrupted, Scheduler, SimHost, Terminated, seeded
from libnet.wire.icmp import ICMP_ECHOREPLY, Icmp, icmp_echo
from libnet.wire.ipv4 import Ipv4, ip_build


class EchoStack:
    """Answers every echo after a delay that the box's dice decide, and loses some."""

    def __init__(self, box, loss=0.0):
        self.box, self.loss = box, loss
        self.alive = True

    def connect(self, *, root, prog):
        queue = []

        def serve(op, args):
            if op == "sendto":
                ip = Ipv4.parse(args[0])
                echo = Icmp.parse(ip.payload)
                body = icmp_echo(echo.id, echo.seq, echo.payload, ICMP_ECHOREPLY)
                record = [SockaddrIn(ip.dst), None, ip_build(body, src=ip.dst, dst=1, proto=1)]
                if self.box.dice.random() >= self.loss:
                    delay = self.box.dice.random() / 1000
                    self.box.world.clock.after(delay, lambda: queue.append(record))
                return len(args[0])
            if op == "poll":
                return bool(queue)
            if op == "recv":
                if not queue:
                    raise NetError("EAGAIN")
                return queue.pop(0)
            return None

        return serve

    def shutdown(self):
        self.alive = False


@pytest.fixture
def world():
    with World(seed=7) as made:
        yield made


@pytest.fixture
def box(world):
    return world.box("A", nic="i82544:lan0")


def pinged(seed, script="ping -c 50 10.0.0.2", loss=0.1):
    with World(seed=seed) as made:
        box = made.box("A")
        box.attach("", EchoStack(box, loss))
        return box.sh(script)


def test_the_same_seed_gives_the_same_transcript():
    assert pinged(1) == pinged(1)
    assert pinged(1) != pinged(2)


def test_an_hour_of_pings_costs_no_hour():
    started = time.monotonic()
    got = pinged(5, "ping -c 3600 10.0.0.2")
    assert "3600 packets transmitted" in got.out
    assert time.monotonic() - started < 10


def test_adding_a_box_does_not_change_the_dice_of_another():
    with World(seed=3) as one, World(seed=3) as two:
        two.box("B").dice.random()
        assert one.box("A").dice.random() == two.box("A").dice.random()


def test_jobs_take_turns_in_an_order_that_repeats():
    def run():
        with World(seed=2) as made:
            box = made.box("A")
            for name in ("one", "two", "three"):
                box.spawn(f"sleep 1; echo {name} >> /tmp/log; sleep 1; echo {name} >> /tmp/log")
            box.spawn("sleep 1.5; echo between >> /tmp/log")
            made.run(3)
            assert made.now == 3
            return box.read("/tmp/log").split()

    first = run()
    assert first == ["one", "two", "three", "between", "one", "two", "three"]
    assert first == run()


def test_a_job_runs_beside_a_command(world, box):
    box.attach("", EchoStack(box))
    job = box.spawn("ping -c 3 10.0.0.2")
    got = box.sh("sleep 10; echo done")
    assert (got.out, job.done, world.now) == ("done\n", True, 10.0)
    assert "3 packets received" in job.result().out


def test_result_runs_the_world_until_the_job_ends(world, box):
    job = box.spawn("sleep 30; echo late")
    with pytest.raises(TimeoutError):
        job.result(timeout=5)
    assert world.now == 5
    assert job.result() == ("late\n", "", 0)
    assert world.now == 30


def test_a_defect_in_a_job_reaches_who_asks_for_its_result(box, monkeypatch):
    monkeypatch.setitem(PROGRAMS, "broken", "libnet.nowhere:main")
    job = box.spawn("broken")
    with pytest.raises(ModuleNotFoundError):
        job.result()


def test_waiting_for_what_never_comes_is_told(box):
    class Silent:
        def connect(self, **_who):
            return lambda op, _args: False if op == "poll" else None

        def shutdown(self):
            pass

    box.attach("", Silent())
    sock = box.ctx("x").socket(2, 2)
    with pytest.raises(Deadlock):
        box.host.wait([sock], None)


def test_a_signal_ends_a_job_that_does_not_watch_for_it(box):
    job = box.spawn("sleep 100")
    box.sh(f"kill %{job.number}; sleep 1")
    assert job.result().status == 143
    job = box.spawn("sleep 100; echo not reached")
    job.interrupt()
    assert job.result() == ("", "", 130)
    job = box.spawn("sleep 100")
    job.signal("SIGCONT")
    assert job.result().status == 0


def test_wait_and_background_in_the_shell(world, box):
    got = box.sh("sleep 3 && echo slept >/tmp/x &\necho first; wait $!; cat /tmp/x")
    assert (got.out, got.status, world.now) == ("first\nslept\n", 0, 3.0)


def test_a_world_by_the_wall_clock_takes_its_time():
    started = time.monotonic()
    with World(real=True) as made:
        made.box("A").sh("sleep 0.05")
        assert made.now >= 0.05
        assert abs(made.box("A").host.wall() - time.time()) < 60
    assert time.monotonic() - started >= 0.05


def test_commands_share_the_environment_of_the_box(box):
    assert box.sh("X=1\necho $X \"${X}2\" '$X' \\$X").out == "1 12 $X $X\n"
    assert box.sh("echo $X").out == "1\n"
    assert box.sh("Y=2 true; echo [$Y]").out == "[]\n"
    assert box.sh("export Z=3; unset X; echo $X$Z").out == "3\n"


@pytest.mark.parametrize(
    ("script", "out", "status"),
    [
        ("true && echo yes || echo no", "yes\n", 0),
        ("false && echo yes || echo no", "no\n", 0),
        ("false; echo $?", "1\n", 0),
        ("echo a\n\n# note\necho b # tail", "a\nb\n", 0),
        ("echo one two | cat | grep -c two", "1\n", 0),
        ("echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f", "a\nb\n", 0),
        ("cat /nowhere/x 2>&1 | head -1", "cat: /nowhere/x: No such file or directory\n", 0),
        ("nosuch 2>/dev/null; echo $?", "127\n", 0),
        ("exit 3; echo never", "", 3),
        ("echo a \\\n b", "a b\n", 0),
        ("A='x y'; echo $A \"$A\" | grep -n x", "1:x y x y\n", 0),
        ("printf 2>/tmp/e; cat /tmp/e", "sh: printf: not found\n", 0),
        ("echo a; echo b | grep c", "a\n", 1),
        ("echo b | grep -v c | tail -1", "b\n", 0),
        ("echo 1 >/tmp/d/x || echo refused 2>&1", "refused\n", 0),
        ("mkdir -p /tmp/d/e && ls /tmp/d && rm -f /tmp/none", "e\n", 0),
        ("/sbin/hostname", "A\n", 0),
    ],
)
def test_the_little_shell(box, script, out, status):
    got = box.sh(script)
    assert (got.out, got.status) == (out, status)


@pytest.mark.parametrize(
    "script", ["a |", "a && ;", "echo 'x", 'echo "x', "echo $(x)", "a > ", "; a", "${", "echo `x`"]
)
def test_what_the_shell_does_not_know_is_told(box, script):
    got = box.sh(script)
    assert got.status == 2
    assert got.err.startswith("sh: ")


@given(st.text(alphabet="ab $'\"\\|&;<>2#\n{}=()?", max_size=30))
def test_any_text_parses_or_is_bad_syntax(text):
    try:
        steps = parse(text)
    except BadSyntax:
        return
    for command in [c for item in steps for step in item.steps for c in step.pipe]:
        for word in command.words:
            assert all(type(field) is str for field in expand(word, {"a": "x y", "b": ""}))


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abx $'\"\\|&;<>2#\n", max_size=24))
def test_any_script_ends_with_a_status(text):
    with World(seed=1) as made:
        # Relative files would land where the test runs.
        script = text.replace(">", "").replace("<", "")
        assert 0 <= made.box("A").sh(script).status < 256


def test_a_new_box_has_the_files_of_one(box):
    assert "localhost" in box.read("/etc/hosts")
    assert "hosts\n" in box.sh("ls /etc").out
    assert "devnp-i82544.so\n" in box.sh("ls /lib/dll").out
    box.write("/etc/hosts", "10.0.0.9 nine\n")
    assert box.sh("cat /etc/hosts").out == "10.0.0.9 nine\n"


def test_files_go_with_the_world():
    made = World()
    box = made.box("A")
    box.write("/tmp/x", "1")
    path = box.file("/tmp/x")
    assert os.path.exists(path)
    made.close()
    assert not os.path.exists(made.directory)


def test_a_given_directory_stays(tmp_path):
    with World(directory=str(tmp_path)) as made:
        made.box("A").write("/etc/motd", "kept\n")
    assert (tmp_path / "boxes/A/root/etc/motd").read_text() == "kept\n"


def test_hardware_is_described_as_for_box_add(world):
    box = world.box("R", nic=["i82544:lan0", "e1000:lan1,irq=7"])
    assert [(n.driver, n.segment, n.irq) for n in box.nics] == [
        ("i82544", "lan0", 11),
        ("e1000", "lan1", 7),
    ]
    assert [n.index for n in box.free_nics("e1000")] == [1]
    assert world.box("R") is box
    with pytest.raises(ValueError, match="is there already"):
        world.box("R", nic="i82544")


def test_an_undescribed_box_finds_a_card_for_each_driver(world):
    box = world.box("U")
    (first,) = box.free_nics("i82544")
    first.attached = "wm0"
    (second,) = box.free_nics("speedo")
    assert second is not first
    assert second.mac != first.mac


def test_stacks_are_found_by_their_prefix(box):
    one, alt = EchoStack(box), EchoStack(box)
    box.attach("", one)
    box.attach("/alt", alt, {"instance": 1, "variant": "v4", "argv": []})
    assert box.sh("waitfor /dev/socket 0").status == 0
    assert box.sh("SOCK=/alt ping -c 1 10.0.0.2").status == 0
    box.stop_stack("/alt")
    assert (one.alive, alt.alive) == (True, False)
    assert "Cannot create socket" in box.sh("SOCK=/alt ping -c 1 10.0.0.2").err
    box.power_cut()
    assert one.alive  # nobody asked it
    assert box.sh("waitfor /dev/socket 0").status == 1


def test_a_descriptor_of_a_dead_stack_says_so(box):
    box.attach("", EchoStack(box))
    sock = box.ctx("x").socket(2, 3, 1)
    box.detach("")
    with pytest.raises(NetError) as caught:
        sock.recvfrom()
    assert caught.value.symbol == "ESRCH"
    sock.close()


def test_the_log_is_read_by_sloginfo(box):
    box.slog.write(5, 14, 0, "hello from the stack")
    assert "hello from the stack" in box.sh("sloginfo").out


def test_slogger_makes_its_device_once_and_a_power_cut_takes_it(box):
    assert box.sh("slogger & waitfor /dev/slog 4").status == 0
    assert box.sh("slogger") == ("", "slogger: /dev/slog: slogger is already running\n", 1)
    assert box.sh("slogger -v").status == 1
    box.power_cut()
    assert box.sh("slogger; sloginfo").status == 0


def test_both_streams_can_be_one(box):
    assert box.sh("echo a; nosuch; echo b", merge=True).out == "a\nsh: nosuch: not found\nb\n"
    assert box.world.execute("A", "nosuch") == ("sh: nosuch: not found\n", 127)


def test_the_table_of_programs_is_that_of_the_package():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    config = configparser.ConfigParser()
    config.read(os.path.join(root, "setup.cfg"), encoding="utf-8")
    scripts = config["options.entry_points"]["console_scripts"].split("\n")
    listed = dict(line.split(" = ") for line in scripts if line)
    for name in ("box", "lab", "slogger"):  # two manage worlds on disk; one is a builtin
        listed.pop(name)
    assert listed == PROGRAMS


# Whole: the engine, the drivers and the wire of this package.


def two(seed=7, **kw):
    made = World(seed=seed, **kw)
    for number, name in enumerate("AB", 1):
        box = made.box(name, nic="i82544:lan0")
        assert box.sh("io-pkt-v4-hc -d i82544") == ("", "", 0)
        assert box.sh(f"ifconfig wm0 10.0.0.{number}/24") == ("", "", 0)
    return made


def test_two_boxes_on_one_wire():
    with two() as made:
        got = made.box("A").sh("ping -c 3 10.0.0.2")
        assert got.err == ""
        assert got.out == (
            "PING 10.0.0.2 (10.0.0.2): 56 data bytes\n"
            + "".join(
                f"64 bytes from 10.0.0.2: icmp_seq={n} ttl=255 time=0.000 ms\n" for n in range(3)
            )
            + "\n----10.0.0.2 PING Statistics----\n"
            "3 packets transmitted, 3 packets received, 0.0% packet loss\n"
            "round-trip min/avg/max/stddev = 0.000/0.000/0.000/0.000 ms\n"
        )


def test_an_hour_of_losses_twice_is_the_same_hour():
    from libnet.media.impair import Impairments

    def hour():
        with two(seed=11) as made:
            made.segment("lan0").impair(Impairments(loss=10, delay=2, jitter=1))
            return made.box("A").sh("ping -c 3600 10.0.0.2")

    first = hour()
    assert "3600 packets transmitted" in first.out
    assert " 0.0% packet loss" not in first.out
    assert first == hour()


def test_fragments_routes_and_refusals_through_real_stacks():
    with two() as made:
        box = made.box("A")
        # ARP holds one packet: the first of several fragments to a new neighbour is lost.
        assert box.sh("ping -c 1 10.0.0.2").status == 0
        assert "3008 bytes from 10.0.0.2" in box.sh("ping -c 1 -s 3000 10.0.0.2").out
        assert "RR: \t10.0.0.2\n\t10.0.0.1\n" in box.sh("ping -c 1 -R 10.0.0.2").out
        got = box.sh("ping -c 1 -D -s 2000 10.0.0.2")
        assert (got.err, got.status) == ("ping: sendto: Message too long\n", 2)
        got = box.sh("ping -c 1 10.9.9.9")
        assert (got.err, got.status) == ("ping: sendto: No route to host\n", 2)
        assert made.box("B").sh("ping -c 1 -T 7 -t 0x10 -I 10.0.0.2 10.0.0.1").status == 0
        assert box.sh("ping -c 1 -B wm9 10.0.0.2") == (
            "",
            "ping: wm9: No such device or address\n",
            1,
        )
        box.root = False
        assert box.sh("ping -c 1 10.0.0.2").status == 0


def test_a_second_start_is_refused_and_a_prefix_is_another_stack():
    with two() as made:
        box = made.box("A")
        assert box.stack.ifunit("wm0") is not None
        assert box.sh("io-pkt-v4-hc") == (
            "",
            "io-pkt-v4-hc: unable to attach /dev/socket: Resource busy\n",
            1,
        )
        assert box.sh("io-pkt-v4-hc -i 1 -ptcpip prefix=/alt").status == 0
        assert "wm0" not in box.sh("SOCK=/alt ifconfig").out
        assert "wm0" in box.sh("ifconfig").out
        box.stop_stack("/alt")
        assert box.sh("SOCK=/alt ifconfig").status == 1


def test_a_power_cut_silences_a_box_and_it_starts_again():
    with two() as made:
        made.box("B").power_cut()
        assert made.box("A").sh("ping -c 1 10.0.0.2").status == 2
        again = made.box("B").sh("io-pkt-v4-hc -d i82544; ifconfig wm0 10.0.0.2/24")
        assert again == ("", "", 0)
        assert made.box("A").sh("ping -c 3 10.0.0.2").status == 0


# The scheduler alone.


def host():
    scheduler = Scheduler(Clock())
    return SimHost(scheduler, seeded(1))


def test_what_is_due_at_the_deadline_happens_before_it():
    sim = host()
    seen = []
    sim.scheduler.clock.after(1.0, lambda: seen.append("due"))
    sim.sleep(1.0)
    assert (seen, sim.now()) == (["due"], 1.0)


def test_polling_without_end_takes_time_after_all():
    sim = host()
    for _ in range(5000):
        sim.wait([], 0.0)
    assert 0 < sim.now() < 1


def test_calls_that_breed_calls_do_not_stop_the_clock():
    sim = host()

    def again():
        sim.scheduler.clock.after(0.0, again)

    again()
    sim.sleep(0.002)
    assert sim.now() >= 0.002


def test_a_callout_that_fails_in_a_jobs_turn_reaches_the_caller():
    sim = host()

    def fail():
        raise RuntimeError("defect")

    sim.scheduler.spawn("job", lambda: sim.scheduler.clock.after(1.0, fail) and None)
    with pytest.raises(RuntimeError, match="defect"):
        sim.sleep(5)


def test_watched_signals_are_waited_for_and_others_kill():
    sim = host()
    task = sim.scheduler.current
    task.mortal = True
    watch = sim.watch_signals("SIGINT")
    task.signal("SIGINT")
    assert sim.wait([watch], 5.0) == [watch]
    assert (watch.take(), sim.now()) == (["SIGINT"], 0.0)
    task.signal("SIGTERM")
    with pytest.raises(Terminated) as caught:
        sim.wait([watch], 5.0)
    assert caught.value.status == 143
    watch.close()
    task.signal("SIGINT")
    with pytest.raises(Interrupted):
        sim.sleep(1)
    with pytest.raises(ValueError, match="no such signal"):
        task.signal("SIGFOO")


def test_who_ignores_an_interrupt_is_killed_a_minute_later():
    sim = host()
    task = sim.scheduler.current
    task.mortal = True
    task.alarm = 10.0
    watch = sim.watch_signals("SIGINT")

    def stubborn():
        while True:
            sim.wait([watch], 1000.0)
            watch.take()

    with pytest.raises(Terminated) as caught:
        stubborn()
    assert (caught.value.signal, sim.now()) == ("SIGKILL", 70.0)
