"""The lease file on a real disk: what is told is written, whatever happens to the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cmds import _dhcpnet
from cmds._dhcpnet import LeaseFile, udp_frame, udp_payload
from libnet.conf.leases import header, read_leases

# Gives leases as fast as it can, and prints each address when its client would hear of it.
WRITER = """
import random, sys
from cmds._dhcpnet import LeaseFile
from libnet.conf.dhcpdconf import parse
from libnet.conf.leases import read_leases
from libnet.proto.dhcpd.network import Circuit, attach
from libnet.proto.dhcpd.server import Server
from libnet.wire import dhcp as d
conf = '''ping-check off; subnet 10.9.0.0 netmask 255.255.0.0 { range 10.9.1.0 10.9.200.0; }'''
config = parse(conf, "conf")
ports = attach(config, [Circuit("wm0", bytes(6), (0x0A090001,))]).ports
file = LeaseFile(sys.argv[1])
base = int(sys.argv[2])
server = Server(config, ports, random.Random(1), 0.0, 1.8e9, leases=read_leases(file.read(), "x"))
file.rewrite(server.snapshot(), base)
n = 0
while True:
    for _ in range(3):
        n += 1
        mac = b"\\2" + base.to_bytes(1, "big") + n.to_bytes(4, "big")
        message = d.Dhcp(1, 1, 6, 0, n, 0, 0, 0, 0, 0, 0, mac, b"", b"", {53: b"\\1"})
        server.input(message.build(), "wm0", 0, 0.0, 1.8e9)
        (offer,) = server.take_output()
        options = {53: b"\\3", 50: offer.octets[16:20]}
        server.input(message._replace(options=options).build(), "wm0", 0, 0.0, 1.8e9)
    file.append(server.take_journal())
    server.committed(True)
    for out in server.take_output():
        print(int.from_bytes(out.octets[16:20], "big"), d.Dhcp.parse(out.octets).chaddr.hex(), flush=True)
    if n % 30 == 0:
        file.rewrite(server.snapshot(), base)
"""


def test_a_killed_server_has_written_what_it_told(tmp_path):
    path = tmp_path / "dhcpd.leases"
    path.write_text("")
    told = {}
    for turn in range(1, 5):
        environ = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        argv = [sys.executable, "-c", WRITER, str(path), str(turn)]
        with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(20 * turn):
                line = process.stdout.readline()
                assert line
                addr, mac = line.split()
                assert told.setdefault(int(addr), mac) == mac
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                addr, mac = line.split()
                assert told.setdefault(int(addr), mac) == mac
        database = read_leases(path.read_text(encoding="latin-1"), "x")
        assert not database.errors
        for addr, mac in told.items():
            entry = database.leases[addr]
            assert (entry.state, entry.hardware) == ("active", (1, bytes.fromhex(mac)))


def test_an_append_that_fails_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "dhcpd.leases"
    path.write_text("old")
    file = LeaseFile(str(path))
    with pytest.raises(FileNotFoundError):
        file.append("x")
    file.rewrite(["one\n"], 5)
    file.append("two\n")

    def full(_fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_dhcpnet.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            file.append("three\n")
        with pytest.raises(OSError, match="No space"):
            file.rewrite(["four\n"], 6)
    file.append("five\n")
    file.close()
    assert path.read_text() == "one\ntwo\nfive\n"
    assert (tmp_path / "dhcpd.leases~").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["dhcpd.leases", "dhcpd.leases~"]


def test_a_rewrite_replaces_the_file_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "dhcpd.leases"
    path.write_text("old")
    seen = []
    real = os.replace

    def replace(source, target):
        seen.append((path.read_text(), (tmp_path / "dhcpd.leases~").read_text()))
        real(source, target)

    monkeypatch.setattr(_dhcpnet.os, "replace", replace)
    file = LeaseFile(str(path))
    file.rewrite([header("test"), "new"], 7)
    file.close()
    assert seen == [("old", "old")]
    assert path.read_text().endswith("new")


def test_without_fsync_where_the_configuration_says_so(tmp_path, monkeypatch):
    path = tmp_path / "dhcpd.leases"
    path.write_text("")
    monkeypatch.setattr(_dhcpnet.os, "fsync", lambda _fd: pytest.fail("fsync"))
    file = LeaseFile(str(path), sync=False)
    file.rewrite(["a"], 1)
    file.append("b")
    file.close()
    assert path.read_text() == "ab"


def test_frames():
    mac = bytes(range(6))
    frame = udp_frame(mac, 0x0A090001, 67, 0xFFFFFFFF, 68, b"hello")
    assert frame[:6] == mac
    assert (frame[15], frame[22], frame[18:20]) == (0x10, 128, b"\0\0")  # tos, ttl, id
    assert udp_payload(frame, 68) == (0x0A090001, b"hello")
    assert udp_payload(frame, 67) is None
    for at in range(12, len(frame)):
        broken = frame[:at] + bytes((frame[at] ^ 0x55,)) + frame[at + 1 :]
        assert udp_payload(broken, 68) is None
        assert udp_payload(frame[:at], 68) is None
