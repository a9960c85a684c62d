"""The guide's access point, as router with NAT and as bridge, down to the Linux kernel's file server."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from libnet.lab.play import Player
from libnet.lab.transcript import parse, run


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: a network namespace and a TAP"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    return "" if shutil.which("ip") else "needs ip"


@pytest.mark.interop
@pytest.mark.processes
@pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there")
def test_the_guides_access_point(tmp_path):
    text = pathlib.Path(__file__).with_name("access_point.t").read_text()
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "page").write_text("x" * 300_000)
    netns = f"iopkt-ap{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        with Player(os.environ, str(tmp_path / "w")) as player:
            player.environ.update(NETNS=netns, PAGES=str(pages))
            for line in text.splitlines():
                if line.startswith("#! box "):
                    box, *nics = line.split()[2:]
                    player.add_box(box, nics)
            run(parse(text), player)
    finally:
        pid = pages / "pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", netns], check=False)
