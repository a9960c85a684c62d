"""Drop tracing: the log tells for each lost packet where, why and what it was."""

from __future__ import annotations

from libnet.lab.memory import World


def test_each_lost_packet_is_told_once_it_is_asked_for():
    with World(seed=1) as world:
        a = world.box("A", nic="i82544:lan0")
        a.sh("io-pkt-v4-hc -d i82544")
        a.sh("ifconfig wm0 10.0.0.1/24")
        wire = world.segment("lan0").plug("hand.0")
        wire.receive = lambda frames: None
        ether = a.stack.ifunit("wm0").lladdr + b"\x02\0\0\0\0\x63\x08\0"
        bad = ether + bytes.fromhex("4500001c000000004001bad00a0000630a000001") + bytes(26)
        wire.send(bad)
        world.run(0.1)
        assert "drop:" not in a.sh("sloginfo").out
        assert a.sh("sysctl -w net.iopkt.droptrace=1").out == "net.iopkt.droptrace: 0 -> 1\n"
        wire.send(bad)
        world.run(0.1)
        lines = [line for line in a.sh("sloginfo").out.splitlines() if "drop:" in line]
        assert len(lines) == 1
        assert "drop: ip.badsum on wm0: badsum: 46 octets 4500001c" in lines[0]
        assert "2 bad header checksums" in a.sh("netstat -s -p ip").out
