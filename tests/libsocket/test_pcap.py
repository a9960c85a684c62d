"""Capture like libpcap: from files, from a stack in memory, from one behind its Unix socket."""

from __future__ import annotations

import io
import os
import pathlib
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmds._handover import find_next
from libnet.lab.memory import World
from libnet.libsocket import pcap
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.pcap import FilterError, Packet, PcapError, PcapNames, Stats
from libnet.loop.host import RealHost
from libnet.wire.savefile import Reader, SavefileError, Writer, open_savefile
from tests.libsocket.streamlab import served

DATA = pathlib.Path(__file__).parent.parent / "data" / "captures"
FRAME = b"\xff" * 6 + b"\2\0\0\0\0\2" + b"\x88\xb5" + b"hello, wire"


# -- files


def savefile(packets, dlt=1, **kw):
    out = io.BytesIO()
    writer = Writer(out, dlt, **kw)
    for packet in packets:
        writer.write(packet)
    assert writer.size == len(out.getvalue())
    return out.getvalue()


def offline(octets):
    return pcap.open_offline(io.BytesIO(octets))


PACKETS = [Packet(1, 2000, 60, b"one"), Packet(3, 999_999_000, 3, b"two")]


def test_what_is_written_is_read():
    capture = offline(savefile(PACKETS, 113, snaplen=96))
    assert list(capture) == PACKETS
    assert (capture.datalink(), capture.snapshot, capture.nano) == (113, 96, False)
    assert capture.describe() == "LINUX_SLL (Linux cooked v1)"
    nano = [Packet(1, 1, 1, b"x")]
    capture = offline(savefile(nano, 12, nano=True))
    assert list(capture) == nano
    assert (capture.datalink(), capture.nano) == (12, True)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1),
            st.integers(0, 999_999_999),
            st.integers(0, 2**32 - 1),
            st.binary(max_size=40),
        ).map(lambda fields: Packet(*fields)),
        max_size=8,
    )
)
def test_any_packets_survive_the_file(packets):
    assert list(offline(savefile(packets, nano=True))) == packets


@pytest.mark.parametrize("path", sorted(DATA.glob("*.pcap")), ids=lambda path: path.stem)
def test_sample_captures_come_out_as_they_went_in(path):
    octets = path.read_bytes()
    with pcap.open_offline(str(path)) as capture:
        again = savefile(
            list(capture), capture.datalink(), snaplen=capture.snapshot, nano=capture.nano
        )
        if capture.swapped:
            assert len(again) == len(octets)
        else:
            assert again == octets


@pytest.mark.parametrize("mark", "<>")
def test_old_and_odd_pcap_files(mark):
    head = struct.Struct(mark + "IHHiIII").pack
    record = struct.Struct(mark + "IIII").pack
    modified = head(0xA1B2CD34, 2, 4, 0, 0, 0, 101) + record(5, 6, 2, 9) + bytes(8) + b"ab"
    capture = offline(modified)
    assert list(capture) == [Packet(5, 6000, 9, b"ab")]
    assert (capture.datalink(), capture.snapshot) == (12, 262144)
    swapped = head(0xA1B2C3D4, 2, 2, 0, 0, 99, 1) + record(5, 6, 9, 2) + b"ab"
    assert list(offline(swapped)) == [Packet(5, 6000, 9, b"ab")]
    mixed = head(0xA1B2C3D4, 2, 3, 0, 0, 99, 1) + record(5, 6, 9, 2) + b"ab"
    assert list(offline(mixed)) == [Packet(5, 6000, 9, b"ab")]
    long = head(0xA1B2C3D4, 2, 4, 0, 0, 3, 1) + record(5, 6, 5, 9) + b"abcde"
    assert list(offline(long)) == [Packet(5, 6000, 9, b"abc")]


def refused(octets):
    with pytest.raises(PcapError) as caught:
        list(offline(octets))
    return str(caught.value)


def test_pcap_files_that_go_wrong():
    good = savefile(PACKETS)
    head = good[:24]
    assert refused(b"ab") == "truncated dump file; tried to read 4 file header bytes, only got 2"
    assert refused(b"nonsense") == "unknown file format"
    text = "truncated dump file; tried to read 24 file header bytes, only got 16"
    assert refused(good[:20]) == text
    assert refused(good[:34]) == "truncated dump file; tried to read 16 header bytes, only got 10"
    text = "truncated dump file; tried to read 3 captured bytes, only got 2"
    assert refused(good[:42]) == text
    assert refused(head[:4] + struct.pack("=HH", 1, 4) + head[8:]) == "archaic pcap savefile format"
    assert refused(head[:4] + struct.pack("=HH", 3, 1) + head[8:]) == (
        "unsupported pcap savefile version 3.1"
    )
    assert refused(head + struct.pack("=IIII", 0, 0, 300_000, 9)) == (
        "invalid packet capture length 300000, bigger than snaplen of 262144"
    )


def test_packets_before_the_fault_are_handed_on():
    got = []
    with pytest.raises(PcapError):
        offline(savefile(PACKETS)[:-1]).loop(-1, got.append)
    assert got == PACKETS[:1]


class Ng:
    """Makes pcapng files."""

    def __init__(self, mark="<"):
        self.mark = mark

    def pack(self, form, *values):
        return struct.pack(self.mark + form, *values)

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        size = len(body) + 12
        return self.pack("II", kind, size) + body + self.pack("I", size)

    def section(self, major=1, minor=0, magic=0x1A2B3C4D):
        return self.block(0x0A0D0D0A, self.pack("IHHq", magic, major, minor, -1))

    def interface(self, link=1, snaplen=96, options=()):
        body = self.pack("HHI", link, 0, snaplen)
        for code, value in options:
            body += self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)
        return self.block(1, body)

    def packet(self, when=0, data=b"abc", length=9, interface=0):
        head = self.pack("IIIII", interface, when >> 32, when & 0xFFFFFFFF, len(data), length)
        return self.block(6, head + data)


@pytest.mark.parametrize("mark", "<>")
def test_pcapng(mark):
    ng = Ng(mark)
    octets = (
        ng.section()
        + ng.block(4, b"\1\0\4\0" + bytes(8))  # names: passed over
        + ng.interface()
        + ng.interface(options=[(2, b"eth1"), (9, b"\x09"), (14, ng.pack("q", 100)), (0, b"")])
        + ng.interface(options=[(9, b"\x8a")])
        + ng.packet(1_000_002)
        + ng.packet(2_000_000_003, interface=1)
        + ng.packet(1024 + 512, interface=2)
        + ng.block(3, ng.pack("I", 5) + b"simpl")
        + ng.block(2, ng.pack("HHIIII", 0, 0, 0, 7, 2, 9) + b"ol")
        + ng.section(1, 2)
        + ng.interface()
        + ng.packet(5)
    )
    capture = offline(octets)
    assert list(capture) == [
        Packet(1, 2000, 9, b"abc"),
        Packet(102, 3, 9, b"abc"),
        Packet(1, 500_000_000, 9, b"abc"),
        Packet(0, 0, 5, b"simpl"),
        Packet(0, 7000, 9, b"ol"),
        Packet(0, 5000, 9, b"abc"),
    ]
    assert (capture.datalink(), capture.snapshot) == (1, 96)


def test_pcapng_files_that_go_wrong():
    ng = Ng()
    head = ng.section() + ng.interface()
    what = "Interface Description Block"
    options = [
        ([(0, b"x")], f"{what} has opt_endofopt option with length 1 != 0"),
        ([(9, b"xx")], f"{what} has if_tsresol option with length 2 != 1"),
        ([(14, b"xx")], f"{what} has if_tsoffset option with length 2 != 8"),
        ([(9, b"\6"), (9, b"\6")], f"{what} has more than one if_tsresol option"),
        ([(9, b"\x14")], f"{what} if_tsresol option resolution 10^-20 is too high"),
        ([(9, b"\xc0")], f"{what} if_tsresol option resolution 2^-64 is too high"),
    ]
    for rows, text in options:
        assert refused(ng.section() + ng.interface(options=rows)) == text
    for octets, text in [
        (ng.section()[:6], "unknown file format"),
        (ng.section(magic=5), "unknown file format"),
        (ng.section(2), "unsupported pcapng savefile version 2.0"),
        (ng.section(), "the capture file has no Interface Description Blocks"),
        (ng.section() + ng.packet(),
         "the capture file has a packet block before any Interface Description Blocks"),
        (head + ng.interface(link=12),
         "an interface has a type 12 different from the type of the first interface"),
        (head + ng.interface(snaplen=5),
         "an interface has a snapshot length 5 different from the snapshot length of the first "
         "interface"),
        (head + ng.packet(interface=1), "a packet arrived on interface 1, but there's no Interface "
         "Description Block for that interface"),
        (head + ng.packet(data=bytes(97)),
         "invalid packet capture length 97, bigger than snaplen of 96"),
        (head + ng.block(6, b"abc"), "block of type 6 in pcapng dump file is too short"),
        (head + ng.pack("II", 6, 8), "block in pcapng dump file has a length of 8 < 12"),
        (head + ng.pack("II", 6, 33),
         "block in pcapng dump file has a length of 33 that is not a multiple of 4"),
        (head + ng.pack("II", 6, 1 << 25), "pcapng block size 33554432 > maximum 16777216"),
        (head + ng.packet()[:-4], "truncated pcapng dump file; tried to read 28 bytes, only got 24"),
        (head + ng.packet()[:-4] + bytes(4), "block total length in header and trailer don't match"),
        (head + Ng(">").section(), "the file has sections with different byte orders"),
        (head + ng.section(magic=7), "the file has a section with a bad byte order magic field"),
        (head + ng.section(3), "unknown pcapng savefile major version number 3"),
    ]:  # fmt: skip
        assert refused(octets) == text


@settings(max_examples=300)
@given(st.binary(max_size=120), st.sampled_from([b"", b"\xa1\xb2\xc3\xd4", b"\x0a\x0d\x0d\x0a"]))
def test_any_octets_are_a_capture_or_refused(octets, magic):
    try:
        reader = open_savefile(io.BytesIO(magic + octets))
        assert isinstance(reader, Reader)
        list(reader)
    except SavefileError as exc:
        assert str(exc)


@settings(max_examples=200)
@given(st.data())
def test_damaged_pcapng_never_escapes(data):
    ng = Ng()
    octets = bytearray(ng.section() + ng.interface(options=[(9, b"\x09"), (0, b"")]) + ng.packet(7))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(4, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(open_savefile(io.BytesIO(bytes(octets))))
    except SavefileError as exc:
        assert str(exc)


def test_filters_counts_and_breaks_on_a_file():
    with pcap.open_offline(str(DATA / "arp-icmp.pcap")) as capture:
        capture.setfilter("arp")
        got = []
        assert capture.loop(2, got.append) == 2
        assert capture.dispatch(-1, lambda packet: (got.append(packet), capture.breakloop())) == 1
        assert capture.next() is not None
        assert capture.loop(-1, got.append) == 5  # 9 in all
        assert capture.next() is None
        with pytest.raises(FilterError, match="syntax error"):
            capture.setfilter("arp and")
        with pytest.raises(PcapError, match="Statistics aren't available from savefiles"):
            capture.stats()
        with pytest.raises(PcapError, match="Sending packets isn't supported on savefiles"):
            capture.inject(b"x")
        with pytest.raises(PcapError, match="RAW is not one of the DLTs supported"):
            capture.set_datalink(12)


def test_a_file_that_is_not_there():
    with pytest.raises(PcapError, match="No such file or directory"):
        pcap.open_offline("/nonexistent.pcap")


def test_dead_captures_compile():
    dead = pcap.open_dead(1, 96)
    assert dead.compile("ip").dump(3).startswith("4\n")
    assert len(dead.compile("ip", optimize=False)) == 4
    for call in (lambda: dead.setfilter("ip"), dead.next, lambda: dead.loop(1, print)):
        with pytest.raises(PcapError, match="no packets come from here"):
            call()


# -- a stack in memory


@pytest.fixture
def boxes():
    with World(seed=4) as world:
        a, b = world.box("A", nic="i82544:lan0"), world.box("B", nic="i82544:lan0")
        for box, addr in ((a, "10.0.0.1"), (b, "10.0.0.2")):
            box.sh("io-pkt-v4-hc -d i82544")
            box.sh(f"ifconfig wm0 {addr}/24")
        a.sh("ping -c 1 10.0.0.2")
        yield a, b


def test_capture_while_another_box_pings(boxes):
    a, b = boxes
    with pcap.open_live(a.ctx("cap"), "wm0", 48) as capture:
        assert (capture.datalink(), capture.list_datalinks()) == (1, [1])
        capture.setfilter("icmp[icmptype] = icmp-echo or icmp[icmptype] = icmp-echoreply")
        b.spawn("ping -c 3 10.0.0.1")
        got = []
        assert capture.loop(6, got.append) == 6
        assert [packet.data[34] for packet in got] == [8, 0] * 3
        assert {(packet.length, len(packet.data)) for packet in got} == {(98, 48)}
        assert got[-1].sec - got[0].sec == 2
        stats = capture.stats()
        assert (stats.drop, stats.ifdrop) == (0, 0)
        assert stats.recv >= 6
        capture.setfilter("arp")
        assert capture.stats() == Stats(0, 0, 0)
        assert capture.next() is None, "nothing came before the timeout"
        assert capture.dispatch(-1, got.append, wait=False) == 0


def test_the_other_box_sees_what_is_injected(boxes):
    a, b = boxes
    with (
        pcap.open_live(a.ctx("cap"), "wm0") as sender,
        pcap.open_live(b.ctx("cap"), "wm0", immediate=True) as capture,
    ):
        sender.setdirection(sent=False)
        capture.setfilter("ether proto 0x88b5")
        assert sender.inject(FRAME) == len(FRAME)
        packet = capture.next()
        assert packet is not None
        assert packet.data[12:] == FRAME[12:]
        assert packet.data[6:12] != FRAME[6:12], "the interface puts its own address there"
        assert sender.dispatch(-1, print, wait=False) == 0
        with pytest.raises(PcapError, match="send: Message too long"):
            sender.inject(bytes(2000))


def test_a_program_the_engine_does_not_run_is_run_here(boxes):
    a, b = boxes
    with pcap.open_live(a.ctx("cap"), "wm0", immediate=True) as capture:
        capture.setfilter("ip protochain 1")
        b.spawn("ping -c 2 10.0.0.1")
        got = []
        capture.loop(4, got.append)
        assert {packet.data[23] for packet in got} == {1}


def test_what_cannot_be_opened(boxes):
    ctx = boxes[0].ctx("cap")
    with pytest.raises(PcapError) as caught:
        pcap.open_live(ctx, "en7")
    assert str(caught.value) == "en7: No such device exists"
    assert caught.value.detail == "No such device exists"
    with pytest.raises(PcapError, match="IEEE802_11 is not one of the DLTs"):
        pcap.open_live(ctx, "wm0", dlt=105)
    with (
        World(seed=1) as empty,
        pytest.raises(PcapError, match="/dev/bpf: No such file or directory"),
    ):
        pcap.open_live(empty.box("A").ctx("cap"), "wm0")
    assert boxes[0].sh("netstat -B").out.count("\n") == 2, "nothing was left open"


def test_interfaces_and_networks(boxes):
    ctx = boxes[0].ctx("cap")
    assert [name for name, _flags in pcap.findalldevs(ctx)] == ["lo0", "wm0"]
    assert pcap.lookupnet(ctx, "wm0") == (0x0A000000, 0xFFFFFF00)
    boxes[0].sh("ifconfig wm0 delete")
    with pytest.raises(PcapError, match="wm0: no IPv4 address assigned"):
        pcap.lookupnet(ctx, "wm0")


def test_loopback_is_captured_with_its_family(boxes):
    box = boxes[0]
    with pcap.open_live(box.ctx("cap"), "lo0", immediate=True) as capture:
        assert capture.describe() == "NULL (BSD loopback)"
        capture.setfilter("icmp and host 127.0.0.1")
        box.spawn("ping -c 1 127.0.0.1")
        packet = capture.next()
        assert packet is not None
        assert packet.data[:5] == b"\2\0\0\0\x45"


def test_a_capture_whose_interface_goes(boxes):
    box = boxes[0]
    with pcap.open_live(box.ctx("cap"), "wm0") as capture:
        box.sh("ifconfig wm0 destroy")
        with pytest.raises(PcapError, match="The interface disappeared"):
            capture.loop(-1, lambda packet: None)


def test_names_are_those_of_the_box(boxes):
    box = boxes[0]
    for path, text in (
        ("/etc/hosts", "10.0.0.9 nine IX\nfe80::9 nine\nbad::::1 nine\n"),
        ("/etc/networks", "lab 10.7\n"),
        ("/etc/services", "http 80/tcp\ndomain 53/udp\ndomain 53/tcp\n"),
        ("/etc/protocols", "own 222 OWN\n"),
        ("/etc/ethers", "2:0:0:0:0:9 nine\nnonsense\nx:y nine\n"),
    ):
        box.write(path, text)
    names = PcapNames(box.ctx("cap"))
    assert names.hosts("NINE") == [0x0A000009, b"\xfe\x80" + bytes(13) + b"\x09"]
    assert names.hosts("ix") == [0x0A000009]
    assert (names.hosts("ten"), names.network("lab"), names.network("x")) == ([], 0x0A07, None)
    assert (names.port("http"), names.port("domain")) == ((80, None), (53, 53))
    assert (names.protocol("own"), names.protocol("tcp-not-there")) == (222, None)
    assert (names.ether("nine"), names.ether("ten")) == (b"\2\0\0\0\0\x09", None)


# -- behind the Unix socket


@pytest.fixture
def lab(tmp_path):
    with served(tmp_path) as made:
        yield made


def live(lab, device="lo0", **kw):
    null = io.StringIO()
    ctx = Ctx("cap", stdin=null, stdout=null, stderr=null, environ={}, host=RealHost(), box=lab.box)
    return pcap.open_live(ctx, device, **kw)


def test_a_process_waits_for_packets_with_poll(lab):
    with live(lab, immediate=True) as capture, live(lab) as sender:
        assert capture.fileno() >= 0
        capture.setfilter("udp")
        packet = bytes.fromhex(
            "02000000 45000020000100004011 0000 7f000001 7f000001 0401 0402 000c 0000 00000000"
        )
        for number in range(300):
            sender.inject(packet[:-1] + bytes((number & 255,)))
        got = []
        assert capture.loop(300, got.append) == 300
        assert [p.data[-1] for p in got] == [n & 255 for n in range(300)]
        stats = capture.stats()
        assert stats.recv >= 300, "some are answered by ICMP"
        assert stats.drop == 0


def test_a_slow_reader_loses_packets_and_is_told_how_many(lab):
    with live(lab, bufsize=4096) as capture, live(lab) as sender:
        sender.setdirection(sent=False)
        packet = bytes.fromhex("02000000 45000014000100004011 0000 7f000001 7f000001")
        for _ in range(400):
            sender.inject(packet)
        stats = capture.stats()
        got = []
        while capture.dispatch(-1, got.append, wait=False):
            assert got
        assert stats.recv == 400
        assert stats.drop == 400 - len(got) > 0


@pytest.mark.interop
@pytest.mark.parametrize("program", ["tcpdump", "tshark"])
def test_the_real_programs_read_what_we_wrote(boxes, program, tmp_path):
    real = find_next(program, os.environ.get("PATH", ""))  # not ours
    if real is None:
        pytest.skip(f"no {program} here")
    a, b = boxes
    path = str(tmp_path / "ours.pcap")
    with pcap.open_live(a.ctx("cap"), "wm0") as capture, open(path, "wb") as file:
        writer = Writer(file, capture.datalink(), snaplen=capture.snapshot)
        b.spawn("ping -c 3 10.0.0.1")
        capture.setfilter("icmp")
        capture.loop(6, writer.write)
    args = ["-nn", "-r", path] if program == "tcpdump" else ["-n", "-r", path]
    out = subprocess.run(
        [real, *args],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "UTC"},
    ).stdout
    assert len(out.splitlines()) == 6
    assert out.lower().count("reply") >= 3
