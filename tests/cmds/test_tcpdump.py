"""The tcpdump program: options, messages, files read and written, filters, secrets, live captures."""

from __future__ import annotations

import gzip
import io
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmds.tcpdump import USAGE, VERSION, main
from cmds.tcpdump.espsecret import EspError, EspSecrets
from cmds.tcpdump.output import LimitReached, Output, OutputError
from cmds.tcpdump.session import atoi
from libnet.lab.memory import World
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.wire.savefile import Packet, Writer, open_savefile

DATA = pathlib.Path(__file__).parent.parent / "data" / "captures"
RECORDED = json.loads(gzip.decompress((DATA / "printed.json.gz").read_bytes()))
FROM = "reading from file {}, link-type EN10MB (Ethernet), snapshot length 262144\n"


class Still:
    """A host whose time does not go on by itself."""

    dice = None

    def __init__(self):
        self.time = 1_700_000_000.0

    def now(self):
        return self.time

    def wall(self):
        return self.time


class Run:
    """One run of the program on files, without any stack."""

    def __init__(self, *argv, stdin=b"", root=True, host=None, world="/nowhere"):
        out, self.octets = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), b""
        err = io.StringIO()
        ctx = Ctx(
            "tcpdump",
            stdin=io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"),
            stdout=out,
            stderr=err,
            environ={"TZ": "UTC"},
            host=host or Still(),
            box=BoxPaths(world, "A"),
            root=root,
        )
        self.status = main([str(arg) for arg in argv], ctx)
        out.flush()
        self.octets = out.buffer.getvalue()
        self.err = err.getvalue()

    @property
    def out(self):
        return self.octets.decode()

    @property
    def lines(self):
        return self.out.splitlines()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    # Relative names are the host's, whatever the box's own directories are.
    monkeypatch.chdir(tmp_path)
    for name in (
        "arp-icmp",
        "tcp-basic",
        "crafted-nano-big",
        "crafted-tunnels",
        "crafted-radiotap",
    ):
        shutil.copy(DATA / f"{name}.pcap", tmp_path)
    return tmp_path


@pytest.mark.parametrize("variant", sorted(RECORDED["texts"]["arp-icmp"]))
def test_a_recorded_capture_through_the_program(variant, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    words = RECORDED["options"][variant].split()
    run = Run(*words, "-r", "arp-icmp.pcap")
    assert run.lines == RECORDED["texts"]["arp-icmp"][variant].splitlines()
    assert (run.err, run.status) == (FROM.format("arp-icmp.pcap"), 0)


def test_counts_and_filters():
    run = Run("--count", "-r", "arp-icmp.pcap")
    assert (run.out, run.status) == ("34 packets\n", 0)
    assert Run("--count", "-r", "arp-icmp.pcap", "icmp").out == "24 packets\n"
    assert Run("-c", 1, "--count", "-r", "arp-icmp.pcap", "icmp").out == "1 packet\n"
    run = Run("-nn", "-t", "-r", "arp-icmp.pcap", "arp", "and", "ether", "broadcast")
    assert [line.split(",")[0] for line in run.lines] == ["ARP"] * 5
    pathlib.Path("filter").write_text("icmp # or so\n and src 10.77.20.2\n")
    run = Run("-nn", "-t", "-#", "-F", "filter", "-r", "arp-icmp.pcap", "these words do not count")
    assert run.lines[0] == (
        "    1  IP 10.77.20.2 > 10.77.21.2: ICMP echo request, id 8691, seq 1, length 64"
    )
    assert all("> 10.77." in line for line in run.lines)


def test_the_code_of_a_filter():
    run = Run("-d", "icmp")
    assert run.err == "Warning: assuming Ethernet\n"
    assert run.lines[:2] == ["(000) ldh      [12]", "(001) jeq      #0x800           jt 2\tjf 5"]
    assert Run("-dd", "arp").lines[0] == "{ 0x28, 0, 0, 0x0000000c },"
    assert Run("-ddd", "-s", 96, "arp").lines == [
        "4",
        "40 0 0 12",
        "21 0 1 2054",
        "6 0 0 96",
        "6 0 0 0",
    ]
    run = Run("-d", "-y", "ieee802_11", "type", "mgt")
    assert (run.err, run.lines[0]) == ("", "(000) ldb      [0]")
    assert "#262144" in Run("-d", "-r", "arp-icmp.pcap", "arp").out
    plain, small = Run("-O", "-d", "tcp port 80").lines, Run("-d", "tcp port 80").lines
    assert len(plain) > len(small)


def test_nanoseconds():
    lines = Run("-nn", "-ttt", "--nano", "-r", "crafted-nano-big.pcap").lines
    assert [len(line.split()[0]) for line in lines] == [18] * len(lines)
    micro = Run("-nn", "-tt", "--micro", "-r", "crafted-nano-big.pcap").lines
    nano = Run("-nn", "-tt", "--time-stamp-precision", "nano", "-r", "crafted-nano-big.pcap").lines
    for one, two in zip(micro, nano, strict=True):
        assert two.split()[0].startswith(one.split()[0])
    assert Run("--time-stamp-precision", "x").err == "tcpdump: unsupported time stamp precision\n"


def test_several_files():
    pathlib.Path("list").write_text("arp-icmp.pcap\ntcp-basic.pcap\n")
    run = Run("-nn", "-t", "-V", "list")
    want = "".join(RECORDED["texts"][name]["nn-t"] for name in ("arp-icmp", "tcp-basic"))
    assert run.lines[:34] == want.splitlines()[:34]
    assert len(run.lines) == len(want.splitlines())
    assert run.err == FROM.format("arp-icmp.pcap") + FROM.format("tcp-basic.pcap")
    assert Run("--count", "-V", "-", stdin=b"arp-icmp.pcap\n").out == "34 packets\n"
    pathlib.Path("mixed").write_text("arp-icmp.pcap\ncrafted-radiotap.pcap\n")
    run = Run("-nn", "-V", "mixed", "ether[0] >= 0")
    assert "IEEE802_11_RADIO (802.11 plus radiotap header)" in run.err
    run = Run("-nn", "-V", "mixed", "-w", "out")
    assert run.err.endswith("tcpdump: crafted-radiotap.pcap: new dlt does not match original\n")
    assert Run("-V", "nosuch").err == "tcpdump: Unable to open file: No such file or directory\n"
    assert Run("-V", os.devnull).err == f"tcpdump: Nothing in {os.devnull}\n"


def test_standard_input_and_output():
    octets = pathlib.Path("arp-icmp.pcap").read_bytes()
    run = Run("-nn", "-t", "-r", "-", stdin=octets)
    assert run.lines == RECORDED["texts"]["arp-icmp"]["nn-t"].splitlines()
    run = Run("-r", "-", "-w", "-", stdin=octets)
    assert run.octets == octets
    assert run.err == FROM.format("-")


def test_written_files():
    octets = pathlib.Path("arp-icmp.pcap").read_bytes()
    run = Run("-r", "arp-icmp.pcap", "-w", "out")
    assert (run.out, run.status) == ("", 0)
    assert pathlib.Path("out").read_bytes() == octets
    run = Run("-nn", "-t", "--print", "-U", "-r", "arp-icmp.pcap", "-w", "out", "icmp")
    assert len(run.lines) == 24
    assert Run("--count", "-r", "out").out == "24 packets\n"
    Run("--nano", "-r", "crafted-nano-big.pcap", "-w", "nano")
    with open("nano", "rb") as file:
        written = open_savefile(file)
        assert written.nano
        assert not written.swapped
        assert list(written)
    run = Run("-r", "arp-icmp.pcap", "-w", "no/such/place")
    assert run.err == FROM.format("arp-icmp.pcap") + (
        "tcpdump: no/such/place: No such file or directory\n"
    )
    assert run.status == 1


FRAME = Packet(5, 0, 1000, bytes(1000))


def output(host=None, **kw):
    ctx = Ctx(
        "tcpdump", stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO(), environ={},
        host=host or Still(), box=BoxPaths("/nowhere", "A"),
    )  # fmt: skip
    return Output(ctx, kw.pop("name", "out"), 1, snaplen=262144, nano=False, **kw)


def names():
    return sorted(path.name for path in pathlib.Path().glob("out*"))


def test_rotation_by_size():
    done = []
    out = output(size=3000, closed=done.append)
    for _ in range(10):
        out.write(FRAME)
    out.close()
    # A packet goes into the file that is not yet too large.
    assert names() == ["out", "out1", "out2", "out3"]
    assert done == ["out", "out1", "out2"]
    for path in pathlib.Path().glob("out?"):
        path.unlink()
    out = output(size=1000, count=11)
    for _ in range(13):
        out.write(FRAME)
    out.close()
    assert names() == ["out", *[f"out{n:02d}" for n in range(11)]]


def test_rotation_by_time():
    host = Still()
    os.environ["TZ"] = "UTC"
    out = output(host, name="out%H%M%S", seconds=60, count=3)
    assert out.current == "out221320"
    out.write(FRAME)
    host.time += 59
    out.write(FRAME)
    host.time += 1
    out.write(FRAME)
    assert out.current == "out221420"
    host.time += 100
    out.write(FRAME)
    host.time += 60
    with pytest.raises(LimitReached):
        out.write(FRAME)
    assert names() == ["out221320", "out221420", "out221600"]


def test_a_full_disk():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="Can't write to /dev/full: No space left on device"):
        output(name="/dev/full", flush=True)
    out = output(name="/dev/full")
    for _ in range(3):
        out.write(FRAME)
    with pytest.raises(OutputError, match="Unable to write output: No space left on device"):
        out.flush()
    with pytest.raises(OutputError):
        out.close()


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ("-r nosuch", "nosuch: No such file or directory"),
        ("-y FOO", "invalid data link type FOO"),
        ("-c 0 -r x", "invalid packet count 0"),
        ("-c x -r x", "invalid packet count x"),
        ("-B 0", "invalid packet buffer size 0"),
        ("-C 0 -r x", "invalid file size 0"),
        ("-C 1k -r x", "invalid file size 1k"),
        ("-G -1 -r x", "invalid number of seconds -1"),
        ("-W x -r x", "invalid number of output files x"),
        ("-s 262145", "invalid snaplen 262145 (must be >= 0 and <= 262144)"),
        ("-s 09", "invalid snaplen 09 (must be >= 0 and <= 262144)"),
        ("-j foo", "invalid time stamp type foo"),
        ("-Q foo", "unknown capture direction `foo'"),
        ("-T foo", "unknown packet type `foo'"),
        ("-tttttt", "only -t, -tt, -ttt, -tttt and -ttttt are supported"),
        ("-f -r x", "-f can not be used with -V or -r"),
        ("-V x -r x", "-V and -r are mutually exclusive."),
        ("-F nosuch -d", "can't open nosuch: No such file or directory"),
        ("-d -y EN10MB foo bar", "can't parse filter expression: syntax error"),
        ("-d -y EN10MB port 99999", "illegal port number 99999 > 65535"),
        ("-r arp-icmp.pcap -Z nobody-here", "Couldn't find user 'nobody-here'"),
    ],
)
def test_complaints(argv, text):
    run = Run(*argv.split())
    assert run.err.splitlines()[-1] == f"tcpdump: {text}"
    assert run.status == 1
    assert run.out == ""


def test_usage():
    run = Run("-Y")
    assert run.err == "tcpdump: unknown option -- Y\n" + USAGE
    assert run.status == 1
    run = Run("-c")
    assert run.err == "tcpdump: option requires an argument -- c\n" + USAGE
    for option in ("-h", "--help"):
        assert (Run(option).out, Run(option).status) == (USAGE, 0)
    assert Run("--version").out == VERSION


def test_every_option_is_in_the_man_page():
    page = (pathlib.Path(__file__).parents[2] / "man/man8/tcpdump.8").read_text()
    from cmds.tcpdump import run

    for parameter in run.params:
        for name in parameter.opts if parameter.name != "operands" else ():
            assert f"Fl {name[1:]}" in page, name


def test_files_that_go_wrong():
    octets = pathlib.Path("arp-icmp.pcap").read_bytes()

    def read(data):
        run = Run("-nn", "-t", "-r", "-", stdin=data)
        assert run.status == 1
        return run.out.count("\n"), run.err.splitlines()[-1]

    assert read(b"junk" * 9) == (0, "tcpdump: unknown file format")
    assert read(octets[:20]) == (
        0, "tcpdump: truncated dump file; tried to read 24 file header bytes, only got 16"
    )  # fmt: skip
    assert read(octets[:34]) == (
        0, "tcpdump: pcap_loop: truncated dump file; tried to read 16 header bytes, only got 10"
    )  # fmt: skip
    assert read(octets[:24 + 58 + 36]) == (
        1, "tcpdump: pcap_loop: truncated dump file; tried to read 42 captured bytes, only got 20"
    )  # fmt: skip
    large = octets[:24] + struct.pack("<IIII", 1, 1, 300_000, 300_000)
    assert read(large) == (
        0,
        "tcpdump: pcap_loop: invalid packet capture length 300000, bigger than snaplen of 262144",
    )


@settings(max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 60))
def test_a_damaged_file_ends_in_a_message(data, at):
    octets = bytearray((DATA / "arp-icmp.pcap").read_bytes())
    octets[at : at + len(data)] = data
    run = Run("-nn", "-c", 5, "-r", "-", stdin=bytes(octets))
    assert run.status in (0, 1)
    assert run.status == 0 or run.err.splitlines()[-1].startswith("tcpdump: ")


def test_privileges(tmp_path):
    box = tmp_path / "boxes/A/root/etc"
    box.mkdir(parents=True)
    (box / "passwd").write_text("root:x:0:0::/:/bin/sh\nguest:x:9:9::/:/bin/sh\n")
    err = FROM.format("arp-icmp.pcap")
    argv = ("--count", "-r", "arp-icmp.pcap", "-Z")
    assert Run(*argv, "root", world=tmp_path).err == err
    assert Run(*argv, "guest", world=tmp_path).err == err + "dropped privs to guest\n"
    assert Run(*argv, "nobody", world=tmp_path).status == 1
    # Who is not the superuser has nothing to give up.
    assert Run(*argv, "nobody", world=tmp_path, root=False).status == 0


def test_names_of_the_box(tmp_path):
    etc = tmp_path / "boxes/A/root/etc"
    etc.mkdir(parents=True)
    (etc / "hosts").write_text("10.77.20.2 left.example left\n10.77.21.2 right.example\n")
    (etc / "ethers").write_text("02:00:00:20:00:01 port-one\n# remark\nnot an address\n")
    run = Run("-t", "-e", "-c", 1, "-r", "arp-icmp.pcap", "icmp", world=tmp_path)
    assert run.out.endswith(
        "left.example > right.example: ICMP echo request, id 8691, seq 1, length 64\n"
    )
    run = Run(
        "-t", "-N", "-c", 1, "-r", "arp-icmp.pcap", "host", "left", "and", "icmp", world=tmp_path
    )
    assert run.out.startswith("IP left > right: ")
    run = Run("-t", "-e", "-c", 1, "-r", "arp-icmp.pcap", "arp", world=tmp_path)
    assert run.out.startswith("port-one > Broadcast, ")


# -- ESP


class Complaints(list):
    def __call__(self, text):
        self.append(text)


def no_file(name):
    raise FileNotFoundError(2, "No such file or directory")


def secrets(text, read=no_file):
    told = Complaints()
    return EspSecrets(text, read, told), told


def test_which_secret_is_for_a_packet():
    found, told = secrets(
        "0x10@10.0.0.1 3des-cbc-hmac96:abc,17@2001:db8::1 aes128-cbc:0x00112233,blowfish-cbc:x"
    )
    assert told == []
    one, two, any_ = (
        found.find(16, bytes((10, 0, 0, 1))),
        found.find(17, bytes.fromhex("20010db8000000000000000000000001")),
        found.find(16, bytes((10, 0, 0, 2))),
    )
    assert [(sa.ivlen, sa.authlen) for sa in (one, two, any_)] == [(8, 12), (16, 0), (8, 0)]
    found, told = secrets("ikev2 I 0x0011223344556677 0x8899aabbccddeeff sha1:k aes256-cbc:0x00")
    assert told == []
    sa = found.find_ikev2(
        True, bytes.fromhex("0011223344556677"), bytes.fromhex("8899aabbccddeeff")
    )
    assert (sa.ivlen, sa.authlen) == (16, 12)
    assert found.find_ikev2(False, bytes(8), bytes(8)) is None
    assert found.find(1, bytes(4)) is None


def test_secrets_in_a_file():
    text = "# remark\n\n1@10.0.0.1 aes128-cbc:k\n"
    found, told = secrets("file keys", lambda name: {"keys": text}[name])
    assert told == []
    assert found.find(1, bytes((10, 0, 0, 1))).ivlen == 16
    with pytest.raises(EspError, match="can't open nosuch: No such file or directory"):
        secrets("file nosuch")
    with pytest.raises(EspError, match="too many files"):
        secrets("file me", lambda name: "file me\n")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("junk", "failed to decode espsecret: junk"),
        ("foo:bar", "failed to find cipher algo foo"),
        ("aes-128-cbc:bar", "failed to find cipher algo aes-128"),
        ("1 3des-cbc:x", "print_esp: failed to decode spi# "),
        ("x@10.0.0.1 3des-cbc:x", "print_esp: failed to decode spi# x"),
        ("1@10.0.0 3des-cbc:x", "print_esp: can not decode IP# 10.0.0"),
        ("ikev2 I 0x0", "print_esp: failed to find all fields for ikev2 at cmdline:0"),
        ("des-cbc:0x" + "00" * 257, "secret is too big: 257"),
    ],
)
def test_secrets_that_make_no_sense(text, want):
    _found, told = secrets(text)
    assert told == [want]


def test_hexadecimal_that_is_none():
    with pytest.raises(EspError, match="invalid hex digit Z in espsecret"):
        secrets("3des-cbc:0xZZ")


@settings(max_examples=300)
@given(st.text(max_size=60), st.sampled_from(["", "1@10.0.0.1 ", "ikev2 I ", "file "]))
def test_any_text_is_secrets_or_refused(text, head):
    try:
        secrets(head + text)
    except EspError as exc:
        assert str(exc)


def esp_frame(spi, algorithm, key, iv, inner, trailer):
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    made = Cipher(algorithm(key), modes.CBC(iv)).encryptor()
    plain = inner + trailer
    esp = struct.pack("!II", spi, 1) + iv + made.update(plain) + made.finalize()
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(esp), 1, 0, 64, 50, 0)
    ip = head + bytes((10, 0, 0, 1)) + bytes((10, 0, 0, 2)) + esp
    return bytes(12) + b"\x08\x00" + ip


def test_decryption():
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    key, iv = bytes(range(16)), bytes(range(16, 32))
    inner = bytes.fromhex("0400003500 10 0000 4142434445464748".replace(" ", ""))
    frame = esp_frame(0x77, AES, key, iv, inner, bytes(14) + bytes((14, 17)))
    with open("esp", "wb") as file:
        Writer(file, 1).write(Packet(0, 0, len(frame), frame))
    plain = "IP 10.0.0.1 > 10.0.0.2: ESP(spi=0x00000077,seq=0x1), length 56"
    assert Run("-nn", "-t", "-r", "esp").lines == [plain]
    secret = f"0x77@10.0.0.2 aes128-cbc:0x{key.hex()}"
    line = Run("-nn", "-t", "-E", secret, "-r", "esp").lines[0]
    assert line.startswith(plain + ": 1024 > 53: ")
    # Of another destination: nothing is told.
    assert Run("-nn", "-t", "-E", secret.replace("0.2", "0.3"), "-r", "esp").lines == [plain]
    # The wrong key: noise, but a line.
    run = Run("-nn", "-t", "-E", "aes128-cbc:wrong", "-r", "esp")
    assert run.lines[0].startswith(plain)
    run = Run("-nn", "-E", "foo:bar", "-c", 1, "-r", "esp")
    assert run.err.endswith("tcpdump: WARNING: failed to find cipher algo foo\n")


# -- live


@pytest.fixture
def pair():
    with World(seed=7) as world:
        boxes = world.box("A", nic="i82544:lan0"), world.box("B", nic="i82544:lan0")
        for box, addr in zip(boxes, ("10.0.0.1", "10.0.0.2"), strict=True):
            box.sh("io-pkt-v4-hc -d i82544")
            box.sh(f"ifconfig wm0 {addr}/24")
        yield world, *boxes


LISTENING = "listening on wm0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n"
QUIET = "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n"


def counts(captured, received=None, dropped=0):
    received = captured if received is None else received
    texts = (
        (captured, "captured"),
        (received, "received by filter"),
        (dropped, "dropped by kernel"),
    )
    return "".join(f"{n} packet{'s' if n != 1 else ''} {text}\n" for n, text in texts)


def test_a_capture_of_so_many(pair):
    world, a, b = pair
    job = a.spawn("tcpdump -n -t -i wm0 -c 4")
    world.run(1)
    b.sh("ping -c 3 10.0.0.1")
    result = job.result()
    lines = result.out.splitlines()
    assert lines[0] == "ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28"
    assert lines[1].startswith("ARP, Reply 10.0.0.1 is-at ")
    assert [" ".join(line.split()[:7]) for line in lines[2:]] == [
        "IP 10.0.0.2 > 10.0.0.1: ICMP echo request,",
        "IP 10.0.0.1 > 10.0.0.2: ICMP echo reply,",
    ]
    assert result.err.startswith(QUIET + LISTENING + "4 packets captured\n")
    assert result.status == 0


def test_an_interrupt_ends_it_with_counts(pair):
    world, a, b = pair
    job = a.spawn("tcpdump -nn -i wm0 icmp")
    world.run(1)
    b.sh("ping -c 1 10.0.0.1")
    world.run(2)
    job.signal("SIGINT")
    result = job.result()
    assert result.out.count("ICMP echo") == 2
    assert result.out.endswith("\n\n")
    assert result.err.startswith(QUIET + LISTENING + "2 packets captured\n")
    assert result.err.endswith("0 packets dropped by kernel\n")
    assert result.status == 0


def test_writing_and_reading_back(pair):
    world, a, b = pair
    job = a.spawn("tcpdump -U -w /tmp/wire.pcap -i wm0 icmp")
    world.run(1)
    b.sh("ping -c 2 10.0.0.1")
    world.run(2)
    job.signal("SIGUSR1")
    world.run(1)
    job.signal("SIGTERM")
    result = job.result()
    brief = "tcpdump: 4 packets captured, "
    assert result.err.startswith(f"tcpdump: {LISTENING}{brief}")
    assert result.out == ""
    again = a.sh("tcpdump -nn -t -r /tmp/wire.pcap")
    assert again.out.count("ICMP echo request") == 2
    assert again.out.count("ICMP echo reply") == 2


def test_the_count_is_told_while_it_writes(pair):
    world, a, b = pair
    job = a.spawn("tcpdump -v -w /tmp/wire.pcap -i wm0 icmp")
    world.run(2)
    b.sh("ping -c 2 10.0.0.1")
    world.run(3)
    job.signal("SIGINT")
    told = job.result().err
    assert "Got 0\r" in told
    assert "Got 4\r" in told


def test_two_readers_see_what_each_asked_for(pair):
    world, a, b = pair
    pings, all_ = a.spawn("tcpdump -nn -i wm0 -c 2 icmp"), a.spawn("tcpdump -nn -i wm0 -c 2 arp")
    world.run(1)
    b.sh("ping -c 1 10.0.0.1")
    assert pings.result().out.count("ICMP") == 2
    assert all_.result().out.count("ARP") == 2


def test_interfaces_and_link_types(pair):
    _world, a, _b = pair
    assert (
        a.sh("tcpdump -D").out == "1.wm0 [Up, Running, Connected]\n2.lo0 [Up, Running, Loopback]\n"
    )
    result = a.sh("tcpdump -L")
    assert (result.out, result.status) == ("", 0)
    assert result.err == "Data link types for wm0 (use option -y to set):\n  EN10MB (Ethernet)\n"
    assert a.sh("tcpdump -i 2 -L").err.splitlines()[1] == "  NULL (BSD loopback)"
    assert a.sh("tcpdump -J").err == "Time stamp type cannot be set for wm0\n"
    for argv, text in (
        ("-i nosuch", "nosuch: No such device exists\n(No such device exists)"),
        ("-i 9", "Invalid adapter index 9: only 2 interfaces found"),
        ("-i 0", "Invalid adapter index 0"),
        ("-i wm0 -y NULL", "NULL is not one of the DLTs supported by this device"),
        ("-i wm0 -I", "wm0: That device doesn't support monitor mode"),
        ("-i wm0 foo", "can't parse filter expression: syntax error"),
    ):
        result = a.sh(f"tcpdump {argv}")
        assert (result.err, result.status) == (f"tcpdump: {text}\n", 1)


def test_without_a_stack():
    with World(seed=1) as world:
        box = world.box("A")
        result = box.sh("tcpdump -i wm0")
        assert result.err == "tcpdump: /dev/bpf: No such file or directory\n"
        assert result.status == 1
        assert box.sh("tcpdump -D").status == 1


def test_only_what_is_received(pair):
    world, a, b = pair
    job = a.spawn("tcpdump -nn -t -Q in -i wm0 -c 2 icmp")
    world.run(1)
    b.sh("ping -c 2 10.0.0.1")
    assert job.result().out.count("echo request") == 2


def test_foreign_addresses_are_numbers(pair):
    world, a, b = pair
    a.sh("echo '10.0.0.2 near' >> /etc/hosts")
    job = a.spawn("tcpdump -f -t -i wm0 -c 1 icmp")
    world.run(1)
    b.sh("ping -c 1 10.0.0.1")
    assert job.result().out.startswith("IP near > ")


# -- and otherwise


@pytest.mark.parametrize(
    ("text", "number"), [("12k", 12), (" +7", 7), ("-3", -3), ("x", 0), ("", 0)]
)
def test_atoi(text, number):
    assert atoi(text) == number


def test_importing_it_is_light():
    code = (
        "import sys, cmds.tcpdump; heavy = {'cryptography', 'asyncio', 'dataclasses', 'scapy', "
        "'subprocess', 'libnet.text.dump.ndo'} & set(sys.modules); sys.exit(bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="no other tcpdump here")
def test_another_tcpdump_reads_what_ours_wrote(pair):
    world, a, b = pair
    job = a.spawn("tcpdump -w /tmp/wire.pcap -i wm0 -c 4")
    world.run(1)
    b.sh("ping -c 2 10.0.0.1")
    job.result()
    path = a.paths.file("/tmp/wire.pcap")
    ours = a.sh("tcpdump -nn -tt -vv -r /tmp/wire.pcap").out
    other = subprocess.run(
        [shutil.which("tcpdump"), "-nn", "-tt", "-vv", "-r", path], capture_output=True, check=True
    )
    assert other.stdout.decode() == ours
