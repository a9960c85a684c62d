"""Leases as the file has them, the pools they come from, and the networks of interfaces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import inet_aton
from libnet.conf.dhcpdconf import parse
from libnet.conf.leases import NEVER, read_leases
from libnet.proto.dhcpd.lease import ABANDONED, ACTIVE, FREE, Lease
from libnet.proto.dhcpd.network import Circuit, attach
from libnet.proto.dhcpd.pool import GRACE_S, Table

CONF = """
subnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.10 10.9.0.14; range 10.9.0.50; }
shared-network both {
  subnet 10.8.0.0 netmask 255.255.255.0 { pool { range 10.8.0.10 10.8.0.11; } }
  subnet 10.7.0.0 netmask 255.255.255.0 { range 10.7.0.10 10.7.0.30; range 10.7.0.15 10.7.0.17; }
}
"""
CONFIG = parse(CONF, "conf")
FIRST = inet_aton("10.9.0.10")
NOW = 1_795_000_000

_names = st.text("abcxyz", min_size=1, max_size=5)
_values = st.one_of(st.binary(max_size=9), st.integers(0, 2**31), st.booleans())


@st.composite
def _leases(draw):
    lease = Lease(FIRST, CONFIG.subnets[0], None)
    lease.state = ACTIVE
    lease.starts = draw(st.integers(NOW - 1000, NOW))
    lease.ends = draw(st.one_of(st.integers(NOW, NOW + 10**6), st.just(NEVER)))
    lease.cltt = lease.starts
    lease.hardware = (draw(st.sampled_from((1, 6, 200))), draw(st.binary(min_size=1, max_size=16)))
    lease.uid = draw(st.one_of(st.none(), st.binary(min_size=1, max_size=40)))
    lease.hostname = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9))
    lease.variables = draw(st.dictionaries(_names, _values, max_size=3))
    lease.agent = draw(st.dictionaries(st.integers(0, 255), st.binary(max_size=12), max_size=3))
    lease.billing = draw(st.sampled_from((None, ("c", None), ("c", b"ab"))))
    lease.bootp, lease.reserved = draw(st.booleans()), draw(st.booleans())
    return lease


FIELDS = (
    *("state", "starts", "ends", "cltt", "hardware", "uid", "hostname", "variables", "agent"),
    *("billing", "bootp", "reserved"),
)


@given(_leases(), st.integers(-(10**6), 10**6))
def test_a_lease_is_read_as_it_was_written(lease, skew):
    text = lease.text(skew)
    database = read_leases(text, "x")
    assert not database.errors, text
    again = Lease(FIRST, CONFIG.subnets[0], None)
    again.load(database.leases[FIRST], NOW + skew)
    for name in ("starts", "ends", "cltt"):
        if getattr(again, name) < NEVER:
            setattr(again, name, getattr(again, name) - skew)
    assert [getattr(again, name) for name in FIELDS] == [getattr(lease, name) for name in FIELDS]


def test_states_of_other_servers():
    text = "lease 10.9.0.10 {{ starts 0 2026/11/22 00:00:00; ends 0 2026/11/29 00:00:00; {} }}"
    hardware = "hardware ethernet 02:00:00:00:00:01;"
    for word, state in (
        ("binding state expired; " + hardware, FREE),
        ("binding state released;", FREE),
        ("binding state backup;", FREE),
        ("binding state abandoned;", ABANDONED),
        ("abandoned;", ABANDONED),
        ("binding state active;", FREE),  # nobody's
        ("binding state active; " + hardware, ACTIVE),
        ("binding state bootp; " + hardware, ACTIVE),
        (hardware, ACTIVE),
    ):
        lease = Lease(FIRST, CONFIG.subnets[0], None)
        lease.load(read_leases(text.format(word), "x").leases[FIRST], NOW)
        assert lease.state == state, word


def _table(fixed=()):
    return Table(CONFIG.networks, fixed)


def test_a_pool_gives_new_addresses_then_the_longest_free_then_abandoned_ones():
    table = _table([FIRST + 2])
    (pool,) = table.pools_of(CONFIG.networks[0])
    assert pool.size == 6
    given = []
    while (lease := pool.head(table)) is not None:
        given.append(lease.addr)
        lease.ends = 100 - len(given)
        table.assign(lease, (1, bytes((len(given),))), None)
        table.set_state(lease, ACTIVE)
    assert given == [FIRST, FIRST + 1, FIRST + 3, FIRST + 4, FIRST + 40]
    assert pool.active == 5
    ended = []
    for lease in table.due(97 + GRACE_S):
        ended.append(lease.addr)
        table.set_state(lease, FREE)
    assert ended == given[:1:-1]  # those that end first
    assert pool.head(table).addr == ended[0]
    table.set_state(table.by_addr[ended[0]], ABANDONED)
    assert pool.head(table).addr == ended[1]
    for addr in ended[1:]:
        lease = table.by_addr[addr]
        lease.ends = 1000
        table.set_state(lease, ACTIVE)
    assert pool.head(table).addr == ended[0]


def test_a_renewed_lease_ends_when_it_says():
    table = _table()
    lease = table.lease(FIRST)
    for ends in (100, 200, 300):
        lease.ends = ends
        table.set_state(lease, ACTIVE)
    assert list(table.due(100 + GRACE_S)) == []
    assert list(table.due(299 + GRACE_S)) == []
    assert list(table.due(300 + GRACE_S)) == [lease]


def test_an_address_is_found_in_its_range():
    table = _table()
    for text, found in (
        ("10.9.0.9", False),
        ("10.9.0.14", True),
        ("10.9.0.15", False),
        ("10.9.0.50", True),
        ("10.7.0.16", True),
        ("10.7.0.25", True),  # in a range that another one begins within
        ("10.7.0.31", False),
    ):
        assert (table.find(inet_aton(text)) is not None) is found, text


def test_interfaces_and_their_networks():
    circuits = [
        Circuit("wm0", bytes(6), (inet_aton("192.168.0.1"), inet_aton("10.9.0.1"))),
        Circuit("wm1", bytes(6), (inet_aton("10.8.0.1"),)),
        Circuit("wm2", bytes(6), (inet_aton("10.7.0.1"),)),
        Circuit("wm3", bytes(6), ()),
    ]
    ports, lines = attach(CONFIG, circuits)
    assert [port.label() for port in ports] == [
        "wm0/00:00:00:00:00:00/10.9.0.0",
        "wm1/00:00:00:00:00:00/both",
        "wm2/00:00:00:00:00:00/both",
    ]
    assert ports[0].addr == inet_aton("10.9.0.1")
    assert lines[0] == "Multiple interfaces match the same shared network: wm1 wm2"
    assert lines[2] == "No subnet declaration for wm3 (no IPv4 addresses)."
