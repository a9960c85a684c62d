"""Boxes up, addressed and each having pinged its neighbour: time and memory, in one process and many."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time

CHILD = """
import resource, sys, time
begin = time.perf_counter()
from libnet.lab.memory import World
count = int(sys.argv[1])
world = World(seed=1)
boxes = []
for n in range(count):
    box = world.box(f"b{n}", nic="i82544:lan0")
    box.sh("io-pkt-v4-hc -d i82544")
    box.sh(f"ifconfig wm0 10.0.{n // 250}.{n % 250 + 1}/16")
    boxes.append(box)
for n, box in enumerate(boxes):
    m = (n + 1) % count
    got = box.sh(f"ping -c 1 10.0.{m // 250}.{m % 250 + 1}")
    assert "1 packets received" in got.out, got
took = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{took:.3f} {peak:.1f}")
"""


def in_one_process(count: int) -> tuple[float, float]:
    got = subprocess.run(
        [sys.executable, "-c", CHILD, str(count)], capture_output=True, text=True, check=True
    )
    took, peak = map(float, got.stdout.split())
    return took, peak


def in_processes(count: int) -> tuple[float, float]:
    """Return seconds until all have pinged, and MiB of all stacks (proportional set size)."""
    programs = os.path.dirname(sys.executable)
    with tempfile.TemporaryDirectory() as world:
        base = {**os.environ, "IOPKT_WORLD": world}
        envs = [{**base, "IOPKT_BOX": f"b{n}"} for n in range(count)]
        begin = time.perf_counter()
        try:
            for n, env in enumerate(envs):
                subprocess.run([f"{programs}/io-pkt-v4-hc", "-d", "i82544"], env=env, check=True)
                addr = f"10.0.0.{n + 1}/24"
                subprocess.run([f"{programs}/ifconfig", "wm0", addr], env=env, check=True)
            for n, env in enumerate(envs):
                peer = f"10.0.0.{(n + 1) % count + 1}"
                subprocess.run(
                    [f"{programs}/ping", "-c", "1", peer],
                    env=env,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
            took = time.perf_counter() - begin
            memory = sum(map(_pss, _stacks(world)))
        finally:
            for env in envs:
                subprocess.run([f"{programs}/box", "kill", env["IOPKT_BOX"]], env=env, check=False)
    return took, memory


def _stacks(world: str) -> list[int]:
    found = []
    for box in os.listdir(os.path.join(world, "boxes")):
        run = os.path.join(world, "boxes", box, "run")
        for name in os.listdir(run):
            if name.startswith("stack-"):
                found.append(int(name[6:-5]))
    return found


def _pss(pid: int) -> float:
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    for count in (2, 50, 200):
        took, peak = in_one_process(count)
        print(f"{count:4} boxes in one process   {took:6.2f} s  {peak:7.1f} MiB")
    for count in (2, 50):
        took, memory = in_processes(count)
        print(f"{count:4} boxes, a process each   {took:6.2f} s  {memory:7.1f} MiB")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"     (this measuring process   {own:14.1f} MiB)")
