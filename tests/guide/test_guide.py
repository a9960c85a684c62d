"""The guide's console, run as processes: each section of the *.t files beside this one."""

from __future__ import annotations

import os
import pathlib

import pytest

from libnet.lab.play import Player
from libnet.lab.transcript import parse, run

HERE = pathlib.Path(__file__).parent


@pytest.mark.processes
@pytest.mark.parametrize("name", sorted(p.name for p in HERE.glob("*.t")))
def test_transcript(name, tmp_path):
    text = (HERE / name).read_text()
    with Player(os.environ, str(tmp_path / "world")) as player:
        for line in text.splitlines():
            if line.startswith("#! box "):
                box, *nics = line.split()[2:]
                player.add_box(box, nics)
        run(parse(text), player)


@pytest.mark.processes
def test_the_demo_session(tmp_path):
    text = (HERE.parent.parent / "etc" / "demo.t").read_text()
    with Player(os.environ, str(tmp_path / "world")) as player:
        run(parse(text), player)
