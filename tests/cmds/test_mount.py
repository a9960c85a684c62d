"""mount, umount and pci against a stack that notes what it is asked."""

from __future__ import annotations

import io
import json
import os

import pytest

from cmds.mount import main as mount_main
from cmds.pci import main as pci_main
from cmds.umount import main as umount_main
from libnet.errors import NetError
from libnet.lab.world import Hardware, World, ensure_box
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport


class Stack:
    """Answers, or raises, what the test says; notes calls as (prefix, operation, arguments)."""

    def __init__(self, answers=None):
        self.calls = []
        self.answers = answers or {}

    def connect(self, prefix):
        if prefix == "/gone":
            raise NetError("EAFNOSUPPORT")

        def serve(op, args):
            if op == "close":
                return None
            self.calls.append((prefix, op, args))
            answer = self.answers.get(op)
            if isinstance(answer, NetError):
                raise answer
            return answer

        return LocalTransport(serve)


@pytest.fixture
def box(tmp_path):
    paths = World(str(tmp_path)).box("BoxA")
    ensure_box(paths)
    return paths


def run(main, box, stack, *argv, environ=None):
    out, err = io.StringIO(), io.StringIO()
    ctx = Ctx(
        main.name,
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        environ=environ or {},
        box=box,
        host=None,
        connect=stack.connect,
    )
    return main(list(argv), ctx), out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("argv", "call"),
    [
        (("-Tio-pkt", "/lib/dll/devnp-i82544.so"), ["io-pkt", "", "/lib/dll/devnp-i82544.so"]),
        (("-Tio-net", "devnp-x.so"), ["io-net", "", "devnp-x.so"]),
        (("-Ttcpip", "lsm-pfv4.so"), ["tcpip", "", "lsm-pfv4.so"]),
        (("-t", "io-pkt", "x.so"), ["io-pkt", "", "x.so"]),
        (
            ("-T", "io-pkt", "-o", "speed=100,duplex=1", "-omac=020000000001", "x.so"),
            ["io-pkt", "speed=100,duplex=1,mac=020000000001", "x.so"],
        ),
        (("-rwT", "io-pkt", "x.so", "/net"), ["io-pkt", "", "x.so"]),
        (("-T", "io-pkt", "./x.so"), ["io-pkt", "", os.path.abspath("x.so")]),
    ],
)
def test_what_the_stack_is_asked(box, argv, call):
    stack = Stack()
    assert run(mount_main, box, stack, *argv) == (0, "", "")
    assert stack.calls == [("", "mount", call)]


def test_sock_names_the_stack(box):
    stack = Stack()
    run(mount_main, box, stack, "-Tio-pkt", "x.so", environ={"SOCK": "/alt"})
    assert stack.calls[0][0] == "/alt"


def test_a_number_names_the_stack_started_with_it(box):
    with open(os.path.join(box.run, "stack-1.json"), "w", encoding="ascii") as file:
        json.dump({"pid": os.getpid(), "prefix": "/two", "instance": 2, "argv": []}, file)
    stack = Stack()
    assert run(mount_main, box, stack, "-Tio-pkt2", "x.so")[0] == 0
    assert stack.calls == [("/two", "mount", ["io-pkt2", "", "x.so"])]
    assert run(mount_main, box, stack, "-Tio-pkt3", "x.so") == (
        1,
        "",
        "mount: Can't mount x.so (type io-pkt3)\nmount: Possible reason: No such device \n",
    )


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        ("ENOENT", "No such file or directory"),
        ("ELIBACC", "Can't access shared library"),
        ("EALREADY", "Operation already in progress"),
    ],
)
def test_a_refusal_has_two_lines_and_a_trailing_blank(box, symbol, text):
    status, _out, err = run(mount_main, box, Stack({"mount": NetError(symbol)}), "-Tio-pkt", "p.so")
    assert status == 1
    assert err == f"mount: Can't mount p.so (type io-pkt)\nmount: Possible reason: {text} \n"


def test_without_a_stack_there_is_no_such_device(box):
    got = run(mount_main, box, Stack(), "-Tio-pkt", "p.so", environ={"SOCK": "/gone"})
    assert got[2].endswith("Possible reason: No such device \n")


def test_enumerating_and_remounting_are_refused(box):
    for letter in ("-e", "-u"):
        stack = Stack()
        assert "Not supported" in run(mount_main, box, stack, letter, "-Tio-pkt", "p.so")[2]
        assert stack.calls == []


def test_verbose_tells_what_is_asked(box):
    out = run(mount_main, box, Stack(), "-v", "-Tio-pkt", "-ofoo", "p.so")[1]
    assert out == "mount: p.so type io-pkt options foo\n"


def test_usage(box):
    status, _out, err = run(mount_main, box, Stack(), "-Tio-pkt")
    assert status == 1
    assert err.startswith("usage: mount [-abwruv] -t|-T type [-o options] special [mntpoint]\n")
    assert run(mount_main, box, Stack(), "-T")[2].startswith(
        "mount: option requires an argument -- T\n"
    )


def test_fstab_gives_type_and_options(box):
    with open(os.path.join(box.root, "etc/fstab"), "w", encoding="ascii") as file:
        file.write(
            "# hardware\n/dev/hd0 / qnx4 rw\na.so - io-pkt mtu=900 # late\nb.so - tcpip\n\nx\n"
        )
    stack = Stack()
    run(mount_main, box, stack, "-oextra", "a.so")
    run(mount_main, box, stack, "-a")
    run(mount_main, box, stack, "-aTtcpip")
    assert [args for _p, _o, args in stack.calls] == [
        ["io-pkt", "mtu=900,extra", "a.so"],
        ["io-pkt", "mtu=900", "a.so"],
        ["tcpip", "", "b.so"],
        ["tcpip", "", "b.so"],
    ]
    # -b does not look; what is left is the host's business, and this is not a process of its own.
    status, _out, err = run(mount_main, box, stack, "-b", "a.so")
    assert (status, err) == (127, "mount: not for the stack, and the host has no mount to ask\n")


def test_a_bare_mount_in_a_box_lists_its_root(box):
    assert run(mount_main, box, Stack()) == (0, f"{box.root} on / type box \n", "")


def test_umount_asks_the_stack(box):
    stack = Stack()
    assert run(umount_main, box, stack, "-v", "-f", "/dev/io-net/en0", "/dev/io-net/en1") == (
        0,
        "umount: /dev/io-net/en0\numount: /dev/io-net/en1\n",
        "",
    )
    assert [args for _p, _o, args in stack.calls] == [["/dev/io-net/en0"], ["/dev/io-net/en1"]]


def test_umount_errors(box):
    busy = Stack({"umount": NetError("ENOENT")})
    assert run(umount_main, box, busy, "/dev/io-net/en7") == (
        1,
        "",
        "umount: /dev/io-net/en7: No such file or directory\n",
    )
    got = run(umount_main, box, Stack(), "/dev/io-net/en0", environ={"SOCK": "/gone"})
    assert got == (1, "", "umount: /dev/io-net/en0: No such file or directory\n")
    status, _out, err = run(umount_main, box, Stack(), "/dev/io-net/en0", "/mnt")
    assert status == 1
    assert err == "umount: /mnt: not the stack's; name it in a command of its own\n"
    assert run(umount_main, box, Stack())[2].startswith("usage: umount ")


CARDS = [
    {
        "driver": "i82544",
        "vid": 0x8086,
        "did": 0x100E,
        "index": 0,
        "irq": 11,
        "ifname": "wm0",
        "bus": "pci",
        "description": "82540EM",
    },
    {
        "driver": "i82544",
        "vid": 0x8086,
        "did": 0x100E,
        "index": 1,
        "irq": 11,
        "ifname": "wm1",
        "bus": "pci",
        "description": "82540EM",
    },
    {"driver": "tsec", "vid": 0, "did": 0, "index": 0, "irq": 29, "ifname": "tsec0", "bus": "soc"},
]


def test_pci_shows_the_cards_of_the_stack_that_are_on_the_bus(box):
    World(box.world).add_box("BoxA", ["i82544,irq=11", "i82544,irq=11"])
    claims = [Hardware.claim(box, nic, f"wm{nic.index}") for nic in Hardware.load(box)]
    status, out, err = run(pci_main, box, Stack({"pci": CARDS}), "-v")
    assert (status, err) == (0, "")
    assert out.startswith(
        "PCI version   = 2.10\n\nClass          = Network (Ethernet)\n"
        "Vendor ID      = 8086h, Intel Corporation\n"
        "Device ID      = 100eh, 82540EM\nPCI index      = 0h\n"
    )
    assert [(card["Interrupt line"], card["Interface"]) for card in cards(out)] == [
        ("11", "wm0"),
        ("11", "wm1"),
    ]
    for claim in claims:
        claim.close()


def cards(out):
    return [
        {line[:14].strip(): line[17:] for line in part.splitlines()}
        for part in out.split("\n\n")[1:]
    ]


def test_pci_shows_free_cards_too_and_without_a_stack(box):
    World(box.world).add_box("BoxA", ["i82544", "speedo,irq=7", "rtl8169,irq=0xb", "nobody"])
    status, out, err = run(pci_main, box, Stack(), "-v", environ={"SOCK": "/gone"})
    assert (status, err) == (0, "")
    assert [card["Interrupt line"] for card in cards(out)] == ["11", "7", "11", "5"]
    assert [card["Vendor ID"] for card in cards(out)] == [
        "8086h, Intel Corporation",
        "8086h, Intel Corporation",
        "10ech, Realtek Semiconductor",
        "1af4h, Virtual",
    ]
    assert "Interrupt line" not in run(pci_main, box, Stack({"pci": []}))[1]


def test_pci_errors(box):
    assert run(pci_main, box, Stack(), "x")[::2] == (1, "usage: pci [-v]\n")
    with open(os.path.join(box.home, "box.json"), "w", encoding="ascii") as file:
        file.write("{}")
    status, _out, err = run(pci_main, box, Stack({"pci": []}))
    assert status == 1
    assert err == f"pci: {box.home}/box.json: version None, not 1\n"
