"""The filter compiler: programs and verdicts of the sample expressions, messages, any text at all."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libnet.bpf.machine import bpf_filter, bpf_validate, translate
from libnet.conf.pcapfilter import FilterError, Insn, Program, compile
from libnet.conf.pcapfilter.lexer import KEYWORDS, NUMBERS, ipv6_octets
from libnet.conf.pcapfilter.parser import MAX_DEPTH
from libnet.conf.pcapfilter.program import unpack
from libnet.ioctl.dlt import DLTS, dlt_description, dlt_name, dlt_number
from libnet.wire.savefile import open_savefile

DATA = pathlib.Path(__file__).parent.parent / "data" / "captures"
FILTERS = json.loads((DATA / "filters.json").read_text())["filters"]
GOOD = [row for row in FILTERS if "error" not in row]
BAD = [row for row in FILTERS if "error" in row]
ETHER, RAW, WLAN, RADIO, PFLOG, NULL, PPP, SLL = 1, 12, 105, 127, 117, 0, 9, 113


def ids(rows):
    return [row["expr"] for row in rows]


# Further numbers of words that the manual gives once.
OLD_WORDS = {"address2", "address3", "address4"}


class Tables:
    """Names for tests."""

    def hosts(self, name):
        return {
            "boxa": [0x0A000001],
            "six": [bytes(15) + b"\1"],
            "both": [0x0A000002, bytes(15) + b"\2"],
        }.get(name, [])

    def network(self, name):
        return {"loopback": 127, "lab": 0x0A07}.get(name)

    def port(self, name):
        return {"http": (80, None), "domain": (53, 53), "tftp": (None, 69), "two": (1, 2)}.get(
            name, (None, None)
        )

    def protocol(self, name):
        return {"own": 200}.get(name)

    def ether(self, name):
        return {"boxa": b"\2\0\0\0\0\1"}.get(name)


def made(text, dlt=ETHER, **kw):
    return compile(text, dlt, 262144, **{"names": Tables(), "netmask": 0xFFFFFF00, **kw})


def same(one, two, dlt=ETHER):
    assert made(one, dlt) == made(two, dlt)


def message(text, dlt=ETHER, **kw):
    with pytest.raises(FilterError) as caught:
        made(text, dlt, **kw)
    return str(caught.value)


@pytest.mark.parametrize("row", GOOD, ids=ids(GOOD))
def test_the_program_is_the_known_one(row):
    program = compile(row["expr"], row["linktype"], 262144, netmask=0)
    assert program.dump(1) == row["d"]
    assert program.dump(2) == row["dd"]
    assert program.dump(3) == row["ddd"]


@pytest.mark.parametrize("row", GOOD, ids=ids(GOOD))
def test_without_the_optimiser_too(row):
    program = compile(row["expr"], row["linktype"], 262144, netmask=0, optimize=False)
    assert program.dump(1) == row["O_d"]


@pytest.mark.parametrize("row", BAD, ids=ids(BAD))
def test_what_does_not_compile_says_why(row):
    with pytest.raises(FilterError) as caught:
        compile(row["expr"], row["linktype"], 262144, netmask=0)
    assert f"tcpdump: {caught.value}" == row["error"]["stderr"]


@pytest.fixture(scope="module")
def captures():
    found = {}
    for path in DATA.glob("*.pcap"):
        with path.open("rb") as file:
            reader = open_savefile(file)
            found[path.stem] = (reader.dlt, reader.snaplen, list(reader))
    return found


@pytest.mark.parametrize("row", FILTERS, ids=ids(FILTERS))
def test_every_capture_gives_the_known_verdicts(row, captures):
    for name, wanted in row["matches"].items():
        dlt, snaplen, packets = captures[name]
        try:
            program = compile(row["expr"], dlt, snaplen, netmask=0)
        except FilterError as exc:
            assert {"exit": 1, "stderr": f"tcpdump: {exc}"} == wanted, name
            continue
        plain = compile(row["expr"], dlt, snaplen, netmask=0, optimize=False)
        accepts = translate(program)
        count = 0
        for packet in packets:
            verdict = accepts(packet.data, packet.length)
            count += verdict != 0
            assert verdict == bpf_filter(program.insns, packet.data, packet.length)
            assert verdict == bpf_filter(plain.insns, packet.data, packet.length)
        assert count == wanted, name


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("port 80 or 443", "port 80 or port 443"),
        ("port (80 or 443)", "port 80 or port 443"),
        ("host (10.0.0.1 or 10.0.0.2) and not 10.0.0.3", "host 10.0.0.1 or host 10.0.0.2 "
         "and not host 10.0.0.3"),
        ("ip host 10.0.0.1 && !icmp", "ip host 10.0.0.1 and not icmp"),
        ("not not tcp", "tcp"),
        ("tcp port http", "tcp port 80"),
        ("port domain", "port 53"),
        ("host boxa", "host 10.0.0.1"),
        ("net lab", "net 10.7"),
        ("ether host boxa", "ether host 2:0:0:0:0:1"),
        ("ether host 02-00-00-00-00-01", "ether host 0200.0000.0001"),
        ("ether host 020000000001", "ether host 02.00.00.00.00.01"),
        ("ip proto \\tcp", "ip proto 6"),
        ("ip proto own", "ip proto 200"),
        ("ether proto \\arp", "arp"),
        ("tcp[tcpflags] = tcp-syn", "tcp[13] = 2"),
        ("ip[0x10:2] = 010", "ip[16:2] = 8"),
        ("(ip[0])&0xf = 5", "ip[0] & 15 == 5"),
        ("len >= 100", "greater 100"),
        ("net 10.7.0.0 mask 255.255.0.0", "net 10.7.0.0/16"),
        ("src or dst host 10.0.0.1", "host 10.0.0.1"),
        ("dst and src port 5", "src and dst port 5"),
        ("link host ff:ff:ff:ff:ff:ff and wlan src 2:0:0:0:0:1",
         "ether host ff:ff:ff:ff:ff:ff and ether src 2:0:0:0:0:1"),
        ("vlan (7)", "vlan 7"),
        ("portrange http-http", "tcp portrange 80-80"),
        ("is-is", "isis"),
        ("gateway boxa", "ether host 2:0:0:0:0:1 and not host 10.0.0.1"),
        ("ip gateway boxa", "ether host 2:0:0:0:0:1 and not ip host 10.0.0.1"),
    ],
)  # fmt: skip
def test_ways_to_say_the_same(one, two):
    same(one, two)


@pytest.mark.parametrize(
    ("text", "dlt", "says"),
    [
        ("10.0.0.1", ETHER, "can't parse filter expression: syntax error"),
        ("tcp and 80", ETHER, "syntax error in filter expression"),
        ("host @", ETHER, "can't parse filter expression: syntax error"),
        ("port 80 and (tcp", ETHER, "can't parse filter expression: syntax error"),
        ("()", ETHER, "can't parse filter expression: syntax error"),
        ("host nobody", ETHER, "unknown host 'nobody'"),
        ("ip host six", ETHER, "unknown host 'six' for specified address family"),
        ("net nowhere", ETHER, "unknown network 'nowhere'"),
        ("port nothing", ETHER, "unknown port 'nothing'"),
        ("udp port http", ETHER, "port 'http' is tcp"),
        ("tcp port tftp", ETHER, "port 'tftp' is udp"),
        ("tcp portrange tftp-tftp", ETHER, "port in range 'tftp-tftp' is udp"),
        ("portrange 5", ETHER, None),
        ("portrange no-thing", ETHER, "unknown port in range 'no-thing'"),
        ("portrange 1-99999", ETHER, "illegal port number 99999 > 65535"),
        ("ip proto none", ETHER, "unknown ip proto 'none'"),
        ("ether proto none", ETHER, "unknown ether proto 'none'"),
        ("iso proto none", ETHER, "unknown osi proto 'none'"),
        ("tcp proto 6", ETHER, "'tcp proto' is bogus"),
        ("arp proto 6", ETHER, "arp does not encapsulate another protocol"),
        ("src proto 6", ETHER, "can't parse filter expression: syntax error"),
        ("gateway 10", ETHER, "'gateway' requires a name"),
        ("gateway nobody", ETHER, "'gateway' not supported in this configuration"),
        ("gateway both", ETHER, "unknown ether host: both"),
        ("tcp gateway boxa", ETHER, "illegal modifier of 'gateway'"),
        ("gateway boxa", RAW, "'gateway' supported only on ethernet/FDDI/token ring/802.11/ATM "
         "LANE/Fibre Channel"),
        ("tcp host 10.0.0.1", ETHER, "'tcp' modifier applied to host"),
        ("tcp net 10", ETHER, "'tcp' modifier applied to net"),
        ("ip host ::1", ETHER, "'ip' modifier applied to ip6 host"),
        ("ip6 host 10.0.0.1", ETHER, "'ip6' modifier applied to ip host"),
        ("port 10.0.0.1", ETHER, "'port' modifier applied to ip host"),
        ("port 1:2:3:4:5:6", ETHER, "ethernet address used in non-ether expression"),
        ("host 1:2:3", ETHER, "bogus ethernet address 1:2:"),
        ("host ::300.1.1.1", ETHER, "bogus IPv6 address ::300.1.1.1"),
        ("net 10.0.0.0/33", ETHER, "mask length must be <= 32"),
        ("net ::/129", ETHER, "mask length must be <= 128"),
        ("net fe80::1/10", ETHER, 'non-network bits set in "fe80::1/10"'),
        ("host 10.0.0.0/8", ETHER, "Mask syntax for networks only"),
        ("port ::1", ETHER, "invalid qualifier against IPv6 address"),
        ("net 10.1 mask 255.0", ETHER, 'non-network bits set in "10.1 mask 255.0"'),
        ("less 5000000000", ETHER, "number 5000000000 overflows 32 bits"),
        ("less 089", ETHER, "number 089 contains non-octal digit"),
        ("less 0x100000000", ETHER, "number 0x100000000 overflows 32 bits"),
        ("ip[0] / 0 = 1", ETHER, "division by zero"),
        ("ip[0] % 0 = 1", ETHER, "modulus by zero"),
        ("ip[0] << 32 = 1", ETHER, "shift by more than 31 bits"),
        ("radio[0] = 1", ETHER, "radio information not present in capture"),
        ("ah[0] = 1", ETHER, "unsupported index operation"),
        ("mpls 2000000", ETHER, "MPLS label 2000000 greater than maximum 1048575"),
        ("pppoes 70000", ETHER, "PPPoE session number 70000 greater than maximum 65535"),
        ("geneve 20000000", ETHER, "Geneve VNI 20000000 greater than maximum 16777215"),
        ("mpls and vlan", ETHER, "no VLAN match after MPLS"),
        ("mpls and arp", ETHER, "unsupported protocol over mpls"),
        ("vlan", RAW, "no VLAN support for Raw IP"),
        ("mpls", RAW, "no MPLS support for Raw IP"),
        ("broadcast", RAW, "not a broadcast link"),
        ("ip broadcast", ETHER, None),
        ("tcp broadcast", ETHER, "only link-layer/IP broadcast filters supported"),
        ("multicast", RAW, "link-layer multicast filters supported only on ethernet/FDDI/token "
         "ring/ARCNET/802.11/ATM LANE/Fibre Channel"),
        ("ether host 1:2:3:4:5:6", RAW, "ethernet addresses supported only on ethernet/FDDI/token "
         "ring/802.11/ATM LANE/Fibre Channel"),
        ("inbound", ETHER, "inbound/outbound not supported on Ethernet when reading savefiles"),
        ("ifindex 1", ETHER, "ifindex not supported on Ethernet when reading savefiles"),
        ("llc", RAW, "'llc' not supported for Raw IP"),
        ("llc what", ETHER, 'unknown LLC type name "what"'),
        ("ether ra 1:2:3:4:5:6", ETHER, "'ra' is only supported on 802.11 with 802.11 headers"),
        ("addr1 host 10.0.0.1", ETHER, "'addr1' and 'address1' are not valid qualifiers for "
         "addresses other than 802.11 MAC addresses"),
        ("ra port 5", ETHER, "'ra' is not a valid qualifier for ports"),
        ("addr4 portrange 5-6", ETHER,
         "'addr4' and 'address4' are not valid qualifiers for port ranges"),
        ("type what", RADIO, 'unknown 802.11 type name "what"'),
        ("type 3", RADIO, "invalid 802.11 type value 0x03"),
        ("type mgt subtype rts", RADIO, 'unknown 802.11 subtype name "rts"'),
        ("type mgt subtype 0x81", RADIO, "invalid 802.11 subtype value 0x81"),
        ("subtype what", RADIO, "unknown 802.11 type name"),
        ("dir sideways", RADIO, "unknown 802.11 direction"),
        ("on wm0", ETHER, "ifname supported only on PF linktype"),
        ("action hide", PFLOG, 'unknown PF action "hide"'),
        ("reason none", PFLOG, 'unknown PF reason "none"'),
        ("on abcdefghijklmnopq", PFLOG, "ifname interface names can only be 15 characters"),
        ("lane", ETHER, "'lane' supported only on raw ATM"),
        ("vci 5", ETHER, "'vci' supported only on raw ATM"),
        ("fisu", ETHER, "'fisu' supported only on MTP2"),
        ("hopc 5", ETHER, "'opc' supported only on SS7"),
        ("decnet host x", ETHER, "decnet name support not included, 'x' cannot be translated\n"),
        ("aid", ETHER, "can't parse filter expression: syntax error"),
        ("host $5", ETHER, "aid supported only on ARCnet"),
        ("ip", 9999, "unknown data link type 9999"),
        ("ip", 220, "DLT 220 link-layer type filtering not implemented"),
        ("ip and not ip", ETHER, "expression rejects all packets"),
    ],
)  # fmt: skip
def test_messages(text, dlt, says):
    if says is None:
        assert made(text, dlt).insns
    else:
        assert message(text, dlt) == says


def test_a_netmask_must_be_known_for_ip_broadcast():
    assert message("ip broadcast", netmask=0xFFFFFFFF) == (
        "netmask not known, so 'ip broadcast' not supported"
    )
    with pytest.raises(FilterError, match="snaplen of 0 rejects all packets"):
        compile("ip", ETHER, 0)


def test_an_empty_expression_takes_everything():
    for text in ("", "  \t\n"):
        assert compile(text, ETHER, 68) == Program([Insn(6, 0, 0, 68)])


def test_what_a_live_capture_asks_differs():
    assert message("inbound", savefile=False) == "inbound/outbound not supported on Ethernet"
    assert len(made("ip6", NULL, savefile=False)) == 4
    assert len(made("ip6", NULL)) == 6  # whichever BSD wrote the file


FRAME = {
    ETHER: b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00",
    RAW: b"",
    NULL: b"\2\0\0\0",
    108: b"\0\0\0\2",
    PPP: b"\xff\x03\0\x21",
    SLL: b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\x00",
    276: b"\x08\x00\0\0\0\0\0\1\0\1\0\6\2\0\0\0\0\1\0\0",
    228: b"",
    WLAN: b"\x08\x01\0\0" + b"\2\0\0\0\0\1" * 3 + b"\0\0" + b"\xaa\xaa\3\0\0\0\x08\0",
    RADIO: b"\0\0\x08\0\0\0\0\0"
    + b"\x88\x01\0\0" + b"\2\0\0\0\0\1" * 3 + b"\0\0\0\0" + b"\xaa\xaa\3\0\0\0\x08\0",
    PFLOG: b"\x3d\x02\0\0wm0" + bytes(13 + 16 + 4 + 4 + 16) + b"\1\0\0\0",
    10: b"\x50" + b"\2\0\0\0\0\1" * 2 + b"\xaa\xaa\3\0\0\0\x08\0",
    50: b"\xff\x03\0\x21",
    104: b"\x0f\0\x08\0",
}  # fmt: skip
TCP = bytes.fromhex(
    "4500002c000100004006 0000 0a000001 0a000002 0050 1000 00000001 00000002 5012 2000 0000 0000 "
    "02040218".replace(" ", "")
)


@pytest.mark.parametrize("dlt", sorted(FRAME), ids=dlt_name)
def test_ip_is_found_on_every_link_type(dlt):
    packet = FRAME[dlt] + TCP
    for text, takes in (
        ("ip", True),
        ("ip6", False),
        ("tcp", True),
        ("udp", False),
        ("host 10.0.0.2", True),
        ("dst net 10.0.0.0/30 and not src host 10.0.0.2", True),
        ("src port 80", True),
        ("tcp portrange 70-79", False),
        ("tcp[tcpflags] & tcp-syn != 0 and ip[8] = 64", True),
        ("tcp[20:4] = 0x02040218", True),
        ("not tcp or dst port 80", False),
    ):
        for optimize in (True, False):
            try:
                program = made(text, dlt, optimize=optimize)
            except FilterError as exc:
                assert str(exc) == "expression rejects all packets"
                assert not takes
                continue
            assert bool(translate(program)(packet, len(packet))) is takes, (text, optimize)


@pytest.mark.parametrize(
    ("text", "packet", "dlt"),
    [
        ("pppoes 5 and ip and tcp", "020000000001020000000002 8864 1100 0005 002e 0021", ETHER),
        ("vlan 7 and vlan 8 and tcp", "020000000001020000000002 8100 0007 8100 0008 0800", ETHER),
        ("mpls 16 and mpls 17 and tcp src port 80",
         "020000000001020000000002 8847 00010040 00011140", ETHER),
        ("geneve 5 and host 10.0.0.2 and tcp",
         "020000000001020000000002 0800 4500006e000100004011 0000 c0000001 c0000002 1234 17c1 0000"
         "0000 0000 6558 00000500 020000000001020000000002 0800", ETHER),
        ("geneve and tcp",
         "020000000001020000000002 0800 4500006e000100004011 0000 c0000001 c0000002 1234 17c1 0000"
         "0000 0100 0800 00000500 00000000", ETHER),
        ("ip protochain 6", "020000000001020000000002 0800", ETHER),
    ],
)  # fmt: skip
def test_encapsulations(text, packet, dlt):
    octets = bytes.fromhex(packet.replace(" ", "")) + TCP
    accepts = translate(made(text, dlt))
    assert accepts(octets, len(octets))
    assert not accepts(FRAME[ETHER][:12] + b"\x08\x06" + TCP, 60)


def test_a_test_turned_round_is_not_taken_for_its_opposite():
    """Whoever says a thing twice gets what saying it once gives."""
    same("ip broadcast or ip broadcast", "ip broadcast")
    same("ip broadcast and ip broadcast", "ip broadcast")


def test_protochain_walks_headers_and_ends():
    accepts = translate(made("ip6 protochain 6"))
    head = b"\2\0\0\0\0\1\2\0\0\0\0\2\x86\xdd\x60\0\0\0\0\x40\0\x40" + bytes(32)
    assert accepts(head + b"\x2b\0" + bytes(6) + b"\x33\0" + bytes(6) + b"\6\1" + bytes(10), 100)
    assert not accepts(head + b"\x2b\0" + bytes(6) + b"\x3b\0" + bytes(6), 100)
    assert not accepts(head + b"\0\0" * 200, 500)


def test_pflog_fields():
    packet = FRAME[PFLOG] + TCP
    for text, takes in (
        ("on wm0 and action pass and reason match and rnr 0", True),
        ("ifname wm1", False),
        ("inbound", True),
        ("outbound", False),
        ("action block", False),
        ("srnr 5", False),
        ("ruleset x", False),
    ):
        assert bool(translate(made(text, PFLOG))(packet, len(packet))) is takes, text


def test_long_programs_reach_far():
    """A jump over more than 255 instructions needs another one, and is right."""
    hosts = [f"host 10.0.{n // 250}.{n % 250 + 1}" for n in range(150)]
    program = made(" or ".join(hosts), RAW)
    assert any(insn.code == 5 for insn in program.insns)
    assert bpf_validate(program.insns, 100_000)
    accepts = translate(program)
    head, tail = TCP[:12], b"\x0a\x09\x09\x09" + TCP[20:]
    for source, takes in ((b"\x0a\0\0\x96", True), (b"\x0a\0\0\1", True), (b"\x0a\0\0\xf0", False)):
        packet = head + source + tail
        assert bool(accepts(packet, 44)) is takes
        assert bool(bpf_filter(program.insns, packet, 44)) is takes


def test_nesting_has_a_limit():
    deep = MAX_DEPTH
    same("(" * deep + "tcp" + ")" * deep, "tcp")
    for text in ("(" * 5000 + "tcp" + ")" * 5000, "(" * 5000, "ip[" * 5000, "len = " + "(" * 5000):
        assert message(text) == "can't parse filter expression: memory exhausted"
    same("not " * 5000 + "tcp", "tcp")
    assert made("-" * 4000 + "len = 5")


def test_programs_travel_and_compare():
    program = made("tcp port 80")
    assert unpack(program.pack()) == program
    assert program != made("tcp port 81")
    with pytest.raises(ValueError, match="whole number"):
        unpack(b"1234567")
    assert Program([Insn(0x1234, 0, 0, 0)]).dump(1) == "(000) unimp    0x1234\n"
    assert Program([Insn(5, 0, 0, 0xFFFFFFFF)]).dump(1) == "(000) ja       0\n"


def test_names_of_link_types():
    for dlt, (name, _description) in DLTS.items():
        assert dlt_number(name.lower()) == dlt
        assert dlt_name(dlt) == name
    assert dlt_number("nope") is None
    assert dlt_description(299) == "DLT 299"


@given(st.text(max_size=40))
@example("1::2:3:4:5:6:7:8")
@example("::1.2.3.4")
def test_ipv6_octets_are_sixteen_or_nothing(text):
    got = ipv6_octets(text)
    assert got is None or len(got) == 16


SYMBOLS = "( ) [ ] : = != < > <= >= << >> + - * / % & | ^ ! && ||"
VALUES = (
    "mask 0 1 6 80 0x806 5000000000 10.0.0.1 10.0.0.0/8 fe80::1 ::/0 1:2:3:4:5:6 $5 boxa six both http "
    "two 5-6 \\tcp nobody"
)
WORDS = st.sampled_from([*KEYWORDS, *NUMBERS, *SYMBOLS.split(), *VALUES.split()])


@settings(max_examples=600, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(WORDS, max_size=12).map(" ".join),
        st.lists(WORDS, max_size=12).map("".join),
    ),
    st.sampled_from([*DLTS, 9999]),
    st.booleans(),
    st.binary(max_size=80),
)
@example("ip[0:4] / len > 5 and ( host both )", ETHER, True, b"")
def test_any_text_is_a_program_or_refused(text, dlt, optimize, packet):
    try:
        program = made(text, dlt, optimize=optimize)
    except FilterError as exc:
        assert str(exc)
        return
    assert bpf_validate(program.insns, 1 << 20, loops=True)
    assert translate(program)(packet, len(packet)) == bpf_filter(program.insns, packet, len(packet))


PLAIN = "ip ip6 arp rarp tcp udp icmp icmp6 igmp vlan mpls pppoes llc stp broadcast multicast"
PRIMITIVES = st.sampled_from(
    [
        *PLAIN.split(),
        *("ip multicast", "ip6 multicast", "ip broadcast", "vlan 7", "pppoed", "esp", "iso"),
        *("host 10.0.0.1", "src host boxa", "dst net 10", "net 10.0.0.0/30", "host both"),
        *(
            "port 80",
            "tcp src port http",
            "udp dst port 53",
            "portrange 1-90",
            "src and dst port 80",
        ),
        *("ether host 2:0:0:0:0:1", "ether src 2:0:0:0:0:2", "ether proto 0x800", "ip proto 6"),
        *("less 100", "greater 60", "len = 200", "len & 7 > 3", "1 = 1", "2 > 3", "ip6 proto 6"),
        *("ip[9] = 6", "tcp[13] & 2 != 0", "ether[0] & 1 = 0", "ip[8] < ip[9]", "udp[4:2] > 8"),
    ]
)
EXPRESSIONS = st.recursive(
    PRIMITIVES,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.sampled_from(sorted(FRAME)), st.binary(max_size=80))
def test_the_optimiser_does_not_change_verdicts(text, dlt, octets):
    """Of packets that are long enough: it may leave out a load that would fail on a short one."""
    try:
        plain = made(text, dlt, optimize=False)
    except FilterError as exc:
        assert str(exc)
        return
    packet = (FRAME[dlt] + octets).ljust(200, b"\1")
    verdict = bpf_filter(plain.insns, packet, len(packet))
    try:
        program = made(text, dlt)
    except FilterError as exc:
        assert str(exc) == "expression rejects all packets"
        assert verdict == 0
        return
    assert bpf_filter(program.insns, packet, len(packet)) == verdict
    assert translate(program)(packet, len(packet)) == verdict


def test_every_word_stands_in_the_manual():
    page = DATA.parent.parent.parent / "man" / "man7" / "pcap-filter.7"
    words = set(re.findall(r"[\w-]+", page.read_text()))
    numbers = {word for word in NUMBERS if not word.startswith("icmp6-")}
    assert sorted((set(KEYWORDS) | numbers) - words - OLD_WORDS) == []
