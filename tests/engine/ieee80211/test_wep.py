"""WEP: the published frames, and what a wrong one costs."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.engine.ieee80211.ieee80211_var import Key
from libnet.engine.ieee80211.wep import Wep, rc4_for, rc4_plain
from libnet.engine.kern.stat import Stat

DATA = Path(__file__).parents[2] / "data" / "wifi" / "wep.json"
VECTORS = {v["id"]: v for v in json.loads(DATA.read_text())["vectors"]}
HEAD = bytes(24)


def wep() -> Wep:
    ic = SimpleNamespace(
        stack=SimpleNamespace(dice=Random(7)), stats=Stat(), dprintf=lambda bit, text: None
    )
    return Wep(ic)  # type: ignore[arg-type]


def key_of(cipher: Wep, octets: bytes, keyix: int = 0) -> Key:
    key = Key(keyix, "WEP", octets)
    assert cipher.setkey(key)
    return key


@pytest.mark.parametrize("name", [name for name in VECTORS if name.startswith("rc4")])
def test_rc4_gives_the_published_keystream(name):
    key = bytes.fromhex(VECTORS[name]["input"]["key"])
    stream = VECTORS[name]["expected"]["keystream"]
    assert rc4_plain(key, bytes(16)).hex() == stream
    assert rc4_for(len(key))(key, bytes(16)).hex() == stream


@pytest.mark.parametrize("name", [name for name in VECTORS if name.startswith("wep")])
def test_published_frames_come_out_and_go_in(name):
    told = VECTORS[name]["input"]
    head, body = bytes.fromhex(told["header"]), bytes.fromhex(told["body"])
    frame = bytes.fromhex(VECTORS[name]["expected"]["frame"])
    cipher = wep()
    key = key_of(cipher, bytes.fromhex(told["key"]), told["keyid"])
    key.ctx.iv = int(told["iv"], 16)
    assert head + cipher.encap(key, head, body) == frame
    assert cipher.decap(key, head, frame[len(head) :]) == body
    assert cipher.ic.stats == {"crypto_wep": 2}


@given(st.binary(max_size=100), st.sampled_from([5, 13]), st.data())
def test_what_one_enciphers_the_other_deciphers(body, size, data):
    octets = data.draw(st.binary(min_size=size, max_size=size))
    one, other = wep(), wep()
    air = one.encap(key_of(one, octets, 3), HEAD, body)
    assert len(air) == len(body) + Wep.header + Wep.trailer
    assert air[3] >> 6 == 3
    assert other.decap(key_of(other, octets, 3), HEAD, air) == body


@given(st.binary(max_size=60))
def test_noise_is_counted_and_dropped(noise):
    cipher = wep()
    assert cipher.decap(key_of(cipher, b"abcde"), HEAD, noise) is None
    assert cipher.ic.stats["rx_wepfail"] == 1


def test_another_key_gives_nothing():
    one = wep()
    air = one.encap(key_of(one, b"abcde"), HEAD, b"secret")
    assert one.decap(key_of(one, b"abcdf"), HEAD, air) is None
    assert one.ic.stats["rx_wepfail"] == 1


@pytest.mark.parametrize("size", [0, 1, 4, 6, 12, 14, 16])
def test_keys_are_five_or_thirteen_octets(size):
    assert not wep().setkey(Key(0, "wep", bytes(size)))


def test_ivs_count_up_past_those_that_give_the_key_away():
    cipher = wep()
    key = key_of(cipher, b"abcde")
    seen = []
    for start in (0x02FF00, 0x03FEFF, 0x0FFF10, 0x10FF00, 0xFFFFFF):
        key.ctx.iv = start
        seen += [cipher.encap(key, HEAD, b"")[:3].hex() for _ in range(2)]
    assert seen == [
        *("02ff00", "02ff01"),
        *("03feff", "040000"),
        *("100010", "100011"),
        *("10ff00", "10ff01"),
        *("ffffff", "000000"),
    ]


def test_the_first_iv_is_thrown():
    one, other = wep(), wep()
    other.ic.stack.dice.random()
    key = key_of(one, b"abcde")
    assert one.encap(key, HEAD, b"")[:3] != other.encap(key_of(other, b"abcde"), HEAD, b"")[:3]
