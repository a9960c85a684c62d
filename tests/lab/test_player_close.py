"""What a transcript has left plugged in ends with it."""

from __future__ import annotations

import json
import os

import pytest

from libnet.lab.play import Player


@pytest.mark.processes
def test_what_carries_for_the_outside_ends_with_the_player(tmp_path):
    world = tmp_path / "w"
    with Player(os.environ, str(world)) as player:
        pair = ["--local", str(tmp_path / "a"), "--remote", str(tmp_path / "b")]
        assert player.host(["lab", "dgram", "lan0", *pair]) == ("", 0)
        assert player.host(["lab", "radio", "air0"]) == ("", 0)
        records = [json.loads(path.read_text()) for path in (world / "run" / "lab").glob("*.*.*")]
        assert sorted(record["kind"] for record in records) == ["dgram", "radio"]
        pids = [record["pid"] for record in records]
        assert all(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert not any(os.path.exists(f"/proc/{pid}/exe") for pid in pids)
