"""Command start-up as whole processes, against `python3 -c 'import click'`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 15
COMMANDS = (
    ("ifconfig wm0", ["ifconfig", "wm0"]),
    ("ifconfig", ["ifconfig"]),
    ("route show -n", ["route", "-n", "show"]),
    ("netstat -i", ["netstat", "-in"]),
    ("sysctl NAME", ["sysctl", "net.inet.ip.forwarding"]),
    ("if_up -p wm0", ["if_up", "-p", "wm0"]),
)


def once(argv: list[str], env: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def main() -> None:
    programs = os.path.dirname(sys.executable)
    with tempfile.TemporaryDirectory() as world:
        env = {**os.environ, "IOPKT_WORLD": world, "PATH": f"{programs}:{os.environ['PATH']}"}
        env.pop("SOCK", None)
        subprocess.run([f"{programs}/io-pkt-v4-hc", "-d", "i82544"], env=env, check=True)
        subprocess.run([f"{programs}/ifconfig", "wm0", "10.0.0.1/24"], env=env, check=True)
        try:
            base = [sys.executable, "-c", "import click"]
            for label, argv in COMMANDS:
                argv = [f"{programs}/{argv[0]}", *argv[1:]]
                ours, theirs = [], []
                once(argv, env), once(base, env)
                for _ in range(RUNS):  # in turn, so that the machine's drift hits both
                    ours.append(once(argv, env))
                    theirs.append(once(base, env))
                mine, ref = statistics.median(ours), statistics.median(theirs)
                print(
                    f"{label:16} {mine * 1e3:6.1f} ms   import click {ref * 1e3:6.1f} ms"
                    f"   ratio {mine / ref:.2f}"
                )
        finally:
            subprocess.run([f"{programs}/box", "kill", "BoxA"], env=env, check=False)
