"""dhcpd.leases(5): entries as the original writes them, and files that end anywhere."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.conf.leases import NEVER, STATES, Lease, header, read_leases, time_text, time_value

ENTRY = r"""lease 10.77.3.100 {
  starts 0 2026/11/22 16:26:36;
  ends 0 2026/11/22 16:36:36;
  cltt 0 2026/11/22 16:26:36;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet 02:00:00:0c:00:01;
  uid "\001\002\000\000\014\000\001";
  client-hostname "box";
}
"""
ODD = r"""lease 10.0.0.7 {
  starts 4 1970/01/01 00:00:00;
  ends never;
  binding state abandoned;
  next binding state free;
  billing subclass "gold" aa:bb;
  hardware token-ring 02:00:00:0c:00:02;
  set vendor-class-identifier = "MSFT {5.0}";
  set count = %42;
  option agent.circuit-id "r0";
  on expiry or release {
    set x = "}";
  }
}
"""

leases = st.builds(
    lambda addr, times, state, mac, uid, name: _lease(addr, times, state, mac, uid, name),
    st.integers(0, 0xFFFFFFFF),
    st.dictionaries(st.sampled_from(("starts", "ends", "cltt")), st.integers(0, NEVER)),
    st.sampled_from(STATES),
    st.none() | st.binary(min_size=1, max_size=16),
    st.none() | st.binary(max_size=20),
    st.text(st.characters(max_codepoint=255), max_size=12),
)


def _lease(
    addr: int, times: dict[str, int], state: str, mac: bytes | None, uid: bytes | None, name: str
) -> Lease:
    lease = Lease(addr)
    lease.times, lease.state, lease.uid, lease.hostname = times, state, uid, name
    lease.hardware = None if mac is None else (1, mac)
    return lease


def test_an_entry_is_read_and_written_as_it_was() -> None:
    lease = read_leases(ENTRY, "l").leases[0x0A4D0364]
    assert lease.uid == bytes.fromhex("0102 00000c 0001".replace(" ", ""))
    assert lease.times["ends"] - lease.times["starts"] == 600
    assert lease.text() == ENTRY


def test_what_is_unusual_in_an_entry_survives() -> None:
    database = read_leases(ODD, "l")
    lease = database.leases[0x0A000007]
    assert not database.errors
    assert lease.times == {"starts": 0, "ends": NEVER}
    assert lease.billing == ("gold", b"\xaa\xbb")
    assert lease.sets == {"vendor-class-identifier": '"MSFT {5.0}"', "count": "%42"}
    assert lease.options == {"agent.circuit-id": '"r0"'}
    assert read_leases(lease.text(), "l").leases[0x0A000007] == lease


def test_the_last_entry_of_an_address_counts() -> None:
    again = ENTRY.replace("binding state active", "binding state free")
    assert read_leases(ENTRY + again, "l").leases[0x0A4D0364].state == "free"


def test_header_and_foreign_lines_are_no_entries() -> None:
    text = header("isc-dhcpd-V3.0.7") + 'server-duid "\\000\\001";\nauthoring-byte-order x;\n'
    database = read_leases(text + "host a { dynamic; fixed-address 1.2.3.4; }\n" + ENTRY, "l")
    assert list(database.leases) == [0x0A4D0364]
    assert database.kept == ["host a { dynamic; fixed-address 1.2.3.4; }"]
    assert not database.errors


def test_an_unknown_member_is_told_and_the_rest_is_read() -> None:
    database = read_leases("\nlease 10.0.0.1 {\n  frobnicate on;\n  binding state free;\n}\n", "l2")
    assert [str(error).splitlines()[0] for error in database.errors] == [
        "l2 line 3: Unexpected configuration directive.",
        "l2 line 3: possibly corrupt lease file",
    ]
    assert database.leases[0x0A000001].state == "free"


def test_a_file_cut_at_any_octet_keeps_every_whole_entry() -> None:
    entries = [ENTRY, ODD, ENTRY.replace("16:36:36", "17:36:36"), ODD.replace("abandoned", "free")]
    text = header("isc-dhcpd-V3.0.7") + "".join(entries)
    ends, at = [], len(header("isc-dhcpd-V3.0.7"))
    for entry in entries:
        at += len(entry)
        ends.append(at - 1)  # the newline behind the last brace is not needed
    for cut in range(len(text) + 1):
        database = read_leases(text[:cut], "l")
        whole = sum(end <= cut for end in ends)
        expected = read_leases("".join(entries[:whole]), "l").leases
        assert database.leases == expected, cut
        assert not database.errors, cut


@given(leases)
def test_what_is_written_is_read_again(lease: Lease) -> None:
    database = read_leases(lease.text(), "l")
    assert database.leases == {lease.addr: lease}
    assert not database.errors


@given(st.integers(0, NEVER - 1))
def test_times_agree_with_the_calendar(when: int) -> None:
    at = time.gmtime(when)
    assert time_text(when) == time.strftime("%w %Y/%m/%d %H:%M:%S", at)
    assert time_value(*at[:6]) == when


@given(
    st.text(st.characters(max_codepoint=255))
    | st.lists(
        st.sampled_from(ENTRY.split() + ODD.split() + ["{", "}", ";", '"', "\n"]), max_size=60
    ).map(" ".join)
)
@settings(max_examples=300)
def test_no_text_upsets_the_reader(text: str) -> None:
    database = read_leases(text, "l")
    assert all(0 <= addr <= 0xFFFFFFFF for addr in database.leases)
