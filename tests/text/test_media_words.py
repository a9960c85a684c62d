"""Media words: the names of the tables both ways, and any word at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.text.media import (
    MODES,
    OPTIONS,
    SUBTYPES,
    TYPES,
    UnknownOption,
    ifm_inst,
    make_word,
    media_mode,
    media_mode_string,
    media_option_strings,
    media_options,
    media_status,
    media_subtype,
    media_subtype_string,
    media_type_string,
    media_word,
)

ETHER, TOKEN, FDDI, WIFI, CARP = 0x20, 0x40, 0x60, 0x80, 0xC0


@pytest.mark.parametrize(
    ("kind", "names", "number"),
    [
        (ETHER, "10baseT 10baseT/UTP UTP 10UTP 10BASE-T utp", 3),
        (ETHER, "10base2 BNC 10BNC", 4),
        (ETHER, "10base5 AUI 10AUI", 5),
        (ETHER, "100baseTX 100TX 100BASE-TX", 6),
        (ETHER, "100baseFX 100FX", 7),
        (ETHER, "100baseT4 100T4", 8),
        (ETHER, "100baseVG 100VG 100VG-AnyLAN", 9),
        (ETHER, "100baseT2 100T2", 10),
        (ETHER, "1000baseSX 1000SX", 11),
        (ETHER, "10baseSTP STP 10STP", 12),
        (ETHER, "10baseFL FL 10FL", 13),
        (ETHER, "1000baseLX 1000LX", 14),
        (ETHER, "1000baseCX 1000CX", 15),
        (ETHER, "1000baseT 1000T 1000BASE-T 1000baset", 16),
        (ETHER, "HomePNA1 HPNA1", 17),
        (ETHER, "10GbaseLR 10GLR", 18),
        (ETHER, "10GbaseSR 10GSR", 19),
        (ETHER, "10GbaseCX4 10GCX4", 20),
        (WIFI, "FH1", 3),
        (WIFI, "FH2", 4),
        (WIFI, "DS2", 5),
        (WIFI, "DS5", 6),
        (WIFI, "DS11", 7),
        (WIFI, "DS1", 8),
        (WIFI, "DS22", 9),
        (WIFI, "OFDM6", 10),
        (WIFI, "OFDM54", 17),
        (WIFI, "OFDM72", 18),
    ],
)
def test_subtypes_of_the_reference(kind, names, number):
    first = names.split()[0]
    for name in names.split():
        value = media_subtype(kind, name)
        assert value is not None
        assert value & 0x1F == number
        assert value & 0xE0 == kind
        assert media_subtype_string(value) == first


@pytest.mark.parametrize("kind", [ETHER, TOKEN, FDDI, WIFI, CARP])
def test_common_subtypes_belong_to_every_type(kind):
    assert [media_subtype(kind, n) for n in ("autoselect", "auto", "manual", "none")] == [
        0,
        0,
        1,
        2,
    ]
    assert media_subtype_string(kind) == "autoselect"


def test_a_name_of_another_type_is_unknown():
    assert media_subtype(ETHER, "OFDM54") is None
    assert media_subtype(WIFI, "100baseTX") is None
    assert media_mode(ETHER, "11g") is None
    with pytest.raises(UnknownOption, match="hostap"):
        media_options(ETHER, "fdx,hostap")


def test_shorthands_carry_full_duplex():
    for name in ("10baseT-FDX", "10BASE-T-FDX", "100baseTX-FDX", "100BASE-TX-FDX"):
        assert media_subtype(ETHER, name) is not None
        assert media_subtype(ETHER, name) & 0x100000
    assert media_word(0x100026) == "100baseTX full-duplex"


@pytest.mark.parametrize(
    ("name", "value"), [("11a", 0x10000), ("11b", 0x20000), ("11g", 0x30000), ("FH", 0x40000)]
)
def test_modes(name, value):
    word = media_mode(WIFI, name)
    assert word is not None
    assert word & 0x70000 == value
    assert media_mode_string(WIFI | value) == name.lower()
    assert media_mode(WIFI, "auto") == media_mode(WIFI, "autoselect") == 0


@pytest.mark.parametrize(
    ("kind", "names", "bits"),
    [
        (ETHER, "full-duplex fdx", 0x100000),
        (ETHER, "half-duplex hdx", 0x200000),
        (ETHER, "flowcontrol flow", 0x400000),
        (ETHER, "flag0", 0x1000000),
        (ETHER, "flag1", 0x2000000),
        (ETHER, "flag2", 0x4000000),
        (ETHER, "loopback hw-loopback loop", 0x8000000),
        (ETHER, "master", 0x100),
        (ETHER, "rxpause", 0x200),
        (ETHER, "txpause", 0x400),
        (WIFI, "adhoc ibss", 0x100),
        (WIFI, "hostap", 0x200),
        (WIFI, "monitor", 0x400),
        (WIFI, "turbo", 0x800),
    ],
)
def test_options(kind, names, bits):
    for name in names.split():
        assert media_options(kind, name.upper()) == bits
    assert media_option_strings(kind | bits) == [names.split()[0]]


def test_options_print_global_ones_first_whatever_the_order_given():
    bits = media_options(ETHER, "txpause,flow,,fdx")
    assert media_option_strings(ETHER | bits) == ["full-duplex", "flowcontrol", "txpause"]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (0x80, "autoselect"),
        (0x8F | 0x30000, "OFDM36 mode 11g"),
        (0x80 | 0x20000 | 0x200, "autoselect mode 11b hostap"),
        (0x91 | 0x30000 | 0x200, "OFDM54 mode 11g hostap"),
        (0x20, "autoselect"),
        (0x30 | 0x100000, "1000baseT full-duplex"),
        (0x30 | 0x500000 | 0x30000000, "1000baseT full-duplex,flowcontrol instance 3"),
        (0x3F, "<unknown subtype>"),
    ],
)
def test_words_of_the_guide(word, text):
    assert media_word(word) == text


@pytest.mark.parametrize(
    ("kind", "active", "inactive"),
    [
        (ETHER, "active", "no carrier"),
        (WIFI, "active", "no network"),
        (FDDI, "inserted", "no ring"),
        (TOKEN, "inserted", "no ring"),
        (CARP, "master", "backup"),
        (0xA0, "unknown", "unknown"),
    ],
)
def test_status(kind, active, inactive):
    assert media_status(kind, 3) == active
    assert media_status(kind, 1) == inactive
    assert media_status(kind, 2) is None


@given(st.integers(0, 0xFFFFFFFF))
def test_any_word_prints_and_its_parts_read_back(word):
    assert media_word(word)
    assert media_type_string(word)
    options = media_option_strings(word)
    assert media_options(word & 0xE0, ",".join(options)) & ~word == 0
    text = media_subtype_string(word)
    if not text.startswith("<"):
        value = media_subtype(word & 0xE0, text)
        assert value is not None
        assert value & 0x1F == word & 0x1F
    assert make_word(word & 0xE0, 0, 0, ifm_inst(word)) & 0xF0000000 == word & 0xF0000000


@given(st.text(max_size=40), st.sampled_from([0, ETHER, TOKEN, FDDI, WIFI, CARP, 0xE0]))
def test_any_name_is_known_or_not(text, kind):
    for value in (media_subtype(kind, text), media_mode(kind, text)):
        assert value is None or value & 0xE0 in (0, kind & 0xE0)
    try:
        bits = media_options(kind, text)
    except UnknownOption:
        bits = 0
    assert bits & 0xE0 == 0


def test_no_two_first_names_of_a_type_are_the_same():
    for rows in (TYPES, MODES, OPTIONS):
        firsts = [(value & 0xE0, names.split()[0]) for value, names in rows]
        assert len(set(firsts)) == len(firsts)
    assert len(SUBTYPES) == len({names for _value, names in SUBTYPES})
