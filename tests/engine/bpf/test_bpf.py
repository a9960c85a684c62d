"""bpf(4): descriptors on the interfaces of a real stack, on a stepped clock."""

from __future__ import annotations

import random
from struct import Struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.conf.pcapfilter import compile as compile_filter
from libnet.engine.bpf.bpf import BPF_IN, BPF_OUT, MAX_DESCRIPTORS
from libnet.engine.kern.socket import Cred
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl import bpf as b
from libnet.ioctl.registry import ROWS
from libnet.ioctl.sockio import FIONREAD, SIOCGIFFLAGS, IfReq
from libnet.wire.frame import CSUM_IP4, CSUM_L4, Frame

MAC = b"\x02\0\0\0\0\x01"
PEER = b"\x02\0\0\0\0\x02"
BROADCAST = b"\xff" * 6
HDR = Struct("=IIIIH")


class Wire:
    """A stack with one Ethernet interface whose frames end in a list."""

    def __init__(self):
        self.clock = Clock(epoch=1_000_000_000.25)
        self.stack = Stack(self.clock, random.Random(1))
        ifp = self.ifp = Ifnet(self.stack, "wm0")
        self.sent = []

        def start():
            while ifp.snd:
                frame = ifp.snd.popleft()
                if ifp.bpf is not None:
                    ifp.bpf.mtap(frame, BPF_OUT)
                self.sent.append(frame)

        def init():
            ifp.flags |= 0x40

        ifp.start, ifp.init = start, init
        self.stack.ethernet.ifattach(ifp, MAC)
        ifp.up()

    def receive(self, *frames):
        self.stack.ethernet.input(self.ifp, frames)

    def open(self, **cred):
        return self.stack.bpf.open(Cred(pid=77, comm="tcpdump", **cred))

    def tapped(self, name="wm0", *, immediate=True):
        desc = self.open()
        desc.ioctl(b.BIOCSETIF, IfReq(name))
        if immediate:
            desc.ioctl(b.BIOCIMMEDIATE, 1)
        return desc


@pytest.fixture
def wire():
    return Wire()


def frame(size=60, dst=MAC, src=PEER, etype=b"\x88\xb5"):
    return (dst + src + etype + bytes(range(256)) * 8)[:size]


def records(buf):
    """Return (seconds, micros, length on the wire, octets) of each packet in a buffer."""
    out, at = [], 0
    while at < len(buf):
        sec, usec, caplen, datalen, hdrlen = HDR.unpack_from(buf, at)
        out.append((sec, usec, datalen, buf[at + hdrlen : at + hdrlen + caplen]))
        at += b.bpf_wordalign(hdrlen + caplen)
    return out


def symbol(call, *args):
    with pytest.raises(NetError) as caught:
        call(*args)
    return caught.value.symbol


def setf(desc, text, snaplen=96):
    desc.ioctl(b.BIOCSETF, b.BpfProgram(compile_filter(text, b.DLT_EN10MB, snaplen).pack()))


def test_command_words_are_those_of_the_headers():
    words = {
        "BIOCGBLEN": 0x40044266,
        "BIOCSBLEN": 0xC0044266,
        "BIOCSETF": 0x80084267,
        "BIOCFLUSH": 0x20004268,
        "BIOCPROMISC": 0x20004269,
        "BIOCGDLT": 0x4004426A,
        "BIOCGETIF": 0x4020426B,
        "BIOCSETIF": 0x8020426C,
        "BIOCSRTIMEOUT": 0x8008426D,
        "BIOCGRTIMEOUT": 0x4008426E,
        "BIOCGSTATS": 0x4080426F,
        "BIOCGSTATSOLD": 0x4008426F,
        "BIOCIMMEDIATE": 0x80044270,
        "BIOCVERSION": 0x40044271,
        "BIOCSTCPF": 0x80084272,
        "BIOCSUDPF": 0x80084273,
        "BIOCGHDRCMPLT": 0x40044274,
        "BIOCSHDRCMPLT": 0x80044275,
        "BIOCSDLT": 0x80044276,
        "BIOCGDLTLIST": 0xC0084277,
        "BIOCGSEESENT": 0x40044278,
        "BIOCSSEESENT": 0x80044279,
    }
    assert {name: ROWS[name].word for name in words} == words
    assert words.keys() == {name for name, row in ROWS.items() if row.group == "B"}


def test_a_packet_arrives_with_its_time_and_lengths(wire):
    desc = wire.tapped()
    wire.receive(frame(60))
    assert desc.readable()
    (got,) = records(desc.read(32768))
    assert got == (1_000_000_000, 250_000, 60, frame(60))
    assert symbol(desc.read, 32768) == "EAGAIN"
    assert not desc.readable()


def test_records_are_aligned_and_the_network_header_too(wire):
    desc = wire.tapped()
    wire.receive(frame(61), frame(62), frame(63))
    buf = desc.read(32768)
    assert [len(octets) for *_head, octets in records(buf)] == [61, 62, 63]
    assert HDR.unpack_from(buf)[4] == 18  # 18 and an Ethernet header of 14 are a multiple of 4


def test_a_filter_chooses_and_cuts(wire):
    desc = wire.tapped()
    setf(desc, "arp", 20)
    wire.receive(frame(60), frame(60, BROADCAST, etype=b"\x08\x06"), frame(60))
    assert [(n, len(octets)) for _s, _u, n, octets in records(desc.read(32768))] == [(60, 20)]
    assert desc.ioctl(b.BIOCGSTATS, None) == b.BpfStat(3, 0, 1)
    assert desc.ioctl(b.BIOCGSTATSOLD, None) == b.BpfStat(3, 0, 1)


def test_setting_a_filter_forgets_packets_and_counts(wire):
    desc = wire.tapped()
    wire.receive(frame())
    setf(desc, "ip")
    assert symbol(desc.read, 32768) == "EAGAIN"
    assert desc.ioctl(b.BIOCGSTATS, None) == b.BpfStat(0, 0, 0)
    desc.ioctl(b.BIOCSETF, b.BpfProgram(b""))  # no filter at all takes everything
    wire.receive(frame())
    assert len(records(desc.read(32768))) == 1


@pytest.mark.parametrize("octets", [b"\0" * 7, bytes(8 * 513), b"\xff" * 8, b"\0" * 8])
def test_a_bad_program_is_refused(wire, octets):
    desc = wire.tapped()
    for row in (b.BIOCSETF, b.BIOCSTCPF, b.BIOCSUDPF):
        assert symbol(desc.ioctl, row, b.BpfProgram(octets)) == "EINVAL"


def test_buffers_fill_change_places_and_overflow(wire):
    desc = wire.open()
    assert desc.ioctl(b.BIOCSBLEN, 200) == 200
    desc.ioctl(b.BIOCSETIF, IfReq("wm0"))
    woken = []
    desc.upcall = lambda: woken.append(desc.readable())
    for number in range(5):  # two of 80 octets fit
        wire.receive(frame(60))
        assert woken == [True] * (number >= 2)
    assert desc.ioctl(b.BIOCGSTATS, None) == b.BpfStat(5, 1, 5)
    assert desc.ioctl(FIONREAD, None) == 158 + 158
    assert len(records(desc.read(200))) == 2
    assert not desc.readable()
    assert len(records(desc.read(200))) == 2, "a read that does not wait takes what the store has"
    assert wire.stack.stats["bpf"] == {"recv": 5, "capt": 5, "drop": 1}


def test_a_packet_longer_than_the_buffer_is_cut(wire):
    desc = wire.open()
    desc.ioctl(b.BIOCSBLEN, 100)
    desc.ioctl(b.BIOCSETIF, IfReq("wm0"))
    wire.receive(frame(500))
    assert [(n, len(octets)) for _s, _u, n, octets in records(desc.read(100))] == [(500, 82)]


def test_a_timeout_wakes_the_reader(wire):
    desc = wire.tapped(immediate=False)
    assert desc.ioctl(b.BIOCGRTIMEOUT, None) == b.BpfTimeval(0, 0)
    desc.ioctl(b.BIOCSRTIMEOUT, b.BpfTimeval(1, 500_000))
    woken = []
    desc.upcall = lambda: woken.append(wire.clock.now)
    wire.receive(frame())
    wire.clock.run(1.4)
    assert (woken, desc.readable()) == ([], False)
    wire.clock.run(1.5)
    assert (woken, desc.readable()) == ([1.5], True)
    wire.receive(frame())
    assert len(woken) == 2, "once it is late, every packet wakes"
    assert len(records(desc.read(32768))) == 2
    wire.receive(frame())
    assert not desc.readable()


def test_without_timeout_and_immediate_mode_only_a_full_buffer_wakes(wire):
    desc = wire.tapped(immediate=False)
    wire.receive(frame())
    wire.clock.run(100.0)
    assert not desc.readable()


def test_read_must_ask_for_the_buffer(wire):
    desc = wire.tapped()
    wire.receive(frame())
    assert symbol(desc.read, 100) == "EINVAL"
    assert len(records(desc.read(desc.ioctl(b.BIOCGBLEN, None)))) == 1


@pytest.mark.parametrize(("asked", "got"), [(0, 32), (-5, 32), (1 << 30, 1 << 20), (4096, 4096)])
def test_buffer_lengths_are_bounded(wire, asked, got):
    desc = wire.open()
    assert desc.ioctl(b.BIOCSBLEN, asked) == got
    assert desc.ioctl(b.BIOCGBLEN, None) == got


def test_what_needs_an_interface_and_what_may_have_none(wire):
    desc = wire.open()
    for row, arg in (
        (b.BIOCPROMISC, None),
        (b.BIOCGDLT, None),
        (b.BIOCSDLT, 1),
        (b.BIOCGDLTLIST, b.BpfDltList()),
        (b.BIOCGETIF, None),
    ):
        assert symbol(desc.ioctl, row, arg) == "EINVAL", row
    assert symbol(desc.write, frame()) == "ENXIO"
    assert symbol(desc.ioctl, b.BIOCSETIF, IfReq("nix0")) == "ENXIO"
    assert desc.ioctl(b.BIOCVERSION, None) == b.BpfVersion(1, 1)
    desc.ioctl(b.BIOCSETIF, IfReq("wm0"))
    assert symbol(desc.ioctl, b.BIOCSBLEN, 4096) == "EINVAL"
    assert desc.ioctl(b.BIOCGETIF, None) == IfReq("wm0")
    assert desc.ioctl(b.BIOCGDLT, None) == 1
    assert desc.ioctl(b.BIOCGDLTLIST, b.BpfDltList()) == b.BpfDltList(1, None)
    assert desc.ioctl(b.BIOCGDLTLIST, b.BpfDltList(4, [])) == b.BpfDltList(1, [1])
    assert symbol(desc.ioctl, b.BIOCGDLTLIST, b.BpfDltList(0, [])) == "ENOMEM"
    desc.ioctl(b.BIOCSDLT, 1)
    assert symbol(desc.ioctl, b.BIOCSDLT, 127) == "EINVAL"
    assert symbol(desc.ioctl, SIOCGIFFLAGS, IfReq("wm0")) == "ENOTTY"


def test_only_the_superuser_opens_and_not_without_end(wire):
    assert symbol(lambda: wire.open(suser=False)) == "EACCES"
    held = [wire.open() for _ in range(MAX_DESCRIPTORS)]
    assert symbol(wire.open) == "EBUSY"
    held[0].close()
    wire.open()


def test_a_tap_exists_only_while_somebody_listens(wire):
    one, two = wire.tapped(), wire.tapped()
    assert wire.ifp.bpf is not None
    one.close()
    assert wire.ifp.bpf is not None
    two.close()
    assert wire.ifp.bpf is None
    wire.receive(frame())


def test_promiscuous_mode_is_counted_and_the_filter_of_the_nic_holds_without(wire):
    one, two = wire.tapped(), wire.tapped()
    stranger = frame(60, PEER, MAC)
    wire.receive(stranger, frame(60, BROADCAST), frame(60, b"\x01\0\x5e\x01\x02\x03"))
    assert [octets[:6] for *_h, octets in records(one.read(32768))] == [BROADCAST]
    one.ioctl(b.BIOCPROMISC, None)
    one.ioctl(b.BIOCPROMISC, None)
    two.ioctl(b.BIOCPROMISC, None)
    assert wire.ifp.promisc_count == 2
    wire.receive(stranger)
    assert len(records(one.read(32768))) == 1
    one.close()
    assert wire.ifp.flags & 0x100
    two.close()
    assert not wire.ifp.flags & 0x100


def test_what_is_sent_is_seen_unless_it_is_not_wanted(wire):
    desc = wire.tapped()
    assert desc.ioctl(b.BIOCGSEESENT, None) == 1
    wire.stack.ethernet.send(wire.ifp, PEER, b"\x88\xb5", b"hello")
    assert records(desc.read(32768))[0][3] == PEER + MAC + b"\x88\xb5hello"
    desc.ioctl(b.BIOCSSEESENT, 0)
    assert desc.ioctl(b.BIOCGSEESENT, None) == 0
    wire.stack.ethernet.send(wire.ifp, PEER, b"\x88\xb5", b"hello")
    assert symbol(desc.read, 32768) == "EAGAIN"
    assert desc.ioctl(b.BIOCGSTATS, None).recv == 1


def test_writing_sends_with_our_address_or_the_writers(wire):
    desc = wire.tapped()
    assert desc.ioctl(b.BIOCGHDRCMPLT, None) == 0
    assert desc.write(frame(60, BROADCAST, b"\x0a" * 6)) == 60
    assert wire.sent[-1][:12] == BROADCAST + MAC
    desc.ioctl(b.BIOCSHDRCMPLT, 1)
    assert desc.ioctl(b.BIOCGHDRCMPLT, None) == 1
    desc.write(frame(60, PEER, b"\x0a" * 6))
    assert wire.sent[-1][:12] == PEER + b"\x0a" * 6
    assert wire.ifp.omcasts == 1
    assert desc.write(b"") == 0
    assert desc.write(frame(1514)) == 1514
    assert symbol(desc.write, frame(1515)) == "EMSGSIZE"
    assert symbol(desc.write, frame(13)) == "EMSGSIZE"
    wire.ifp.down()
    wire.ifp.flags &= ~0x40
    assert symbol(desc.write, frame(60)) == "ENETDOWN"


def test_an_interface_that_goes_takes_its_readers_with_it(wire):
    desc = wire.tapped()
    desc.ioctl(b.BIOCPROMISC, None)
    wire.receive(frame())
    woken = []
    desc.upcall = lambda: woken.append(1)
    wire.ifp.detach()
    assert woken
    assert len(records(desc.read(32768))) == 1, "what was caught can still be read"
    assert symbol(desc.read, 32768) == "ENXIO"
    assert symbol(desc.write, frame()) == "ENXIO"
    desc.close()


def test_offloaded_frames_are_shown_complete(wire):
    desc = wire.tapped()
    header = bytes.fromhex("45000022000100004011 0000 0a000001 0a000002".replace(" ", ""))
    pseudo = sum(divmod(sum(Struct("!4H").unpack(header[12:20])) + 17 + 14, 0x10000))
    udp = Struct("!4H").pack(1000, 2000, 14, pseudo) + b"marked"
    marked = Frame(MAC + PEER + b"\x08\x00" + header + udp)
    marked.csum = CSUM_IP4 | CSUM_L4
    wire.receive(marked)
    (got,) = records(desc.read(32768))
    octets = got[3]

    def total(data):
        value = sum(Struct(f"!{len(data) // 2}H").unpack(data))
        while value >> 16:
            value = (value & 0xFFFF) + (value >> 16)
        return value

    assert total(octets[14:34]) == 0xFFFF
    assert total(octets[26:34] + b"\0\x11\0\x0e" + octets[34:48]) == 0xFFFF


def test_loopback_shows_its_family_and_can_be_written_to(wire):
    desc = wire.tapped("lo0")
    assert desc.ioctl(b.BIOCGDLT, None) == b.DLT_NULL
    packet = bytes.fromhex("45000014000100004001000 07f000001 7f000001".replace(" ", ""))
    desc.write(b"\2\0\0\0" + packet)
    (got,) = records(desc.read(32768))
    assert got[3] == b"\2\0\0\0" + packet
    assert symbol(desc.write, b"\x18\0\0\0" + packet) == "EAFNOSUPPORT"
    assert symbol(desc.write, b"\2\0\0\0" + b"\x60" * 20) == "EAFNOSUPPORT"


def test_a_driver_may_show_frames_in_another_form(wire):
    slot, sent = [], []
    wire.stack.bpf.attach(wire.ifp, b.DLT_IEEE802_11, 24, slot.append, sent.append)
    desc = wire.tapped()
    desc.ioctl(b.BIOCPROMISC, None)
    assert desc.ioctl(b.BIOCGDLTLIST, b.BpfDltList(2, [])) == b.BpfDltList(2, [1, 105])
    desc.ioctl(b.BIOCSDLT, b.DLT_IEEE802_11)
    assert wire.ifp.bpf is None
    assert wire.ifp.promisc_count == 1
    slot[-1].mtap(b"\x80" + bytes(40), BPF_IN)
    assert records(desc.read(32768))[0][3] == b"\x80" + bytes(40)
    desc.write(b"\x40" + bytes(30))
    assert sent == [b"\x40" + bytes(30)]
    desc.close()
    assert slot[-1] is None


def test_open_descriptors_are_listed(wire):
    desc = wire.tapped()
    desc.ioctl(b.BIOCPROMISC, None)
    wire.receive(frame())
    tree = wire.stack.sysctl
    (peer,) = tree.call(tree.mib("net.bpf.peers"), None, Cred())
    assert (peer.pid, peer.ifname, peer.comm, peer.rcount) == (77, "wm0", "tcpdump", 1)
    assert (peer.promisc, peer.immediate, peer.seesent, peer.hdrcmplt) == (True, True, True, False)
    assert tree.call(tree.mib("net.bpf.stats"), None, Cred()) == {"recv": 1, "capt": 1}
    tree.call(tree.mib("net.bpf.maxbufsize"), 4096, Cred())
    assert wire.open().ioctl(b.BIOCSBLEN, 1 << 20) == 4096


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80).map(lambda octets: ("receive", octets)),
            st.binary(max_size=80).map(lambda octets: ("write", octets)),
            st.integers(0, 400).map(lambda size: ("read", size)),
            st.tuples(
                st.sampled_from(sorted(n for n, row in ROWS.items() if row.group == "B")),
                st.one_of(
                    st.none(),
                    st.integers(-3, 300),
                    st.binary(max_size=40).map(b.BpfProgram),
                    st.just(IfReq("wm0")),
                    st.builds(b.BpfTimeval, st.integers(-1, 2), st.integers(-1, 10**6)),
                    st.builds(b.BpfDltList, st.integers(0, 3), st.none() | st.just([])),
                ),
            ),
        ),
        max_size=30,
    )
)
def test_whatever_is_asked_is_answered_or_refused(calls):
    wire = Wire()
    desc = wire.open()
    for what, arg in calls:
        try:
            if what == "receive":
                wire.receive(arg)
            elif what in ("write", "read"):
                getattr(desc, what)(arg)
            else:
                desc.ioctl(ROWS[what], arg)
        except NetError:
            continue
        assert len(desc._store) <= desc.bufsize
        assert len(desc._hold) <= desc.bufsize
    desc.close()
