"""Packet filter: packets a second of `ip and tcp port 80` over 64-octet packets in memory, one core.

The plain interpreter says what the translation to Python buys. The real tcpdump, where it is installed,
counts the same packets in a file: its own start and the reading of the file are subtracted by a run
over none. scapy makes its one-line summary of some of them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time

from cmds._handover import find_next
from libnet.bpf.machine import bpf_filter, translate
from libnet.conf.pcapfilter import compile
from libnet.wire.savefile import Packet, Writer

TEXT = "ip and tcp port 80"
DLT_EN10MB = 1
COUNT = 400_000
LIMIT = 1_000_000
ROUNDS = 5


def packets() -> list[bytes]:
    """Return a mix of what a wire carries: web traffic, other TCP, UDP, ARP; 64 octets each."""
    ether = bytes.fromhex("020000000001020000000002")

    def ip(proto: int, sport: int, dport: int) -> bytes:
        head = bytes.fromhex("450000320001000040") + bytes((proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2))
        ports = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
        return (ether + b"\x08\x00" + head + ports).ljust(64, b"\0")

    web, back = ip(6, 50000, 80), ip(6, 80, 50000)
    others = [ip(6, 50001, 22), ip(17, 5000, 53), (ether + b"\x08\x06").ljust(64, b"\0")]
    return [web, back, web, *others]


def rate(accepts, made: list[bytes]) -> float:
    """Return packets a second, the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for packet in made:
            accepts(packet, 64)
        best = max(best, len(made) / (time.perf_counter() - begin))
    return best


def real(made: list[bytes]) -> float | None:
    """Return packets a second of the real tcpdump's filter, None where there is none."""
    tcpdump = find_next("tcpdump", os.environ.get("PATH", ""))  # not ours
    if tcpdump is None:
        return None
    took = []
    with tempfile.TemporaryDirectory() as where:
        for name, count in (("none", 0), ("all", len(made))):
            path = os.path.join(where, name)
            with open(path, "wb") as file:
                writer = Writer(file, DLT_EN10MB)
                for packet in made[:count]:
                    writer.write(Packet(0, 0, 64, packet))
            best = float("inf")
            for _ in range(3):
                begin = time.perf_counter()
                subprocess.run(
                    [tcpdump, "-n", "-r", path, "-w", "/dev/null", TEXT],
                    stderr=subprocess.DEVNULL,
                    check=True,
                )
                best = min(best, time.perf_counter() - begin)
            took.append(best)
    return len(made) / max(took[1] - took[0], 1e-9)


def scapy_summary(made: list[bytes]) -> float | None:
    """Return packets a second of scapy's summary, None where it is not installed."""
    try:
        from scapy.layers.l2 import Ether
    except ImportError:
        return None
    some = made[:2000]
    begin = time.perf_counter()
    for packet in some:
        Ether(packet).summary()
    return len(some) / (time.perf_counter() - begin)


def main() -> None:
    mix = packets()
    made = (mix * (COUNT // len(mix) + 1))[:COUNT]
    program = compile(TEXT, DLT_EN10MB)
    accepts = translate(program)
    code = program.insns
    ours = rate(accepts, made)
    only = rate(accepts, [mix[0]] * COUNT)
    plain = rate(lambda packet, size: bpf_filter(code, packet, size), made[: COUNT // 20])
    print(f"translated, mixed traffic      {ours:12,.0f}/s   limit {LIMIT:,}")
    print(f"translated, all of it accepted {only:12,.0f}/s   limit {LIMIT:,}")
    print(f"interpreted                    {plain:12,.0f}/s   ratio {ours / plain:.1f}")
    for name, other in (
        ("tcpdump -r -w /dev/null", real(made)),
        ("scapy summary", scapy_summary(made)),
    ):
        if other is None:
            print(f"{name:<30} not installed")
        else:
            print(f"{name:<30} {other:12,.0f}/s   ratio {ours / other:.2f}")
    begin = time.perf_counter()
    for _ in range(200):
        compile(TEXT, DLT_EN10MB)
    compiling = (time.perf_counter() - begin) / 200
    begin = time.perf_counter()
    for _ in range(200):
        translate(program)
    translating = (time.perf_counter() - begin) / 200
    print(f"compiling {compiling * 1e3:.2f} ms, translating {translating * 1e3:.2f} ms")
    assert min(ours, only) >= LIMIT, "the filter is too slow"


if __name__ == "__main__":
    main()
