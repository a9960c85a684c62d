"""`python -m bench [NAME…]`: run the benchmarks and print a table of ratios."""

from __future__ import annotations

import importlib
import os
import sys

NAMES = (
    "startup", "segment", "forward", "bridge", "udp", "tcp", "tcp2", "conns", "rtt", "tap", "boxes",
    "filter", "tcpdump", "pf", "pfload", "dhcpd", "air",
)  # fmt: skip


def main() -> int:
    # glibc gives memory back after each burst otherwise, which doubles the cost of a packet.
    if os.environ.get("MALLOC_TRIM_THRESHOLD_") is None:
        os.environ["MALLOC_TRIM_THRESHOLD_"] = str(256 << 20)
        os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])
    names = sys.argv[1:] or NAMES
    sys.argv[1:] = []  # which are for none of them
    for name in names:
        module = importlib.import_module(f"bench.{name}")
        print(f"== {name}: {(module.__doc__ or '').splitlines()[0]}")
        module.main()
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
