"""Worlds on disk: boxes come, are described, hold their cards, and go."""

from __future__ import annotations

import json
import os
import re

import pytest

from libnet.errors import NetError
from libnet.lab.skeleton import MODULES, services
from libnet.lab.world import Hardware, World, WorldError, ensure_box, stacks
from libnet.libsocket.box import BoxPaths


@pytest.fixture
def world(tmp_path):
    return World(str(tmp_path / "a world"))


def test_a_new_box_has_its_directories_and_files(world):
    paths = world.box("BoxA")
    ensure_box(paths)
    for name in (
        "etc/hosts",
        "etc/services",
        "etc/protocols",
        "etc/networks",
        "etc/resolv.conf",
        "etc/nsswitch.conf",
    ):
        assert os.path.getsize(os.path.join(paths.root, name)) > 0
    for name in ("var/run", "var/log", "var/db", "dev", "net", "tmp", "lib/dll"):
        assert os.path.isdir(os.path.join(paths.root, name))
    assert os.stat(os.path.join(paths.root, "tmp")).st_mode & 0o7777 == 0o1777
    assert sorted(os.listdir(os.path.join(paths.root, "lib/dll"))) == sorted(MODULES)
    with open(os.path.join(paths.root, "lib/dll/devnp-i82544.so"), encoding="ascii") as file:
        assert file.read() == "# iopkt module devnp-i82544\n"


def test_what_the_box_has_changed_stays(world):
    paths = world.box("BoxA")
    ensure_box(paths)
    hosts = os.path.join(paths.root, "etc/hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write("10.0.0.1 me\n")
    os.unlink(os.path.join(paths.home, ".skeleton"))  # as after an upgrade
    ensure_box(paths)
    with open(hosts, encoding="ascii") as file:
        assert file.read() == "10.0.0.1 me\n"


def test_services_are_lines_of_name_port_and_protocol():
    lines = services().splitlines()[1:]
    assert all(re.fullmatch(r"[a-z0-9-]+\t[0-9]+/(tcp|udp)(\t[a-z0-9-]+)*", line) for line in lines)
    assert "www\t80/tcp\thttp" in lines
    assert len({line.split("\t")[0] + line.split("/")[1][:3] for line in lines}) == len(lines)


def test_boxes_are_listed_and_the_default_one_is_always_there(world):
    assert world.names() == ["BoxA"]
    world.add_box("Zed")
    world.add_box("BoxB", ["i82544"])
    assert world.names() == ["BoxA", "BoxB", "Zed"]
    world.remove_box("Zed")
    assert world.names() == ["BoxA", "BoxB"]
    with pytest.raises(WorldError, match="no such box"):
        world.remove_box("Zed")


def test_a_box_is_described_once(world):
    ensure_box(world.box("BoxA"))
    world.add_box("BoxA", ["i82544:lan7", "e1000"])
    nics = Hardware.load(world.box("BoxA"))
    assert [(nic.driver, nic.segment) for nic in nics] == [("i82544", "lan7"), ("e1000", "lan0")]
    with pytest.raises(WorldError, match="such a box already"):
        world.add_box("BoxA")


def test_two_cards_may_not_have_one_address(world):
    with pytest.raises(ValueError, match="NICs 0 and 1 have it"):
        world.add_box("BoxA", ["e1000,mac=020000000001", "e1000,mac=020000000001"])
    assert not world.described("BoxA")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "x" * 64, "é"])
def test_what_cannot_be_a_directory_and_a_host_name_is_no_box_name(world, name):
    with pytest.raises(WorldError, match="not a name for a box"):
        world.box(name)


@pytest.mark.parametrize("octets", [b"", b"{", b"\xff\xfe", b'{"version": 1, "nics": 7}'])
def test_a_corrupt_description_is_told_with_its_path(world, octets):
    paths = world.box("BoxA")
    ensure_box(paths)
    with open(os.path.join(paths.home, "box.json"), "wb") as file:
        file.write(octets)
    with pytest.raises(WorldError, match=re.escape(os.path.join(paths.home, "box.json")) + ": "):
        Hardware.load(paths)


def test_a_card_is_held_by_one_stack_and_free_when_its_process_dies(world):
    paths = world.box("BoxA")
    world.add_box("BoxA", ["i82544"])
    (nic,) = Hardware.load(paths)
    assert nic.attached == ""
    claim = Hardware.claim(paths, nic, "wm0")
    assert Hardware.load(paths)[0].attached == "wm0"
    with pytest.raises(NetError) as caught:
        Hardware.claim(paths, nic, "wm1")
    assert caught.value.symbol == "EBUSY"
    claim.close()
    assert Hardware.load(paths)[0].attached == ""
    pid = os.fork()
    if pid == 0:
        try:
            Hardware.claim(paths, nic, "wm5")
        finally:
            os._exit(0)  # without letting go, as a killed stack
    os.waitpid(pid, 0)
    assert Hardware.load(paths)[0].attached == ""
    Hardware.claim(paths, nic, "wm0").close()


def test_notes_of_stacks_that_are_gone_or_garbled_are_passed_over(world):
    paths = world.box("BoxA")
    ensure_box(paths)
    rows = {
        "stack-1.json": json.dumps(
            {
                "pid": os.getpid(),
                "prefix": "/alt",
                "instance": 1,
                "variant": "v4",
                "argv": ["io-pkt-v4"],
            }
        ),
        "stack-2.json": json.dumps({"pid": 2**22 + 5}),
        "stack-3.json": "{",
        "stack-4.json": "[]",
        "stack-5.json": json.dumps({"pid": "1"}),
        "other.json": json.dumps({"pid": os.getpid()}),
    }
    for name, text in rows.items():
        with open(os.path.join(paths.run, name), "w", encoding="ascii") as file:
            file.write(text)
    (note,) = stacks(paths)
    assert (note.pid, note.prefix, note.instance, note.variant) == (os.getpid(), "/alt", 1, "v4")
    # The note of a process that had our number before us.
    os.utime(os.path.join(paths.run, "stack-1.json"), (1000, 1000))
    assert stacks(paths) == []


def test_the_hosts_devices_are_nobodys_private_ones():
    paths = BoxPaths("/w", "BoxA")
    assert paths.file("/dev/null") == "/dev/null"
    assert paths.file("/dev/pts/3") == "/dev/pts/3"
    assert paths.file("/dev/socket") == "/w/boxes/BoxA/root/dev/socket"
    assert paths.file("/dev/nullify") == "/w/boxes/BoxA/root/dev/nullify"
