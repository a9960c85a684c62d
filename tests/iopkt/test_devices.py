"""tun and tap devices of a real io-pkt process, used by this one: poll, read, write, the end."""

from __future__ import annotations

import io
import os
import select

import pytest

from libnet.errors import NetError
from libnet.ioctl.tunnel import TAPGIFNAME
from libnet.lab.play import Player
from libnet.libsocket.ctx import Ctx
from libnet.loop.host import RealHost
from libnet.wire.cksum import in_cksum

pytestmark = pytest.mark.processes


@pytest.fixture
def box(tmp_path):
    with Player(os.environ, str(tmp_path / "w")) as player:
        assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
        environ = dict(os.environ, IOPKT_WORLD=str(tmp_path / "w"), IOPKT_BOX="BoxA")
        ctx = Ctx(
            "test",
            stdin=io.StringIO(),
            stdout=io.StringIO(),
            stderr=io.StringIO(),
            environ=environ,
            host=RealHost(),
        )
        yield lambda line: player("BoxA", line), ctx


def test_a_program_answers_pings_behind_a_tun(box):
    sh, ctx = box
    with ctx.open("/dev/tun5") as tun:
        assert sh("ifconfig tun5 10.9.0.1 10.9.0.2") == ("", 0)
        assert ctx.wait([tun], 0) == []
        with pytest.raises(NetError, match="Resource temporarily unavailable"):
            tun.read(100)
        assert sh("ping -c 1 -w 1 10.9.0.2")[1] == 2
        poller = select.poll()
        poller.register(tun.fileno(), select.POLLIN)
        assert poller.poll(3000)
        packet = bytearray(tun.read(2000))
        assert bytes(packet[12:20]) == bytes((10, 9, 0, 1, 10, 9, 0, 2))
        packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
        packet[20:24] = b"\0\0\0\0"
        packet[22:24] = in_cksum(bytes(packet[20:])).to_bytes(2, "big")
        assert tun.write(bytes(packet)) == 84
        assert "output: 1 packet, 84 bytes" in sh("ifconfig -v tun5")[0]
        assert "input: 1 packet, 84 bytes" in sh("ifconfig -v tun5")[0]
        assert sh("ifconfig tun5 destroy") == ("", 0)
        assert ctx.wait([tun], 3.0) == [tun]
        with pytest.raises(NetError, match="No such device or address"):
            tun.read(100)


def test_a_clone_of_tap_lives_as_long_as_its_program(box):
    sh, ctx = box
    with ctx.open("/dev/tap") as tap:
        assert tap.ioctl(TAPGIFNAME).name == "tap0"
        assert sh("ifconfig tap0 10.8.0.1/24") == ("", 0)
        assert ctx.wait([tap], 3.0) == [tap]
        assert tap.read(2000)[12:14] == b"\x08\x06"
        with pytest.raises(NetError, match="Resource busy"):
            ctx.open("/dev/tap0")
    assert (
        "tap0"
        not in sh("sh -c 'while ifconfig tap0; do :; done; ifconfig -l' 2>/dev/null")[
            0
        ].splitlines()[-1]
    )


def test_a_program_that_is_slow_gets_what_was_waiting_in_order(box):
    sh, ctx = box
    with ctx.open("/dev/tun0") as tun:
        assert sh("ifconfig tun0 10.9.0.1 10.9.0.2") == ("", 0)
        sh("ping -f -c 200 -w 2 -s 1000 10.9.0.2")
        numbers = []
        while ctx.wait([tun], 0.5):
            numbers.append(int.from_bytes(tun.read(2000)[26:28], "big"))
        assert len(numbers) > 100
        assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "path", ["/dev/tunx", "/dev/tun", "/dev/tun007", "/dev/tun999999999", "/dev/tap9"]
)
def test_names_that_are_none(box, path):
    _sh, ctx = box
    with pytest.raises(NetError) as caught:
        ctx.open(path)
    assert caught.value.symbol in ("ENOENT", "ENXIO")


def test_the_names_are_there_while_a_stack_runs(box):
    sh, _ctx = box
    assert set(sh("ls /dev")[0].split()) >= {"tap", "tap0", "tap3", "tun0", "tun3"}
