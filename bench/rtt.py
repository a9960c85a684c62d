"""ICMP echo round trip between the stacks of two processes, and from the Linux kernel through a TAP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile


def _programs() -> str:
    return os.path.dirname(sys.executable)


def main() -> None:
    programs = _programs()
    with tempfile.TemporaryDirectory() as world:
        envs = []
        for n, box in ((1, "A"), (2, "B")):
            env = {**os.environ, "IOPKT_WORLD": world, "IOPKT_BOX": box}
            envs.append(env)
            subprocess.run([f"{programs}/io-pkt-v4-hc", "-d", "i82544"], env=env, check=True)
            subprocess.run([f"{programs}/ifconfig", "wm0", f"10.0.0.{n}/24"], env=env, check=True)
        try:
            out = subprocess.run(
                [f"{programs}/ping", "-f", "-c", "3000", "10.0.0.2"],
                env=envs[0],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            print("stack to stack     ", out.strip().splitlines()[-2].strip())
            if os.geteuid() == 0 and shutil.which("ip") and os.path.exists("/dev/net/tun"):
                _kernel(programs, envs[0])
            else:
                print("the kernel's ping needs root, ip(8) and /dev/net/tun: left out")
        finally:
            for env in envs:
                subprocess.run([f"{programs}/box", "kill", env["IOPKT_BOX"]], env=env, check=False)


def _kernel(programs: str, env: dict[str, str]) -> None:
    netns = f"iopkt-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        tap = [f"{programs}/lab", "tap", "lan0", "--netns", netns, "--ifname", "tap0"]
        subprocess.run([*tap, "--address", "10.0.0.254/24"], env=env, check=True)
        out = subprocess.run(
            ["ip", "netns", "exec", netns, "/usr/bin/ping", "-f", "-q", "-c", "5000", "10.0.0.1"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        got = re.search(r"ipg/ewma ([0-9.]+)/", out)
        print("kernel through TAP ", out.strip().splitlines()[-1])
        if got:
            ms = float(got.group(1))
            print(f"mean interval       {ms:.3f} ms   (wanted 0.10: {ms / 0.10:.2f} x; PyTCP 0.18)")
        subprocess.run([f"{programs}/lab", "untap", "lan0"], env=env, check=True)
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=False)
