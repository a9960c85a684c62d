"""Networks and stations of others, as today's programs make them, and ours among them."""

from __future__ import annotations

import pytest

from libnet.drivers.radio import VirtualRadio
from libnet.lab.memory import World
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of

ALL = b"\xff" * 6
SSID = b"hostapd net"
# Elements of 802.11d, e, h, k, n, ac, ax as hostapd and mac80211 send them.
COUNTRY = w.element(7, b"US \x01\x0b\x1e")
POWER = w.element(33, bytes((0, 20)))
CHANNELS = w.element(36, bytes((1, 13)))
RM = w.element(70, bytes(5))
HT = w.element(45, bytes.fromhex("0c0117ff") + bytes(22))
HT_OPERATION = w.element(61, bytes((6,)) + bytes(21))
EXTENDED = w.element(127, bytes.fromhex("0400080000000040"))
VHT = w.element(191, bytes.fromhex("b2718033faff0000faff0020"))
HE = w.element(255, b"\x23" + bytes(21))
WMM = w.element(221, bytes.fromhex("0050f202010100000" + "3a4000027a4000042435e0062322f00"))
RSN = w.element(48, bytes.fromhex("0100000fac040100000fac040100000fac020000"))
MODERN = COUNTRY + RM + HT + HT_OPERATION + EXTENDED + VHT + HE + WMM
MIXED = (130, 132, 139, 150, 12, 18, 24, 36, 48, 72, 96, 108)


@pytest.fixture
def world():
    """Return a world with nothing in it yet."""
    with World(seed=8) as made:
        yield made


def box(world, *lines):
    """Return a box with a radio, and run *lines* on it."""
    made = world.box("Ours")
    for line in ("io-pkt-v4-hc -d abc", *lines):
        got = made.sh(line)
        assert got.status == 0, (line, got)
    return made


class Outsider:
    """A radio in air0 with an 802.11 layer of the test's. heard: frames that it got."""

    def __init__(self, world, mac, chan):
        self.world, self.mac = world, mac
        self.radio = VirtualRadio(world.air("air0").plug("outside"), world.dice("outside"), mac)
        self.radio.stamps = False
        self.radio.receive = lambda frame, _info: self.got(w.Frame.parse(frame))
        self.radio.start()
        self.radio.tune(freq_of(chan))
        self.heard = []
        self.seq = 0

    def got(self, frame):
        self.heard.append(frame)

    def send(self, frame, rate=12):
        self.seq += 16
        raw = frame[:22] + (self.seq & 0xFFF0).to_bytes(2, "little") + frame[24:]
        assert self.radio.transmit(raw, ((rate, 4),))

    def mgmt(self, kind, to, bssid, body, rate=12):
        self.send(w.mgmt(kind, da=to, sa=self.mac, bssid=bssid, body=body), rate)

    def of(self, kind):
        """Return what was heard of one kind."""
        return [frame for frame in self.heard if frame.fc & w.FC_KIND == kind]


class Hostapd(Outsider):
    """An access point that answers, and echoes ARP requests and pings, as QoS data now and then.

    rates    as they stand in its beacons        ssid  as it stands there
    modern   elements behind those that we read  tim   its bits of the traffic map
    """

    def __init__(self, world, *, chan=6, rates=MIXED, modern=MODERN, ssid=SSID, dtim=2, intval=100):
        super().__init__(world, bytes.fromhex("020000000088"), chan)
        self.chan, self.rates, self.modern, self.ssid = chan, rates, modern, ssid
        self.dtim, self.intval = dtim, intval
        self.cap = w.CAPINFO_ESS | (0 if chan > 14 else w.CAPINFO_SHORT_SLOTTIME)
        self.tbtts = 0
        self.tbtt()

    def elems(self, ssid, tim=b""):
        low = self.chan <= 14
        return b"".join(
            (
                w.ssid_elem(ssid),
                w.rates_elem(self.rates),
                w.dsparms_elem(self.chan) if low else b"",
                tim,
                w.erp_elem(4) if low else b"",
                w.xrates_elem(self.rates),
                self.modern,
            )
        )

    def tbtt(self):
        left = -self.tbtts % self.dtim
        self.tbtts += 1
        tim = w.tim_elem(left=left, period=self.dtim, mcast=False, aids=())
        beacon = w.Beacon(self.radio.tsf(), self.intval, self.cap, self.elems(self.ssid, tim))
        self.mgmt(w.BEACON, ALL, self.mac, beacon.build(), self.rates[0] & 127)
        self.world.clock.after(self.intval * 0.001024, self.tbtt)

    def got(self, frame):
        super().got(frame)
        kind, sta = frame.fc & w.FC_KIND, frame.addr2
        if kind == w.PROBE_REQ and frame.body[:2] != b"\0\0":
            body = w.Beacon(self.radio.tsf(), self.intval, self.cap, self.elems(SSID)).build()
            self.mgmt(w.PROBE_RESP, sta, self.mac, body)
        elif kind == w.AUTH:
            self.mgmt(w.AUTH, sta, self.mac, w.Auth(0, 2, 0, EXTENDED).build())
        elif kind in (w.ASSOC_REQ, w.REASSOC_REQ):
            elems = w.rates_elem(self.rates) + w.xrates_elem(self.rates) + self.modern
            self.mgmt(kind + 0x10, sta, self.mac, w.AssocResp(self.cap, 0, 1, elems).build())
            # What 802.11n says when a station has come: shall we send frames in blocks?
            self.mgmt(w.ACTION, sta, self.mac, bytes.fromhex("030001021000000000"))
        elif kind == w.DATA and frame.body:
            self.echo(w.body_to_ether(frame.da, frame.sa, frame.body))

    def echo(self, ether):
        data = bytearray(ether)
        host = b"\2\0\0\0\0\x99"
        if data[12:14] == b"\x08\x06" and data[21] == 1:
            data[21] = 2
            data[32:38], data[38:42], data[22:28], data[28:32] = (
                *(data[22:28], data[28:32]),
                *(host, data[38:42]),
            )
        elif data[12:14] == b"\x08\x00" and data[34] == 8:
            data[26:30], data[30:34] = data[30:34], data[26:30]
            data[34] = 0
            check = int.from_bytes(data[36:38], "big") + 0x800
            data[36:38] = (check % 0xFFFF).to_bytes(2, "big")
        else:
            return
        frame = ether[6:12] + host + bytes(data[12:])
        for qos in (None, 5):  # the second answer is a QoS frame
            self.send(
                w.data(
                    w.DATA | w.FC_FROMDS,
                    da=frame[:6],
                    sa=host,
                    bssid=self.mac,
                    body=w.ether_to_body(frame),
                    qos=qos,
                )
            )
        null = w.data(w.NODATA | w.FC_FROMDS, da=frame[:6], sa=host, bssid=self.mac, qos=7)
        self.send(null)


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"chan": 36, "rates": (140, 18, 152, 36, 176, 72, 96, 108)},
        {"rates": (140, 18, 152, 36, 176, 72, 96, 108)},  # 802.11g without the rates of 802.11b
        {"rates": (130, 132, 139, 150), "modern": b""},
        {"ssid": b""},
        {"ssid": bytes(len(SSID))},
        {"dtim": 5, "intval": 300},
    ],
    ids=["mixed", "11a", "OFDM only", "11b", "hidden", "zeroed", "slow"],
)
@pytest.mark.parametrize("save", ["-powersave", "powersave"])
def test_a_station_gets_on_with_an_access_point_of_others(world, network, save):
    hostapd = Hostapd(world, **network)
    ours = box(world, f'ifconfig abc0 ssid "{SSID.decode()}" {save} 10.0.0.2/24')
    world.run(15)
    assert "status: active" in ours.sh("ifconfig abc0").out
    got = ours.sh("ping -c 3 10.0.0.1").out
    assert "3 packets transmitted, 3 packets received" in got, got
    assert "duplicates" in got  # the QoS answers
    assert len(hostapd.of(w.ASSOC_REQ)) == 1  # and it has stayed in


@pytest.mark.parametrize("mode", ["11b", "11g"])
def test_an_access_point_gets_on_with_a_station_of_others(world, mode):
    ours = box(
        world,
        f"ifconfig abc0 ssid net chan 6 media autoselect mode {mode} mediaopt hostap 10.0.0.1/24",
    )
    world.run(1)
    sta = Outsider(world, bytes.fromhex("020000000077"), 6)
    # The last two are no rates: what it can besides.
    elems = w.rates_elem((*MIXED, 251, 255)) + w.xrates_elem((*MIXED, 251, 255))
    sta.mgmt(w.PROBE_REQ, ALL, ALL, w.ssid_elem(b"") + elems + HT + EXTENDED + VHT + HE, 2)
    world.run(0.1)
    (answer,) = sta.of(w.PROBE_RESP)
    ap = answer.addr2
    sta.mgmt(w.AUTH, ap, ap, w.Auth(0, 1, 0, EXTENDED).build(), 2)
    world.run(0.1)
    more = POWER + CHANNELS + RSN + RM + HT + VHT + EXTENDED + HE + WMM
    req = w.AssocReq(0x1421, 5, b"", w.ssid_elem(b"net") + elems + more)
    sta.mgmt(w.ASSOC_REQ, ap, ap, req.build(), 2)
    world.run(0.1)
    (resp,) = sta.of(w.ASSOC_RESP)
    assert w.AssocResp.parse(resp.body).status == 0
    sta.mgmt(w.ACTION, ap, ap, bytes.fromhex("030001021000000000"), 2)

    def tell(kind, body=b"", qos=None, rate=22):
        sta.send(w.data(kind | w.FC_TODS, da=ap, sa=sta.mac, bssid=ap, body=body, qos=qos), rate)
        world.run(0.3)

    arp = bytes.fromhex("0001080006040001") + sta.mac + b"\x0a\0\0\x4d" + bytes(6) + b"\x0a\0\0\1"
    for qos in (None, 0, 6):
        before = len(sta.of(w.DATA))
        tell(w.DATA, w.ether_to_body(ap + sta.mac + b"\x08\x06" + arp), qos)
        assert len(sta.of(w.DATA)) == before + 1
    # Asleep, as it says in a QoS null frame, and awake again.
    tell(w.NODATA | w.FC_PWRMGT, qos=7)
    ping = world.box("Ours").spawn("ping -c 1 10.0.0.77")
    world.run(0.5)
    assert len(sta.of(w.DATA)) == 3
    tim = w.Tim.parse(w.Elements.parse(w.Beacon.parse(sta.of(w.BEACON)[-1].body).elems).tim)
    assert tim.has(1)
    tell(w.NODATA, qos=7)
    assert len(sta.of(w.DATA)) == 4
    ping.kill()
    assert ours.sh("ifconfig -v abc0 | grep 'rx decapsulation'").out.endswith(": 0\n")
