"""box and slogger as processes: the view, signals, exit status, and the power cut."""

from __future__ import annotations

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from libnet.lab import view
from libnet.loop.slog import FileRing

pytestmark = pytest.mark.processes
REPO = pathlib.Path(__file__).parent.parent.parent
PROGRAMS = ("box", "hostname", "mount", "pci", "pidin", "slogger", "sloginfo", "umount", "waitfor")
needs_view = pytest.mark.skipif(not view.possible(), reason="no mount namespaces on this host")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A directory of start scripts, as an installation makes them."""
    made = tmp_path_factory.mktemp("programs")
    for name in PROGRAMS:
        script = made / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPO)!r})\n"
            f"from cmds.{name} import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
    return made


class Shell:
    """Runs command lines with a world's environment."""

    def __init__(self, programs: pathlib.Path, world: pathlib.Path) -> None:
        self.programs, self.world = programs, world
        self.env = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(world.parent),
            "IOPKT_WORLD": str(world),
            "SOCK": "/elsewhere",
        }
        self.root = world / "boxes" / "BoxA" / "root"

    def start(self, *argv: str, **kw) -> subprocess.Popen:
        kw.setdefault("env", self.env)
        return subprocess.Popen(
            argv,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **kw,
        )

    def __call__(self, *argv: str, **kw) -> tuple[int, str, str]:
        text = kw.pop("text", "")
        with self.start(*argv, **kw) as process:
            out, err = process.communicate(text, timeout=60)
        return process.returncode, out, err


@pytest.fixture
def sh(programs, tmp_path):
    shell = Shell(programs, tmp_path / "a world")
    yield shell
    shell("box", "kill", "BoxA")


def test_boxes_are_added_listed_and_removed(sh):
    assert sh("box", "add", "BoxB", "--nic", "i82544", "--nic", "e1000:lan1,irq=11") == (0, "", "")
    status, out, err = sh("box", "list")
    assert (status, err) == (0, "")
    head, _rule, first, second = out.splitlines()
    assert head.split() == ["name", "nics", "stacks", "pid"]
    assert first.split() == ["BoxA", "*:lan0", "-", "-"]
    assert second.split() == ["BoxB", "i82544:lan0", "e1000:lan1", "-", "-"]
    assert sh("box", "add", "BoxB")[::2] == (1, "box: BoxB: there is such a box already\n")
    assert sh("box", "remove", "BoxB") == (0, "", "")
    assert sh("box", "remove", "BoxB")[::2] == (1, "box: BoxB: no such box\n")


@pytest.mark.parametrize(
    ("argv", "status", "text"),
    [
        (("add", "a/b"), 1, "not a name for a box"),
        (("add", "BoxB", "--nic", "e1000,irq=x"), 1, "irq=x: not a number"),
        (("add", "BoxB", "--nic", "e1000,colour=red"), 1, "colour=red: no such setting"),
        (("add",), 2, "Missing argument 'NAME'"),
        (("frobnicate",), 2, "No such command 'frobnicate'"),
        (("run", "BoxA"), 2, "Missing argument 'COMMAND...'"),
        (("list", "--colour"), 2, "No such option"),
        (("kill", "BoxQ"), 1, "BoxQ: no such box"),
        ((), 2, "Usage: box"),
    ],
)
def test_wrong_usage_is_told_without_a_traceback(sh, argv, status, text):
    got, _out, err = sh("box", *argv)
    assert got == status
    assert text in err
    assert "Traceback" not in err


def test_help_goes_to_standard_output(sh):
    status, out, _err = sh("box", "--help")
    assert status == 0
    for verb in ("add", "list", "env", "run", "shell", "kill", "remove"):
        assert f"  {verb} " in out


def test_a_corrupt_box_json_is_told_and_the_others_are_listed(sh):
    sh("box", "add", "BoxB")
    (sh.world / "boxes" / "BoxB" / "box.json").write_text("{")
    status, out, err = sh("box", "list")
    assert status == 1
    assert "BoxA" in out
    assert "BoxB    ?  " in out
    assert err.startswith(f"box: {sh.world}/boxes/BoxB/box.json: not JSON")
    assert sh("pci", env=sh.env | {"IOPKT_BOX": "BoxB"})[0] == 1


def test_env_puts_a_shell_on_another_box(sh):
    status, out, _err = sh(
        "sh", "-c", 'eval "$(box env BoxB)"; echo "$IOPKT_BOX:$IOPKT_WORLD:${SOCK-none}:$PATH"'
    )
    assert status == 0
    assert out == f"BoxB:{sh.world}:none:{sh.programs}:/usr/bin:/bin\n"


@needs_view
def test_a_command_sees_the_boxs_files_at_their_real_paths(sh):
    script = """
    echo "10.0.0.9 nine" > /etc/hosts; echo t > /tmp/t; echo v > /var/run/v; ls /lib/dll
    echo gone > /dev/null; awk 'BEGIN { print "awk runs" }'
    echo "$IOPKT_BOX $IOPKT_VIEW $LD_LIBRARY_PATH ${SOCK-unset}"; command -v waitfor; pwd
    """
    status, out, err = sh("box", "run", "BoxA", "--", "sh", "-c", script, cwd="/usr")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert "devnp-i82544.so" in lines
    assert lines[-4:] == ["awk runs", "BoxA ns /lib/dll unset", f"{sh.programs}/waitfor", "/usr"]
    assert (sh.root / "etc/hosts").read_text() == "10.0.0.9 nine\n"
    assert (sh.root / "tmp/t").read_text() == "t\n"
    assert (sh.root / "var/run/v").read_text() == "v\n"
    assert not os.path.exists("/lib/dll")


@needs_view
def test_streams_and_exit_status_are_the_commands(sh):
    status, out, err = sh(
        "box", "run", "BoxA", "--", "sh", "-c", "cat; echo err >&2; exit 7", text="typed"
    )
    assert (status, out, err) == (7, "typed", "err\n")
    assert sh("box", "run", "BoxA", "true")[0] == 0
    assert sh("box", "run", "BoxA", "no-such-program") == (
        127,
        "",
        "box: no-such-program: No such file or directory\n",
    )
    assert sh("box", "run", "BoxA", "/usr")[0] == 126


@needs_view
def test_a_shell_is_the_users_with_the_arguments_given(sh):
    env = sh.env | {"SHELL": "/bin/sh"}
    assert sh("box", "shell", "BoxA", text="ls -d /net; exit 3\n", env=env) == (3, "/net\n", "")
    assert sh("box", "shell", "BoxA", "-c", "echo $0 $1", "x", "y", env=env) == (0, "x y\n", "")


@needs_view
def test_signals_reach_the_command(sh):
    with sh.start(
        "box",
        "run",
        "BoxA",
        "--",
        "sh",
        "-c",
        "trap 'echo caught; exit 9' TERM; echo ready; while :; do read x; done",
    ) as one:
        assert one.stdout.readline() == "ready\n"
        one.send_signal(signal.SIGTERM)
        one.stdin.write("\n")
        one.stdin.flush()
        assert one.stdout.readline() == "caught\n"
        assert one.wait(timeout=30) == 9


@needs_view
def test_sockets_in_dev_are_live_both_ways(sh):
    """A program inside finds what listens outside, and the other way round."""
    sh("box", "run", "BoxA", "true")
    inside = (
        "import socket,sys; s = socket.socket(socket.AF_UNIX); s.bind('/dev/inner'); "
        "s.listen(); print('up', flush=True); s.accept()[0].send(b'hello')"
    )
    with sh.start("box", "run", "BoxA", "--", sys.executable, "-c", inside) as server:
        assert server.stdout.readline() == "up\n"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self_link(sh.root / "dev", "inner")))
            assert client.recv(9) == b"hello"
        assert server.wait(timeout=30) == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outer:
        outer.bind(str(self_link(sh.root / "dev", "outer")))
        send = (
            "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
            ".sendto(b'hi', '/dev/outer')"
        )
        assert sh("box", "run", "BoxA", sys.executable, "-c", send)[0] == 0
        assert outer.recv(9) == b"hi"


def self_link(directory: pathlib.Path, name: str) -> pathlib.Path:
    """A short way to a long path, as sockets need one."""
    link = pathlib.Path(f"/tmp/t{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(directory)
    return link / name


@pytest.fixture(autouse=True)
def _no_link_left():
    yield
    pathlib.Path(f"/tmp/t{os.getpid()}").unlink(missing_ok=True)


@needs_view
def test_a_view_inside_a_view(sh):
    status, out, err = sh(
        "box",
        "run",
        "BoxA",
        "--",
        "box",
        "run",
        "BoxB",
        "--",
        "sh",
        "-c",
        "echo $IOPKT_BOX > /etc/me; ls /dev/null; box run BoxB cat /etc/me",
    )
    assert (status, out, err) == (0, "/dev/null\nBoxB\n", "")
    assert (sh.world / "boxes/BoxB/root/etc/me").read_text() == "BoxB\n"
    assert not (sh.root / "etc/me").exists()


@needs_view
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_has_the_view_too():
    python = "/usr/bin/python3"
    if not os.access(python, os.X_OK):
        pytest.skip("no python that everybody may run")
    user = 65534
    if any(not p.stat().st_mode & 1 for p in (*REPO.parents, REPO)):
        pytest.skip("the sources are closed to others")
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are root's alone
        os.chown(name, user, user)
        ordinary_user(python, user, pathlib.Path(name))


def ordinary_user(python, user, home):
    code = (
        f"import sys; sys.path.insert(0, {str(REPO)!r}); import os\n"
        "from libnet.lab import view, world\n"
        "from libnet.libsocket.box import BoxPaths\n"
        f"p = BoxPaths({str(home / 'w')!r}, 'BoxA'); world.ensure_box(p)\n"
        "b = view.plan(p, [p.world, sys.path[0]]); view.enter(p, b)\n"
        "open('/etc/hosts', 'w').write('mine'); open('/dev/null', 'w').write('x')\n"
        "print(os.getuid(), os.path.exists('/lib/dll/devnp-i82544.so'))\n"
    )
    done = subprocess.run(
        [python, "-c", code],
        user=user,
        group=user,
        extra_groups=[],
        text=True,
        capture_output=True,
        env={"HOME": str(home)},
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{user} True\n", "")
    assert (home / "w/boxes/BoxA/root/etc/hosts").read_text() == "mine"


@needs_view
def test_bwrap_shows_the_same_view_and_passes_signals(sh):
    bwrap = view.find_bwrap()
    if bwrap is None:
        pytest.skip("no bwrap here")
    sh("box", "add", "BoxA")
    code = (
        f"import sys; sys.path.insert(0, {str(REPO)!r}); import os\n"
        "from libnet.lab import view, world\n"
        "from libnet.libsocket.box import BoxPaths\n"
        f"p = BoxPaths({str(sh.world)!r}, 'BoxA')\n"
        "b = view.plan(p, [p.world, sys.prefix, sys.path[0]])\n"
        "a = view.bwrap_argv(p, b, '/')\n"
        f"c = ['sh', '-c', 'ls /lib/dll; trap \"exit 5\" TERM; echo up; read x; read x']\n"
        f"sys.exit(view.supervise({bwrap!r}, a, c, dict(os.environ)))\n"
    )
    with sh.start(sys.executable, "-c", code) as process:
        lines = []
        while not lines or lines[-1] not in ("up\n", ""):
            lines.append(process.stdout.readline())
        assert "devnp-i82544.so\n" in lines
        process.send_signal(signal.SIGTERM)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(timeout=30) == 5


@needs_view
def test_without_namespaces_it_says_so_once_and_the_tools_map(sh, programs):
    """The kernel's refusal is played by a program that has used up what it may make."""
    code = (
        f"import sys; sys.path.insert(0, {str(REPO)!r})\n"
        "from libnet.lab import view\n"
        "view.possible = lambda: False; view.find_bwrap = lambda: None\n"
        "from cmds.box import main\n"
        f"sys.argv = [{str(programs / 'box')!r}, *sys.argv[1:]]\n"
        "sys.exit(main())\n"
    )
    run = (sys.executable, "-c", code, "run", "BoxA", "--")
    status, out, err = sh(*run, "sh", "-c", 'echo "${IOPKT_VIEW-none}"; waitfor /etc/services')
    assert (status, out) == (0, "map\n")
    assert err.count("\n") == 1
    assert str(sh.root) in err
    assert sh(*run, "waitfor", "/lib/dll/devnp-i82544.so", "0") == (0, "", "")


def test_slogger_comes_up_is_alone_and_goes_at_sigterm(sh):
    assert sh("slogger") == (0, "", "")
    assert sh("waitfor", "/dev/slog") == (0, "", "")
    assert sh("slogger") == (1, "", "slogger: /dev/slog: slogger is already running\n")
    (pid,) = slogger_pids(sh)
    os.kill(pid, signal.SIGTERM)
    wait_gone(pid)
    assert not (sh.root / "dev/slog").exists()


def slogger_pids(sh):
    _status, out, _err = sh("pidin", "-p", "slogger", "-F", "%a")
    return [int(line) for line in out.splitlines()[1:]]


def wait_gone(pid):
    """Wait for a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(fd):
        assert select.select([fd], [], [], 30)[0]


def test_power_cut_leaves_the_files_and_the_next_start_works(sh):
    sh("slogger")
    FileRing(str(sh.world / "boxes/BoxA/slog")).append([])
    (pid,) = slogger_pids(sh)
    assert sh("box", "remove", "BoxA")[0] == 1
    assert sh("box", "kill", "BoxA") == (0, "", "")
    wait_gone(pid)
    assert (sh.root / "dev/slog").exists()
    assert sh("waitfor", "/dev/slog", "0.1")[0] == 1
    assert sh("slogger") == (0, "", "")
    assert sh("waitfor", "/dev/slog", "0")[0] == 0
    assert sh("box", "remove", "-f", "BoxA")[0] == 0
    assert not sh.root.exists()


@needs_view
def test_kill_ends_what_runs_in_the_box_and_nothing_else(sh):
    with (
        sh.start("box", "run", "BoxA", "--", "sh", "-c", "echo up; read x") as one,
        sh.start("box", "run", "BoxB", "--", "sh", "-c", "echo up; read x; exit 4") as other,
    ):
        assert one.stdout.readline() == other.stdout.readline() == "up\n"
        assert sh("box", "kill", "BoxA") == (0, "", "")
        assert one.wait(timeout=30) == -signal.SIGKILL
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait(timeout=30) == 4


def test_slogger_copies_to_two_files_in_turn(sh):
    sh("box", "add", "BoxA")
    assert sh("slogger", "-v", "-f", "4", "-s", "64", "-l", "/var/log/log,1")[2].count("\n") == 2
    path = str(sh.world / "boxes/BoxA/slog")
    assert os.path.getsize(path) > 65536
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(self_link(sh.root / "dev", "slog")))
        for i in range(30):
            client.send(f"<4,10,1>line {i} {'x' * 40}".encode())
            client.send(b"<6,10,1>too fine")
    (pid,) = slogger_pids(sh)
    # It ends only after it has taken what was sent: ask until it is in the ring.
    for _ in range(3000):
        if FileRing(path).last() >= 60:
            break
        sh("waitfor", "/never", "0.1", "10")
    os.kill(pid, signal.SIGTERM)
    wait_gone(pid)
    texts = []
    for name in ("/var/log/log0", "/var/log/log1"):
        assert 0 < (sh.root / name[1:]).stat().st_size <= 1024
        texts += [line.split()[7] for line in sh("sloginfo", name)[1].splitlines()[1:]]
    assert "29" in texts
    assert "fine" not in texts


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("-u", "7"), "slogger: -u: trace events need an instrumented kernel"),
        (("-U", "no such user"), "slogger: -U no such user: no such user"),
        (("-s", "x"), "slogger: -s x: not a number"),
        (("-s", "0"), "slogger: -s 0: too small"),
        (("-f", "8"), "slogger: -f 8: not a number from 0 to 7"),
        (("-l", ",5"), "slogger: -l ,5: no file"),
        (("-l", "/no/such/dir/file"), "slogger: /no/such/dir/file: No such file or directory"),
        (("-z",), "slogger: unknown option -- z\nusage: slogger [-cm]"),
    ],
)
def test_slogger_refuses_what_it_cannot_do(sh, argv, text):
    status, _out, err = sh("slogger", *argv)
    assert status == 1
    assert err.startswith(text)
    assert not (sh.root / "dev/slog").exists()


def test_a_world_with_a_very_long_path(programs, tmp_path):
    """Unix socket addresses hold 107 octets; worlds may lie deeper."""
    sh = Shell(programs, tmp_path / ("long" * 30) / "a world")
    try:
        assert sh("slogger") == (0, "", "")
        assert sh("slogger")[0] == 1
        assert sh("waitfor", "/dev/slog") == (0, "", "")
        if view.possible():
            assert sh("box", "run", "BoxA", "waitfor", "/dev/slog", "0") == (0, "", "")
    finally:
        assert sh("box", "kill", "BoxA") == (0, "", "")


@needs_view
def test_pidin_and_mount_inside_a_box(sh):
    status, out, err = sh(
        "box",
        "run",
        "BoxA",
        "--",
        "sh",
        "-c",
        "slogger & wait; pidin arg; mount; mount -Tio-pkt x; hostname; pci",
    )
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "     pid Arguments"
    assert any(line.endswith(" slogger") for line in lines)
    assert any(line.endswith(" pidin arg") for line in lines)
    assert f"{sh.root} on / type box " in lines
    assert "BoxA" in lines
    assert "PCI index      = 0h" in lines
    assert err == ("mount: Can't mount x (type io-pkt)\nmount: Possible reason: No such device \n")


def test_mount_and_hostname_step_aside_for_the_hosts_own(sh):
    plain = {"PATH": sh.env["PATH"], "HOME": sh.env["HOME"]}
    assert sh("hostname", env=plain)[1].strip() == os.uname().nodename
    status, out, _err = sh("mount", env=plain)
    assert status == 0
    assert " on /proc type proc" in out
    assert " on /proc type proc" in sh("mount", "-t", "proc")[1]
    status, _out, err = sh("umount", "/no/such/mount", env=plain)
    assert status != 0
    assert "/no/such/mount" in err


def test_notes_of_run_processes_do_not_pile_up(sh):
    run = sh.world / "boxes/BoxA/run"
    sh("box", "add", "BoxA")
    for number in range(100):
        (run / f"p{2**22 + number}").write_text("")
    (run / "stack-1.json").write_text(json.dumps({"pid": 2**22 + 5}))
    sh("box", "run", "BoxA", "true")
    assert len([name for name in os.listdir(run) if name[0] == "p"]) == 1
