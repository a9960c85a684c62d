"""Booting a box in memory from a buildfile: the process manager's manners."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.conf.buildfile import BadBuildfile
from libnet.lab.boot import SHADOW
from libnet.lab.memory import World

HEAD = """\
[virtual=x86,elf +compress] .bootstrap = {
    startup-bios
    PATH=/proc/boot:/bin:/sbin GREETING=hello procnto
}
[+script] .script = {
"""


@pytest.fixture
def box():
    with World(seed=5) as world:
        yield world.box("T", nic="i82544:lan0")


def boot(box, script, rest=""):
    return box.boot(f"{HEAD}{script}\n}}\n{rest}", "x.build")


def test_the_network_part_of_a_buildfile_brings_the_box_up(box):
    gate = box.world.box("G", nic="i82544:lan0")
    gate.sh("io-pkt-v4-hc -d i82544; ifconfig wm0 10.42.7.1/24")
    script = """
    slogger -s 256 &
    waitfor /dev/slog
    io-pkt-v4-hc -d i82544 name=en -p tcpip pagesize=8192,mclbytes=8192
    waitfor /dev/socket 4
    if_up -p en0
    ifconfig en0 10.42.7.20 netmask 255.255.255.0 up
    route add default 10.42.7.1
    route add -net 224.0.0.0/4 10.42.7.20
    sysctl -w net.inet.ip.forwarding=1 net.inet.ip.ttl=32
    ifconfig vlan73 create vlan 73 vlanif en0 192.168.73.1/25 up
    if_up -p -l en0 || echo no link
    if_up -r 20 en0
    ping -c 2 10.42.7.1
    """
    result = boot(box, script)
    assert (result.err, result.status) == ("", 0)
    lines = result.out.splitlines()
    assert lines[:4] == [
        "add net default: gateway 10.42.7.1",
        "add net 224.0.0.0: gateway 10.42.7.20",
        "net.inet.ip.forwarding: 0 -> 1",
        "net.inet.ip.ttl: 64 -> 32",
    ]
    assert "2 packets transmitted, 2 packets received, 0.0% packet loss" in lines
    assert "no link" not in lines
    assert "vlan: 73 parent: en0" in box.sh("ifconfig vlan73").out


def test_a_failure_does_not_stop_the_script_and_is_told(box):
    result = boot(box, "false\nfrobnicate -x\ncat /etc/none\necho still here")
    assert result.out == (
        'Unable to start "frobnicate" (2)\ncat: /etc/none: No such file or directory\nstill here\n'
    )
    assert result.err.splitlines() == [
        "6: false: status 1",
        "7: frobnicate: status 127",
        "8: cat: status 1",
    ]
    assert any("x.build:6: false: exit status 1" in text for text in box.slog.texts)


def test_what_a_box_need_not_have_is_ignored_with_a_line_in_the_log(box):
    script = "devc-ser8250 -e 3f8,4 &\nwaitfor /dev/ser1\nreopen /dev/ser1\nrandom -t\nqconn &"
    result = boot(box, script)
    assert result == ("", "", 0)
    assert box.world.now == 0.0  # nobody waits for a device of a driver that is not there
    assert [text for text in box.slog.texts if "boot" in text] == [
        f"boot: {name}: not implemented in a box, ignored"
        for name in ("devc-ser8250", "random", "qconn")
    ]


def test_waitfor_gives_up_with_a_message_and_the_script_goes_on(box):
    result = boot(box, "waitfor /dev/never 2.5\necho next")
    assert result.out == 'Unable to access "/dev/never" (2)\nnext\n'
    assert box.world.now == pytest.approx(2.5)


def test_variables_hold_for_what_follows_or_for_one_command(box):
    script = "echo $GREETING\nGREETING=bye\necho $GREETING\nGREETING=one echo ${GREETING}x\nX=1 Y=2"
    assert boot(box, script).out == "hello\nbye\nbyex\n"


def test_messages_priorities_and_links(box):
    script = """
    display_msg "two  words" more
    [pri=27f] on -p 12 -d echo on
    procmgr_symlink /etc/hosts /etc/names
    cat /etc/names
    [+session] ksh &
    """
    result = boot(box, script)
    assert result.out.splitlines()[:2] == ["two  words more", "on"]
    assert "localhost" in result.out
    assert (result.err, result.status) == ("", 0)


def test_files_of_the_image_are_in_the_box(box):
    rest = """
[type=link] /etc/link = x.conf
[type=dir] /var/made
[perms=0600] /etc/x.conf = {
value {1}
}
start.sh = {
#!/bin/sh
echo started $1
}
libsocket.so devnp-i82544.so
"""
    result = boot(box, "start.sh\n/proc/boot/start.sh again\nsh /proc/boot/start.sh\n", rest)
    assert (result.out, result.err) == ("started\nstarted again\nstarted\n", "")
    assert box.read("/etc/x.conf") == "value {1}\n"
    assert os.stat(box.file("/etc/x.conf")).st_mode & 0o777 == 0o600
    assert os.readlink(box.file("/etc/link")) == "x.conf"
    assert os.path.isdir(box.file("/var/made"))
    assert os.path.isfile(box.file(f"{SHADOW}/proc/boot/start.sh"))
    assert "boot: of the image, without use in a box: libsocket.so" in box.slog.texts


def test_reopen_sends_output_to_a_file(box):
    result = boot(box, "reopen /tmp/out\necho there\nreopen\necho here")
    assert result.out == "here\n"
    assert box.read("/tmp/out") == "there\n"


def test_an_image_without_script_is_refused(box):
    with pytest.raises(BadBuildfile, match="no script"):
        box.boot("libc.so\n", "x.build")


_WORDS = """
waitfor reopen display_msg procmgr_symlink on nice echo [+session] [pri=1] & && | $X X=1 /tmp/a
/dev/x -p devc-x ' " ` ( ; \\ { .. / é
"""
# A relative name would be one of the directory that the tests run in.
WORDS = st.sampled_from([*_WORDS.split(), "> /tmp/a", "< /tmp/a", "\0"])


@settings(max_examples=60)
@given(st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=4).map("\n".join))
def test_no_script_ends_the_boot(text):
    with World(seed=1) as world:
        try:
            result = world.box("T").boot(f"[+script] .script = {{\n{text}\n}}\n", "x")
        except BadBuildfile:
            return
        assert result.status in (0, 1)
