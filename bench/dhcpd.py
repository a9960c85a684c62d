"""Leases per second of dhcpd against ISC dhcpd, both with fsync; a big file; a big subnet."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from libnet.conf.dhcpdconf import parse
from libnet.conf.leases import read_leases
from libnet.lab.play import Player
from libnet.proto.dhcpd.network import Circuit, attach
from libnet.proto.dhcpd.server import Server
from libnet.wire import dhcp as d

SECONDS = 4.0
WINDOW = 32  # clients at work at one time
CONF = """
authoritative; ddns-update-style none; ping-check off; default-lease-time 3600;
subnet 10.77.0.0 netmask 255.255.0.0 { range 10.77.1.0 10.77.250.255; option routers 10.77.0.1; }
"""
# A relay at 10.77.0.2 with many clients behind it. Each asks, requests what it is offered, and is gone.
CLIENTS = """
import os, select, socket, struct, sys, time
window, seconds = WINDOW, SECONDS
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("10.77.0.2", 67)); s.connect(("10.77.0.1", 67)); s.setblocking(False)
giaddr = bytes((10, 77, 0, 2))
tail = bytes((55, 6, 1, 3, 6, 15, 51, 54, 255))
base = os.getpid() << 20 & 0xFFF00000
def message(n, kind, options):
    head = struct.pack("!BBBBIHH", 1, 1, 6, 1, base + n, 0, 0) + bytes(12) + giaddr
    chaddr = b"\\2\\1" + struct.pack("!I", base + n)
    return (head + chaddr.ljust(16, b"\\0") + bytes(192) + b"\\x63\\x82\\x53\\x63"
            + bytes((53, 1, kind)) + options + tail).ljust(300, b"\\0")
number = done = asked = 0
open_ = {}
begin = time.perf_counter(); end = begin + seconds
lost = 0
while True:
    now = time.perf_counter()
    if now >= end:
        break
    while len(open_) < window:
        number += 1
        open_[base + number] = (now, number)
        s.send(message(number, 1, b""))
    if not select.select([s], [], [], 0.2)[0]:
        for xid, (when, n) in list(open_.items()):
            if now - when > 1.0:
                del open_[xid]; lost += 1
        continue
    try:
        while True:
            data = s.recv(2000)
            xid = struct.unpack_from("!I", data, 4)[0]
            if xid not in open_ or data[240:242] != b"\\x35\\1":
                continue
            n = open_[xid][1]
            if data[242] == 2:
                s.send(message(n, 3, b"\\x32\\4" + data[16:20] + data[243:249]))
            elif data[242] == 5:
                del open_[xid]; done += 1
    except BlockingIOError:
        pass
print(done / (time.perf_counter() - begin), lost)
"""


def clients(netns: str) -> tuple[float, int]:
    """Return leases a second, and how many exchanges were given up."""
    argv = ["ip", "netns", "exec", netns, sys.executable, "-c", CLIENTS]
    argv[-1] = f"WINDOW, SECONDS = {WINDOW}, {SECONDS}\n" + CLIENTS
    out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), int(out[1])


def ours(directory: str) -> tuple[float, int]:
    """Serve through a TAP, with the stack and the server as processes of their own."""
    netns = f"iopkt-b{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        with Player(os.environ, os.path.join(directory, "w")) as player:
            player("BoxA", "io-pkt-v4-hc -d i82544")
            player("BoxA", "ifconfig wm0 10.77.0.1/16")
            player.host(
                ["lab", "tap", "lan0", "--netns", netns, "--ifname", "tap0"]
                + ["--address", "10.77.0.2/16"]
            )
            conf, leases = (os.path.join(directory, name) for name in ("conf", "ours"))
            argv = [
                sys.executable,
                "-c",
                "import sys; from cmds.dhcpd import main; sys.exit(main())",
            ]
            environ = dict(os.environ, IOPKT_WORLD=os.path.join(directory, "w"), IOPKT_BOX="BoxA")
            environ["PYTHONPATH"] = os.pathsep.join(sys.path)
            argv += ["-q", "-f", "-cf", conf, "-lf", leases, "--no-pid", "wm0"]
            process = subprocess.Popen(argv, env=environ)
            try:
                time.sleep(1.0)
                return clients(netns)
            finally:
                process.terminate()
                process.wait(10)
                player.host(["lab", "untap", "lan0"])
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=False)


def theirs(directory: str, dhcpd: str) -> tuple[float, int]:
    """Serve over a veth between two namespaces."""
    here, there = f"iopkt-c{os.getpid()}", f"iopkt-s{os.getpid()}"
    run = subprocess.run
    run(["ip", "netns", "add", here], check=True)
    run(["ip", "netns", "add", there], check=True)
    try:
        run(
            ["ip", "link", "add", "v0", "netns", here, "type", "veth"]
            + ["peer", "name", "v1", "netns", there],
            check=True,
        )
        for netns, name, addr in ((here, "v0", "10.77.0.2/16"), (there, "v1", "10.77.0.1/16")):
            run(["ip", "-n", netns, "addr", "add", addr, "dev", name], check=True)
            run(["ip", "-n", netns, "link", "set", name, "up"], check=True)
        conf, leases = (os.path.join(directory, name) for name in ("conf", "theirs"))
        argv = ["ip", "netns", "exec", there, dhcpd, "-4", "-q", "-f", "-cf", conf]
        process = subprocess.Popen([*argv, "-lf", leases, "--no-pid", "v1"])
        try:
            time.sleep(1.5)
            return clients(here)
        finally:
            process.terminate()
            process.wait(10)
    finally:
        run(["ip", "netns", "del", here], check=False)
        run(["ip", "netns", "del", there], check=False)


def core(count: int, *, leases: str = "") -> tuple[Server, float]:
    """Return a server with *count* leases, and the median of the last thousand's costs in seconds."""
    config = parse(CONF, "conf")
    ports = attach(config, [Circuit("wm0", b"\2\0\0\0\0\1", (0x0A4D0001,))]).ports
    database = read_leases(leases, "leases")
    server = Server(config, ports, random.Random(1), 0.0, 1.8e9, leases=database)
    costs = [0.0]
    for n in range(count):
        begin = time.perf_counter()
        mac = b"\2\0" + n.to_bytes(4, "big")
        message = d.Dhcp(1, 1, 6, 0, n, 0, 0, 0, 0, 0, 0, mac, b"", b"", {53: b"\1"})
        server.input(message.build(), "wm0", 0, 0.0, 1.8e9)
        (offer,) = server.take_output()
        options = {53: b"\3", 50: offer.octets[16:20]}
        server.input(message._replace(options=options).build(), "wm0", 0, 0.0, 1.8e9)
        server.take_journal()
        server.committed(True)
        server.take_output()
        server.take_log()
        costs.append(time.perf_counter() - begin)
    return server, statistics.median(costs[-1000:])


def main() -> None:
    server, _took = core(10_000)
    text = "".join(server.snapshot())
    begin = time.perf_counter()
    again, _took = core(0, leases=text)
    assert again.count() == 10_000
    print(f"10,000 active leases load in {time.perf_counter() - begin:.2f} s (limit 2 s)")
    _, early = core(1000)
    _, late = core(63_900)
    print(
        f"one lease in the core: {early * 1e6:.0f} us in an empty subnet, {late * 1e6:.0f} us when"
        f" 63,800 of 64,000 addresses are gone: {late / early:.2f} x"
    )
    dhcpd = shutil.which("dhcpd", path="/usr/sbin:/sbin:/usr/local/sbin")
    if os.geteuid() != 0 or dhcpd is None:
        print("leases per second: needs root and isc-dhcp-server")
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as directory:
        with open(os.path.join(directory, "conf"), "w") as file:
            file.write(CONF)
        for name in ("ours", "theirs"):
            with open(os.path.join(directory, name), "w") as file:
                file.write("")
        one, lost = ours(directory)
        two, theirs_lost = theirs(directory, dhcpd)
    print(
        f"leases per second: {one:.0f} ({lost} lost), ISC dhcpd {two:.0f} ({theirs_lost} lost):"
        f" {one / two:.2f} x (limit 0.5 x)"
    )


if __name__ == "__main__":
    main()
