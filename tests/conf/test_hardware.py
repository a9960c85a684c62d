"""box.json: what a description means, and that no text breaks the parser."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf.hardware import (
    ANY,
    WIRELESS,
    BadHardware,
    build,
    default_mac,
    default_nics,
    found_nic,
    parse,
    parse_nic,
)
from libnet.drivers.table import ROWS

BAD = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[]", "not a table"),
    ("{}", "version None, not 1"),
    ('{"version": 2, "nics": []}', "version 2"),
    ('{"version": 1}', "nics: not a list"),
    ('{"version": 1, "nics": [3]}', "a NIC is a table"),
    ('{"version": 1, "nics": [{"driver": "a b"}]}', "not the name of a driver"),
    ('{"version": 1, "nics": [{"driver": 7}]}', "not the name of a driver"),
    ('{"version": 1, "nics": [{"segment": "../x"}]}', "not the name of a segment"),
    ('{"version": 1, "nics": [{"mac": "02:00"}]}', "not a MAC address"),
    ('{"version": 1, "nics": [{"mac": "03:00:00:00:00:01"}]}', "a group address"),
    ('{"version": 1, "nics": [{"irq": -1}]}', "irq -1"),
    ('{"version": 1, "nics": [{"irq": true}]}', "irq True"),
    (json.dumps({"version": 1, "nics": [{}] * 65}), "at most 64"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_a_description_that_makes_no_sense_says_why(text, reason):
    with pytest.raises(BadHardware, match=reason):
        parse(text, "BoxA")


@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(json.dumps)
)
def test_any_text_parses_or_is_bad_hardware(text):
    try:
        parse(text, "BoxA")
    except BadHardware:
        return


@given(st.text(max_size=60))
def test_any_nic_option_parses_or_is_bad_hardware(text):
    try:
        nic = parse_nic(text, "BoxA", ())
    except BadHardware:
        return
    assert parse(build([nic]), "BoxA") == [nic]


def test_what_is_built_parses_to_the_same():
    nics = []
    for text in ("i82544", "i82544:lan1", "e1000:,mac=02-00-00-00-00-07,irq=11,pci=3", "*"):
        nics.append(parse_nic(text, "BoxA", nics))
    assert parse(build(nics), "BoxA") == nics
    assert [(n.driver, n.segment, n.pci) for n in nics] == [
        ("i82544", "lan0", 0),
        ("i82544", "lan1", 1),
        ("e1000", "", 3),
        (ANY, "lan0", 0),
    ]


def test_addresses_are_stable_local_and_differ_between_boxes_and_cards():
    macs = {default_mac(f"Box{i}", j) for i in range(50) for j in range(4)}
    assert len(macs) == 200
    assert all(mac[0] == 2 and len(mac) == 6 for mac in macs)
    assert default_mac("BoxA", 1).hex() == "02b5ef414f01"


def test_a_box_never_described_has_one_card_for_any_wired_driver():
    (nic,) = default_nics("BoxQ")
    assert (nic.driver, nic.segment, nic.index) == (ANY, "lan0", 0)
    assert nic.fits("i82544")
    assert nic.fits("speedo")


def test_a_card_fits_only_its_own_driver():
    nic = parse_nic("speedo", "BoxA", ())
    assert nic.fits("speedo")
    assert not nic.fits("i82544")


def test_the_fifth_card_shares_the_first_ones_interrupt():
    nics = []
    for _ in range(5):
        nics.append(parse_nic("e1000", "BoxA", nics))
    assert nics[4].irq == nics[0].irq
    assert len({nic.irq for nic in nics[:4]}) == 4


def test_a_radio_is_in_an_air_unless_told_otherwise():
    nics = parse('{"version": 1, "nics": [{"driver": "abc"}, {"driver": "i82544"}]}', "BoxA")
    assert [nic.segment for nic in nics] == ["air0", "lan0"]
    assert parse_nic("ral", "BoxA", ()).segment == "air0"
    assert parse_nic("ral:attic", "BoxA", ()).segment == "attic"


def test_a_nic_of_any_kind_is_a_wired_one():
    (nic,) = default_nics("BoxA")
    assert nic.fits("i82544")
    assert not nic.fits("abc")
    assert found_nic("BoxA", "abc", [nic]).fits("abc")
    assert found_nic("BoxA", "xyz", [nic]).segment == "lan0"


def test_the_wireless_drivers_are_those_of_the_table():
    assert {row.driver for row in ROWS if row.modes} == WIRELESS
