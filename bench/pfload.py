"""pfctl: 10,000 rules read, optimized, loaded and listed; a table of 100,000 addresses from a file."""

from __future__ import annotations

import random
import time

from libnet.lab.memory import Box, World

RULES = 10_000
ADDRESSES = 100_000
WANTED_S = 3.0


def ruleset() -> str:
    dice = random.Random(1)
    lines = ['ext = "wm0"', "block all"]
    for _ in range(RULES):
        proto, octets = dice.choice(("tcp", "udp")), [dice.randrange(256) for _ in range(3)]
        src = "10." + ".".join(map(str, octets))
        port = dice.randrange(1, 65535)
        lines.append(
            f"pass in quick on $ext inet proto {proto} from {src} to any port {port} keep state"
        )
    return "\n".join(lines) + "\n"


def timed(box: Box, line: str, stdin: str = "") -> float:
    begin = time.perf_counter()
    got = box.sh(line, stdin=stdin)
    took = time.perf_counter() - begin
    assert got.status == 0, got.err[-300:]
    return took


def main() -> None:
    with World(seed=1) as world:
        box = world.box("A", nic="i82544:lan0")
        assert box.sh("io-pkt-v4-hc -d i82544 -p pf-v4").status == 0
        text = ruleset()
        for what, line in (
            ("read", "pfctl -o none -nf -"),
            ("read and print", "pfctl -o none -nvf -"),
            ("read, optimize", "pfctl -nf -"),
            ("read, load", "pfctl -o none -f -"),
            ("read, optimize, load", "pfctl -f -"),
            ("list", "pfctl -s rules"),
        ):
            took = timed(box, line, text)
            print(f"{RULES:,} rules: {what:<22}{took:6.2f} s   (wanted {WANTED_S:.0f})")
        with open(box.paths.file("/var/tmp/addresses"), "w", encoding="ascii") as file:
            for n in range(ADDRESSES):
                file.write(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n")
        line = "pfctl -t t -T add -f /var/tmp/addresses"
        print(
            f"{ADDRESSES:,} addresses: add      {timed(box, line):6.2f} s   (wanted {WANTED_S:.0f})"
        )


if __name__ == "__main__":
    main()
