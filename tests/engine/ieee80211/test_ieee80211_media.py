"""Media words of wireless interfaces: the list, the choice, what is in use."""

from __future__ import annotations

import pytest

from libnet.engine.ieee80211.ieee80211_rate import is_erp, lowest, mode_rates, negotiate
from libnet.engine.ieee80211.ieee80211_var import (
    M_HOSTAP,
    M_IBSS,
    M_STA,
    MODE_11A,
    MODE_11B,
    MODE_11G,
    S_INIT,
    S_RUN,
)
from libnet.errors import NetError

AUTO, OFDM54, DS11 = 0x80, 0x91, 0x87
ADHOC, HOSTAP, MONITOR = 0x100, 0x200, 0x400
MODE_A, MODE_B, MODE_G = 0x10000, 0x20000, 0x30000


def words(box):
    return box.ifp.media.words


def test_every_mode_lists_its_rates_and_what_the_radio_can_be(lab):
    box = lab.box()
    listed = words(box)
    assert listed[:4] == [AUTO, AUTO | ADHOC, AUTO | HOSTAP, AUTO | MONITOR]
    assert {OFDM54 | MODE_G | HOSTAP, OFDM54 | MODE_A, DS11 | MODE_B, OFDM54 | HOSTAP} <= set(
        listed
    )
    assert OFDM54 | MODE_B not in listed
    assert len(listed) == len(set(listed))


def test_a_radio_that_cannot_be_an_access_point_refuses_it(lab):
    box = lab.box(hostap=False)
    assert not [word for word in words(box) if word & HOSTAP]
    for act in (
        lambda: box.ifp.media.set(AUTO | HOSTAP),
        lambda: box.ic.media_change(AUTO | HOSTAP),
    ):
        with pytest.raises(NetError) as caught:
            act()
        assert caught.value.symbol == "EINVAL"
    assert box.ic.opmode == M_STA


def test_without_802_11a_hardware_there_is_no_mode_11a(lab):
    box = lab.box(modes=("11b", "11g"), freqs=(2412,))
    assert not [word for word in words(box) if word & 0x70000 == MODE_A]
    with pytest.raises(NetError):
        box.ic.media_change(AUTO | MODE_A)


def test_an_access_point_without_a_mode_takes_11b_and_says_so(lab):
    box = lab.box()
    box.ifp.media.set(AUTO | HOSTAP)
    assert box.ic.opmode == M_HOSTAP
    assert box.ic.media_status()[1] == AUTO | HOSTAP | MODE_B


def test_a_rate_of_11g_makes_an_access_point_one_of_11g(lab):
    box = lab.box()
    box.ifp.media.set(OFDM54 | HOSTAP)
    assert (box.ic.curmode, box.ic.fixed_rate) == (MODE_11G, 108)
    assert box.ic.media_status()[1] == OFDM54 | HOSTAP | MODE_G


def test_a_change_of_what_an_interface_is_begins_anew(lab):
    ap = lab.box().be(M_HOSTAP, des_chan=2412)
    sta = lab.box().be()
    lab.run(5)
    assert sta.ic.state == S_RUN
    sta.ifp.media.set(AUTO | ADHOC)
    lab.run(5)
    assert (sta.ic.opmode, sta.ic.state) == (M_IBSS, S_RUN)
    assert sta.mac not in ap.ic.nodes
    sta.ifp.media.set(AUTO)
    lab.run(5)
    assert lab.talks(sta, ap)


def test_a_change_while_down_does_not_bring_it_up(lab):
    box = lab.box()
    box.ifp.media.set(AUTO | ADHOC)
    lab.run(5)
    assert box.ic.state == S_INIT
    assert not lab.air.sent


def test_a_station_shows_the_rate_and_mode_of_its_network(lab):
    lab.box().be(M_HOSTAP, des_chan=2412, des_mode=MODE_11G)
    sta = lab.box()
    assert sta.ic.media_status() == (1, AUTO)
    sta.be()
    lab.run(5)
    assert sta.ic.media_status() == (3, 0x8F | MODE_G)  # OFDM36


def test_a_channel_of_another_band_is_not_kept(lab):
    box = lab.box()
    box.ic.des_chan = 2412
    box.ifp.media.set(AUTO | MODE_A)
    assert box.ic.des_chan == 0
    assert box.ic.chan_active == {5180, 5260}


def test_rate_sets():
    assert [r & 0x7F for r in mode_rates(MODE_11B)] == [2, 4, 11, 22]
    assert [r & 0x7F for r in mode_rates(MODE_11A) if r & 0x80] == [12, 24, 48]
    assert [r & 0x7F for r in mode_rates(MODE_11G) if r & 0x80] == [2, 4, 11, 22]
    assert is_erp(mode_rates(MODE_11G))
    assert not is_erp(mode_rates(MODE_11A))
    assert lowest(mode_rates(MODE_11A)) == 12
    assert negotiate([], mode_rates(MODE_11B)) is None
    assert negotiate([22, 2], mode_rates(MODE_11B), fixed=4) is None
