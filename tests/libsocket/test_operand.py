"""Files that a person names: in a host's terminal /tmp is the host's, /etc the box's."""

from __future__ import annotations

import io
import os

from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.loop.host import RealHost


def ctx(tmp_path, view=""):
    box = BoxPaths(str(tmp_path / "w"), "BoxA", view=view)
    os.makedirs(box.root + "/etc", exist_ok=True)
    os.makedirs(box.root + "/tmp", exist_ok=True)
    streams = {"stdin": io.StringIO(), "stdout": io.StringIO(), "stderr": io.StringIO()}
    return Ctx("x", environ={}, host=RealHost(), box=box, **streams)


def test_the_terminal_sees_its_own_tmp_and_the_boxs_etc(tmp_path):
    made = ctx(tmp_path)
    (tmp_path / "w/boxes/BoxA/root/etc/pf.conf").write_text("")
    assert made.operand("/etc/pf.conf") == made.box.root + "/etc/pf.conf"
    assert made.operand("/etc/passwd") == "/etc/passwd"  # only the host has it
    assert made.operand("/tmp/new.pcap", write=True) == "/tmp/new.pcap"
    assert made.operand("/var/log/x", write=True) == made.box.root + "/var/log/x"
    mine = tmp_path / "mine"
    mine.write_text("")
    assert made.operand(str(mine)) == str(mine)
    assert made.operand("rel/ative") == "rel/ative"


def test_in_the_box_every_path_is_the_boxs(tmp_path):
    assert ctx(tmp_path, "ns").operand("/tmp/x") == "/tmp/x"
    made = ctx(tmp_path, "map")
    assert made.operand("/tmp/x", write=True) == made.box.root + "/tmp/x"
