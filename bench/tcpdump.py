"""tcpdump -nn -r FILE: packets printed a second, one core, against the real tcpdump and scapy's summary.

A file of TCP, UDP, ICMP, ARP and DNS is printed to nowhere. The rate of the program is of all its run, the
start of Python included; that of the printers is of print_packet() over packets in memory. scapy makes its
one-line summary of some of the packets.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from cmds._handover import find_next
from libnet.text.dump.link import print_packet
from libnet.text.dump.ndo import Ndo
from libnet.wire.savefile import Packet, Writer, open_savefile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CAPTURES = ("tcp-basic", "tcp-loss", "arp-icmp", "udp-misc", "dhcp-direct", "ipv6-nd")
COUNT = 200_000
LIMIT = 40_000
ROUNDS = 3
PROGRAM = "import sys; from cmds.tcpdump import main; sys.exit(main())"


def packets() -> list[Packet]:
    """Return the packets of the recorded captures, over and over."""
    mix: list[Packet] = []
    for name in CAPTURES:
        with open(os.path.join(HERE, "tests/data/captures", f"{name}.pcap"), "rb") as file:
            mix += open_savefile(file)
    return (mix * (COUNT // len(mix) + 1))[:COUNT]


def in_memory(made: list[Packet]) -> float:
    """Return packets a second through the printers alone."""
    best = 0.0
    for _ in range(ROUNDS):
        ndo = Ndo()
        ndo.nflag = 2
        begin = time.perf_counter()
        for sec, nsec, length, data in made:
            print_packet(ndo, 1, data, length, sec, nsec // 1000)
        best = max(best, len(made) / (time.perf_counter() - begin))
    return best


def run(argv: list[str], path: str, count: int) -> float:
    """Return packets a second of a whole run of a program on a file."""
    env = {**os.environ, "IOPKT_BOX": "bench", "IOPKT_VIEW": "ns", "PYTHONPATH": HERE}
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run(
            [*argv, "-nn", "-r", path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
            check=True,
        )
        best = min(best, time.perf_counter() - begin)
    return count / best


def scapy_summary(made: list[Packet]) -> float | None:
    """Return packets a second of scapy's summary, None where it is not installed."""
    try:
        from scapy.layers.l2 import Ether
    except ImportError:
        return None
    some = made[:2000]
    begin = time.perf_counter()
    for packet in some:
        Ether(packet.data).summary()
    return len(some) / (time.perf_counter() - begin)


def main() -> None:
    made = packets()
    with tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "mix.pcap")
        with open(path, "wb") as file:
            writer = Writer(file, 1)
            for packet in made:
                writer.write(packet)
        ours = run([sys.executable, "-c", PROGRAM], path, len(made))
        real = find_next("tcpdump", os.environ.get("PATH", ""))  # not ours
        theirs = run([real], path, len(made)) if real else None
    printers = in_memory(made)
    print(f"{'whole program':<20} {ours:12,.0f}/s   limit {LIMIT:,}")
    print(f"{'printers alone':<20} {printers:12,.0f}/s")
    for name, other in (("tcpdump", theirs), ("scapy summary", scapy_summary(made))):
        if other is None:
            print(f"{name:<20} not installed")
        else:
            print(f"{name:<20} {other:12,.0f}/s   ratio {ours / other:.2f}")
    assert ours >= LIMIT, "printing is too slow"
