"""The sources themselves: the map is true, every program has its page, commands start light."""

from __future__ import annotations

import configparser
import importlib
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent


def _programs() -> dict[str, str]:
    cfg = configparser.ConfigParser()
    cfg.read(ROOT / "setup.cfg")
    lines = cfg["options.entry_points"]["console_scripts"].strip().splitlines()
    return dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines)


PROGRAMS = _programs()
# Ioctls whose rooms come with later parts of the stack, answered with ENOTTY; and those of devices.
LATER = ("80211", "VH", "GENERIC", "ATMARK", "PGRP", "DIOC", "TUN", "TAP")  # fmt: skip


def test_every_rooms_sentence_stands_on_the_map():
    text = (ROOT / "libnet" / "README.md").read_text()
    rooms = [ROOT / "cmds", *(p.parent for p in (ROOT / "libnet").rglob("__init__.py"))]
    for room in rooms:
        name = ".".join(room.relative_to(ROOT).parts)
        if name == "libnet":
            continue
        first = (importlib.import_module(name).__doc__ or "").splitlines()[0]
        assert f"| `{name}` | {first} |" in text, name


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_program_has_its_page_and_its_function(name):
    pages = {p.name.rsplit(".", 1)[0] for p in (ROOT / "man").rglob("*.[1-9]")}
    assert name in pages
    module, _, attribute = PROGRAMS[name].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - {"box", "lab"}))
def test_a_command_starts_light(name):
    module = PROGRAMS[name].partition(":")[0]
    code = (
        f"import sys, {module}\n"
        "heavy = {'scapy', 'pyroute2', 'asyncio', 'tabulate', 'cryptography'}\n"
        "heavy |= {'dataclasses', 'libnet.engine'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert out in ("[]", "['dataclasses']") if sys.version_info >= (3, 13) else out == "[]"


def test_every_ioctl_is_served_or_belongs_to_a_later_part():
    import random

    from libnet.clock import Clock
    from libnet.engine.bpf.bpf import SERVED
    from libnet.engine.kern.socket import Cred
    from libnet.engine.stack import Stack
    from libnet.ioctl.registry import ROWS

    stack = Stack(Clock(), random.Random(1))
    so = stack.socreate(2, 2, 0, Cred())
    own = {"FIONREAD", "SIOCSHIWAT", "SIOCGHIWAT", "SIOCSLOWAT", "SIOCGLOWAT"}
    for name in ROWS:
        if ROWS[name].group == "B" and name in SERVED:
            continue
        if name in own or name in stack.ioctls or any(part in name for part in LATER):
            continue
        pytest.fail(f"{name} has no handler")
    so.close()


def test_every_served_ioctl_stands_in_its_page():
    import random

    from libnet.clock import Clock
    from libnet.engine.stack import Stack
    from libnet.ioctl.registry import ROWS

    stack = Stack(Clock(), random.Random(1))
    for name in stack.ioctls:
        page, _, section = ROWS[name].man.rpartition(".")
        text = (ROOT / "man" / f"man{section}" / f"{page}.{section}").read_text()
        assert name in text, name


def test_scapy_is_imported_by_nothing_but_the_forge_and_tests():
    for path in [*(ROOT / "libnet").rglob("*.py"), *(ROOT / "cmds").rglob("*.py")]:
        assert not re.search(r"^\s*(import|from) scapy", path.read_text(), re.M), path
