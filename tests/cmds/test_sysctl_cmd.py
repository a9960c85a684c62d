"""sysctl against a real tree through the RPC codec: every option, form and message."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.sysctl import join_words, main, parse_file, parse_number
from libnet.clock import Clock
from libnet.engine.kern.base import StackBase
from libnet.engine.kern.socket import Cred
from libnet.engine.kern.sysctl import SysctlTree, kern_nodes, tcp_nodes
from libnet.errors import NetError
from libnet.ioctl.sysctl import CTL_QUERY, PcbInfo
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport


class Dice:
    def getrandbits(self, k):
        return 0

    def random(self):
        return 0.0


class Vars:
    forwarding = 0
    directed = 0
    loop_ip = loop_udp = 0
    maxflows = 256
    debug = 0
    big = 1 << 40
    secret = 5


class Machine:
    """A stack with a sysctl tree, and what the program printed."""

    def __init__(self, root, *, suser=True, up=True, stats=True):
        stack = StackBase(Clock(0.0, 86400.5), Dice(), hostname="a")
        tree = self.tree = SysctlTree()
        v = self.vars = Vars()
        kern_nodes(stack, tree)
        tcp_nodes(tree)
        ip = "net.inet.ip."
        tree.int_node("net.inet.udp.do_loopback_cksum", 4, v, "loop_udp", lo=0, hi=1)
        tree.int_node(ip + "do_loopback_cksum", 23, v, "loop_ip", lo=0, hi=1)
        tree.int_node(ip + "forwarding", 1, v, "forwarding", lo=0, hi=1, desc="Forward IPv4")
        tree.int_node(ip + "directed-broadcast", 6, v, "directed")
        tree.int_node(ip + "maxflows", 13, v, "maxflows", lo=0)
        tree.int_node("net.link.ieee80211.vap0.debug", None, v, "debug", hex=True)
        tree.int_node("net.link.hush", None, v, "secret", hidden=True)
        tree.quad_node("net.bpf.big", None, v, "big", ro=False, desc="A quad")
        if stats:
            tree.struct_node(ip + "stats", 24, lambda: {"total": 258, "badsum": 1})
            tree.struct_node("net.inet.udp.pcblist", None, lambda: [PcbInfo("udp", lport=68)])
        tree.struct_node("net.odd", None, lambda: b"0123456789abcdefXY")
        tree.node("net.key")
        self.cred = Cred(suser=suser)
        self.up = up
        self.box = BoxPaths(str(root), "A")
        self.calls = []

    def serve(self, op, args):
        if op == "close":
            return None
        assert op == "sysctl"
        self.calls.append(args)
        return self.tree.call(args[0], args[1], self.cred)

    def connect(self, prefix):
        if not self.up:
            raise NetError("EAFNOSUPPORT")
        return LocalTransport(self.serve, codec=True)

    def sh(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            "sysctl",
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ={},
            host=None,
            box=self.box,
            connect=self.connect,
        )
        status = main(list(argv), ctx)
        return status, out.getvalue(), err.getvalue()


@pytest.fixture
def a(tmp_path):
    return Machine(tmp_path)


FWD = "net.inet.ip.forwarding"


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        ([FWD], f"{FWD} = 0\n"),
        (["-e", FWD], f"{FWD}=0\n"),
        (["-n", FWD], "0\n"),
        (["-x", FWD], f"{FWD} = 0x00000000\n"),
        (["-nx", "net.bpf.big"], "0x0000010000000000\n"),
        (["net/inet/ip/forwarding"], "net/inet/ip/forwarding = 0\n"),
        (["4.2.0.1"], f"{FWD} = 0\n"),
        ([FWD, "kern.ostype"], f"{FWD} = 0\nkern.ostype = QNX\n"),
        (["kern.mbuf"], None),
        (["-d", FWD], f"{FWD}: Forward IPv4\n"),
        (["-dn", FWD], "Forward IPv4\n"),
        (["-d", "net.inet.ip.maxflows"], "net.inet.ip.maxflows: (no description)\n"),
        (["//describe=net.inet.ip.forwarding"], f"{FWD}: Forward IPv4\n"),
        (["-d", "net.inet.ip"], f"{FWD}: Forward IPv4\n"),
        (["kern.clockrate"], "kern.clockrate: tick = 10000, tickadj = 0, hz = 100, "
                             "profhz = 100, stathz = 100\n"),
        (["-n", "kern.boottime"], "86400\n"),
        (["-nn", "kern.boottime"], "86400.500000\n"),
        (["-x", "kern.ostype"], "kern.ostype = 514e5800\n"),
        (["-w", f"{FWD}=1"], f"{FWD}: 0 -> 1\n"),
        (["-w", FWD, "=", "1"], f"{FWD}: 0 -> 1\n"),
        (["-w", f"{FWD}=", "1"], f"{FWD}: 0 -> 1\n"),
        (["-w", FWD, "=1"], f"{FWD}: 0 -> 1\n"),
        (["-nw", f"{FWD}=1"], "0 -> 1\n"),
        (["-qw", f"{FWD}=1"], ""),
        (["-ew", f"{FWD}=0x1"], f"{FWD}: 0 -> 1\n"),
        (["-w", f"{FWD}=1", "kern.hostname=b"], f"{FWD}: 0 -> 1\nkern.hostname: a -> b\n"),
        (["-w", "kern.hostname="], "kern.hostname: a -> \n"),
        (
            ["-w", "net.link.ieee80211.vap0.debug=0xffffffff"],
            "net.link.ieee80211.vap0.debug: 0 -> 0xffffffff\n",
        ),
        (["-w", "net.bpf.big=010"], "net.bpf.big: 1099511627776 -> 8\n"),
        (["-w", "net.inet.ip.directed-broadcast=-1"],
         "net.inet.ip.directed-broadcast: 0 -> -1\n"),
        (["-x", "net.odd"], "net.odd = 30313233343536373839616263646566...(2 more bytes)\n"),
        (
            ["-x", "net.inet.ip.stats"],  # badsum, then total
            "net.inet.ip.stats = 01000000000000000201000000000000\n",
        ),
        (["-r", FWD], "\0\0\0\0"),
        (["-rw", f"{FWD}=1"], "\1\0\0\0"),
        (["-r", "kern.ostype"], "QNX\0"),
        (["-n", "kern.version"], "iopkt 0.1.0\n"),
    ],
)  # fmt: skip
def test_what_is_printed(a, argv, out):
    status, got, err = a.sh(*argv)
    assert (status, err) == (0, "")
    if out is None:
        assert got.splitlines()[0] == "kern.mbuf.msize = 256"
    else:
        assert got == out


def test_a_set_changes_the_stack(a):
    a.sh("-w", f"{FWD}=1")
    assert a.vars.forwarding == 1
    assert a.sh(FWD)[1] == f"{FWD} = 1\n"


def test_the_hex_dump(a):
    assert a.sh("-xx", "net.odd")[1] == (
        "net.odd = \n"
        "0000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  | 0123456789abcdef |\n"
        "0000016  58 59                                            | XY               |\n"
        "0000018 bytes\n"
    )


def test_all_walks_each_level_by_number_and_skips_structures(a):
    status, out, err = a.sh("-a")
    names = [line.partition(" ")[0].rstrip(":") for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [n for n in names if n.endswith("do_loopback_cksum")] == [
        "net.inet.ip.do_loopback_cksum",
        "net.inet.tcp.do_loopback_cksum",
        "net.inet.udp.do_loopback_cksum",
    ]
    assert names[0] == "kern.ostype"
    assert names.index("net.inet.ip.forwarding") < names.index("net.inet.ip.directed-broadcast")
    assert "net.inet.ip.stats" not in names
    assert "net.link.hush" not in names
    assert "kern.mbuf.stats" not in names


def test_all_with_hints_names_the_program_that_shows_a_structure(a):
    status, out, err = a.sh("-A")
    assert status == 0
    assert "sysctl: net.inet.ip.stats: use 'netstat' to view this information\n" in err
    assert (
        "sysctl: net.inet.udp.pcblist: use 'netstat' or 'sockstat' to view this information\n"
        in err
    )
    assert "sysctl: net.odd: this type is unknown to this program\n" in err
    assert "sysctl: net.key: use 'netstat' to view this information\n" in err
    assert "net.link.hush = 5\n" in out


def test_a_structure_by_name_gives_the_hint(a):
    assert a.sh("net.inet.ip.stats") == (
        0,
        "",
        "sysctl: net.inet.ip.stats: use 'netstat' to view this information\n",
    )


def test_descriptions_of_all(a):
    out = a.sh("-ad")[1]
    assert f"{FWD}: Forward IPv4\n" in out
    assert "maxflows" not in out
    out = a.sh("-Ad")[1]
    assert "net.inet.ip.maxflows: (no description)\n" in out
    assert "net.inet: IPv4 and what runs over it\n" in out


def test_the_tree(a):
    out = a.sh("-M")[1]
    assert (
        "net.inet.ip.forwarding (4.2.0.1): CTLTYPE_INT, size 4, flags 0x270<READWRITE,PERM" in out
    )
    assert "kern.ostype (1.1): CTLTYPE_STRING, size 256, flags 0x200<READONLY,PERMANENT>\n" in out
    assert "net.inet (4.2): CTLTYPE_NODE, children 3/3, size 0, flags 0x200<" in out
    assert " = " not in out
    assert a.sh("-Mn")[1].startswith("1: CTLTYPE_NODE, children ")


@pytest.mark.parametrize(
    ("argv", "err"),
    [
        ([f"{FWD}=1"], "Must specify -w to set variables"),
        ([FWD, "=", "1"], "Must specify -w to set variables"),
        (["nat.inet"], "top level name 'nat' in 'nat.inet' is invalid"),
        (["net.x.y"], "second level name 'x' in 'net.x.y' is invalid"),
        (["net.inet.zz"], "third level name 'zz' in 'net.inet.zz' is invalid"),
        (["net.inet.ip.q"], "fourth level name 'q' in 'net.inet.ip.q' is invalid"),
        ([f"{FWD}.x"], f"fifth level name 'x' in '{FWD}.x' is invalid"),
        (["-w", "net.x=1"], "second level name 'x' in 'net.x' is invalid"),
        (["-w", f"{FWD}=on"], "on: not a number"),
        (["-w", f"{FWD}="], ": not a number"),
        (["-w", f"{FWD}=08"], "08: not a number"),
        (["-w", f"{FWD}=4294967296"], "4294967296: Result too large"),
        (["-w", "net.bpf.big=" + "9" * 30], "9" * 30 + ": Result too large"),
        (["-w", f"{FWD}=2"], f"{FWD}: sysctl() failed with Invalid argument"),
        (["-w", "kern.ostype=BSD"],
         "kern.ostype: sysctl() failed with Operation not permitted"),
        (["-w", "kern.hostname=" + "h" * 256], "h" * 256 + ": string too long"),
        (["-w", "//create=net.x,type=int,value=1"],
         "net.x: CTL_CREATE failed: Operation not supported"),
        (["-w", "//destroy=net.inet"], "net.inet: CTL_DESTROY failed: Operation not supported"),
        (["-w", f"//describe={FWD}=x"],
         f"{FWD}: CTL_DESCRIBE failed: Operation not permitted"),
        (["//create=net.x"], "Must specify -w to create nodes"),
        (["//destroy=net"], "Must specify -w to destroy nodes"),
        (["-f", "/etc/none"], "/etc/none: No such file or directory"),
    ],
)  # fmt: skip
def test_errors(a, argv, err):
    assert a.sh(*argv) == (1, "", f"sysctl: {err}\n")


def test_an_unparsable_request_is_only_told(a):
    assert a.sh("//frob=1") == (0, "", "sysctl: unable to parse '//frob=1'\n")


@pytest.mark.parametrize(
    "argv", [[], ["-q", FWD], ["-rx", FWD], ["-Z"], ["-f"], ["-w"], ["--help"]]
)
def test_wrong_use_prints_the_usage(a, argv):
    status, out, err = a.sh(*argv)
    assert (status, out) == (1, "")
    assert "usage:\tsysctl [-dne] [-x[x]|-r] variable ...\n\tsysctl [-ne] [-q] -w" in err


def test_only_the_superuser_may_set(tmp_path):
    user = Machine(tmp_path, suser=False)
    assert user.sh(FWD)[1] == f"{FWD} = 0\n"
    assert user.sh("-w", f"{FWD}=1") == (
        1,
        "",
        f"sysctl: {FWD}: sysctl() failed with Operation not permitted\n",
    )


def test_without_a_stack(tmp_path):
    assert Machine(tmp_path, up=False).sh("-a") == (
        1,
        "",
        "sysctl: socket: Address family not supported by protocol family\n",
    )


def test_a_file_goes_on_after_an_error(a, tmp_path):
    etc = tmp_path / "boxes/A/root/etc"
    etc.mkdir(parents=True)
    (etc / "sysctl.conf").write_text(
        "# settings\n\n"
        "net.inet.ip.forwarding = 1\n"
        "net.inet.bogus=2   # no such node\n"
        "kern.hostname=\\\nrouter\n"
        "net.inet.ip.maxflows\n"
    )
    assert a.sh("-f", "/etc/sysctl.conf") == (
        0,
        f"{FWD}: 0 -> 1\nkern.hostname: a -> router\nnet.inet.ip.maxflows = 256\n",
        "sysctl: /etc/sysctl.conf#4: third level name 'bogus' in 'net.inet.bogus' is invalid\n",
    )
    assert a.sh("-q", "-f", "/etc/sysctl.conf")[1] == ""


def test_a_node_that_vanishes_is_not_available(a):
    real = a.serve
    a.serve = lambda op, args: (
        real(op, args) if args and args[0][-1] == CTL_QUERY else real(op, [[4, 9, 9], None])
    )
    assert a.sh(FWD) == (0, "", f"sysctl: {FWD}: the value is not available\n")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a=1\n", [(1, "a=1")]),
        ("a=\\\n1\nb", [(2, "a=1"), (3, "b")]),
        ("  # x\n", []),
        ("a=1 # x", [(1, "a=1 ")]),
        ("a=\\#1", [(1, "a=\\#1")]),
        ("a=1\\\\\nb", [(1, "a=1\\\\"), (2, "b")]),
        ("a\\", [(1, "a")]),
        ("a=1\r\n", [(1, "a=1")]),
    ],
)
def test_the_lines_of_a_file(text, want):
    assert parse_file(text) == want


@given(st.text(alphabet="a=#\\\n \r.1", max_size=40) | st.text(max_size=40))
def test_any_file_has_statements_with_growing_numbers(text):
    got = parse_file(text)
    assert all(statement.strip() and "\n" not in statement for _, statement in got)
    assert [number for number, _ in got] == sorted({number for number, _ in got})


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_numbers_read_back(number):
    assert parse_number(str(number)) == number % (1 << 64)
    assert parse_number(f"{number:#x}") == number % (1 << 64)


@given(st.text(max_size=12) | st.text(alphabet="0123456789abcdefxX+- ", max_size=90))
def test_any_text_is_a_number_or_a_value_or_overflow_error(text):
    try:
        assert 0 <= parse_number(text) < 1 << 64
    except (ValueError, OverflowError):
        return


@given(st.lists(st.text(alphabet="ab=", max_size=4), max_size=6))
def test_joining_loses_no_character(words):
    joined = join_words(words)
    assert "".join(joined) == "".join(words)
    assert join_words([w for w in words if "=" not in w]) == [w for w in words if "=" not in w]


_WORD = st.text(alphabet="knet./=-w0123456789xip", max_size=12) | st.text(max_size=8)


@given(
    st.lists(_WORD | st.sampled_from(["-a", "-A", "-M", "-d", FWD, f"{FWD}=1", "-w"]), max_size=4)
)
def test_any_words_end_in_a_status(tmp_path_factory, words):
    machine = Machine(tmp_path_factory.getbasetemp())
    status, _out, err = machine.sh(*words)
    assert status in (0, 1)
    assert status == 0 or err
