"""box boot and the shells of a box, as processes: scripts of the original's run as they are."""

from __future__ import annotations

import os
import time

import pytest

from libnet.lab.play import Player

pytestmark = pytest.mark.processes

IMAGE = """\
[virtual=armle-v7,elf +compress] .bootstrap = {
    startup-board -P2
    PATH=/proc/boot:/bin:/sbin:/usr/sbin LD_LIBRARY_PATH=/proc/boot:/lib:/lib/dll [module=aps] procnto -v
}
[+script] .script = {
    display_msg Welcome
    devc-ser8250 -e &
    waitfor /dev/ser1
    reopen /dev/ser1
    slogger &
    waitfor /dev/slog
    io-pkt-v4-hc -d i82544 name=en -p tcpip pagesize=8192 &
    waitfor /dev/socket
    if_up -p en0
    /sbin/ifconfig en0 10.42.7.20/24 up
    if_up -p -l en0 || echo "no link"
    nosuchprogram
    setup.sh one
    ksh /scripts/rc.local
    sleep 60 &
    qconn &
    [+session] ksh &
}
[perms=0755] setup.sh = {
#!/bin/ksh
f() {
    print "setup $1"
}
f "$@"
}
/scripts/rc.local = {
export PATH=/proc/boot:/bin:/usr/bin:/sbin:/usr/sbin
function hello { typeset who=$1; print "hello $who"; }
[[ -e /dev/socket ]] && hello "$(hostname)"
random -t
command -v ifconfig
}
libsocket.so
"""


@pytest.fixture
def player(tmp_path):
    with Player(os.environ, str(tmp_path / "w")) as player:
        player.add_box("T", ["i82544:lan0"])
        yield player


def test_an_image_is_booted_and_what_stays_behind_keeps_no_pipe_open(player, tmp_path):
    image = tmp_path / "x.build"
    image.write_text(IMAGE)
    begun = time.monotonic()
    out, status = player.host(["box", "boot", "T", str(image)])
    assert time.monotonic() - begun < 40  # `sleep 60 &` has its own output
    assert status == 0
    assert out.splitlines() == [
        "Welcome",
        'Unable to start "nosuchprogram" (2)',
        "setup one",
        "hello T",
        "/bin/ifconfig",
    ]
    assert "inet 10.42.7.20 netmask 0xffffff00" in player("T", "ifconfig en0")[0]
    log = player("T", "sloginfo")[0]
    for name in ("devc-ser8250", "random", "qconn"):
        assert f"boot: {name}: not implemented in a box, ignored" in log
    assert "x.build:17: nosuchprogram: exit status 127" in log
    out, status = player.host(["box", "boot", "T", str(image)])
    assert status == 1
    assert "still running" in out
    out, status = player.host(["box", "boot", "-ef", "T", str(image)])
    assert (status, out.count("Welcome")) == (1, 1)


def test_wrong_files_are_told_in_one_line(player, tmp_path):
    bad = tmp_path / "bad.build"
    bad.write_text("a\n[perms=1\n")
    none = tmp_path / "none.build"
    none.write_text("libc.so\n")
    for path, text in (
        (bad, "box: bad.build:2: unterminated attributes\n"),
        (none, "box: none.build: no script: no file has the attribute +script\n"),
        (tmp_path / "x", f"box: {tmp_path}/x: No such file or directory\n"),
        (tmp_path, f"box: {tmp_path}: Is a directory\n"),
    ):
        assert player.host(["box", "boot", "T", str(path)]) == (text, 1)


def test_check_tells_what_is_in_a_file(player, tmp_path):
    image = tmp_path / "x.build"
    image.write_text(IMAGE)
    out, status = player.host(["box", "boot", "-n", "T", str(image)])
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "variable PATH=/proc/boot:/bin:/sbin:/usr/sbin"
    assert "file /scripts/rc.local" in lines
    assert "17: nosuchprogram" in lines


SCRIPT = """\
#!/bin/ksh
export PATH=/proc/boot:/bin:/usr/bin:/sbin:/usr/sbin
typeset -i tries=0
function start { print "driver $1"; io-pkt-v4 -d$1 name=en; waitfor /dev/socket 4; }
start i82544
until if_up -p -r 1 en0; do (( tries += 1 )); [[ $tries -ge 5 ]] && exit 1; done
ifconfig en0 10.42.7.20/24 up
addr=$(ifconfig en0 | awk '/inet / { print $2 }')
print "address ${addr%.*}"
print -n "a\\tb"; print
qconn port=8000 &
route add -net 224.0.0.0/4 $addr
"""


@pytest.mark.parametrize("how", ["sh", "ksh", "itself", "boot"])
def test_a_korn_shell_script_runs_whoever_starts_it(player, tmp_path, how):
    script = tmp_path / "rc.net"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    argv = {
        "sh": ["run", "T", "--", "sh", str(script)],
        "ksh": ["run", "T", "--", "ksh", str(script)],
        "itself": ["run", "T", "--", str(script)],
        "boot": ["boot", "T", str(script)],
    }[how]
    out, status = player.host(["box", *argv])
    assert out.splitlines() == [
        "driver i82544",
        "address 10.42.7",
        "a\tb",
        "add net 224.0.0.0: gateway 10.42.7.20",
    ]
    assert status == 0


PATHS = """\
#!/bin/sh
PATH=/proc/boot:/bin:/usr/bin:/sbin:/usr/sbin
/sbin/io-pkt-v4-hc -d i82544 && waitfor /dev/socket
/sbin/ifconfig wm0 10.0.0.1/24
ifconfig wm0 | grep -c 'inet 10.0.0.1'
mount -T io-pkt lsm-none.so 2>&1 | head -1
"""


def test_programs_are_found_where_the_original_has_them(player, tmp_path):
    script = tmp_path / "rc.net"
    script.write_text(PATHS)
    out, status = player.host(["box", "run", "T", "--", "sh", str(script)])
    assert (out, status) == ("1\nmount: Can't mount lsm-none.so (type io-pkt)\n", 0)


def test_a_box_is_not_cut_off_from_within(player, tmp_path):
    image = tmp_path / "x.build"
    image.write_text("[+script] .script = start.txt\n")
    (tmp_path / "start.txt").write_text("echo from a file beside it\n")
    inside = ["box", "run", "T", "--", "box", "boot"]
    assert player.host([*inside, "-f", "T", str(image)]) == (
        "box: T: the power of a box cannot be cut from within\n",
        1,
    )
    assert player.host([*inside, "T", str(image)]) == ("from a file beside it\n", 0)
    assert player.host(["box", "boot", "-n", "T", str(image)]) == ("script start.txt\n", 0)
