"""Frames out: Ethernet frames made into 802.11's, management frames, beacons (NetBSD ieee80211_output).

All frames that an interface sends are numbered by one counter, so that a receiver tells a repetition
from the next frame. What the radio has no room for waits in a short queue; data frames wait in the
interface's own queue, and are made into 802.11 frames as late as that.

A station sends only what is from itself: with three addresses in a frame nobody could answer the others
of a bridge. Such frames are counted (`tx_badsrc` of ieee80211) and dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_proto import mcast_rate
from libnet.engine.ieee80211.ieee80211_rate import mode_rates
from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_SHARED,
    BROADCAST,
    FRAG_MAX,
    M_HOSTAP,
    M_IBSS,
    M_MONITOR,
    M_STA,
    MGMT_NAMES,
    MODE_11B,
    MODE_11G,
    MSG_ASSOC,
    MSG_AUTH,
    MSG_DEBUG,
    MSG_DUMPPKTS,
    MSG_INACT,
    MSG_OUTPUT,
    PROT_NONE,
    S_AUTH,
    S_RUN,
    Key,
    Node,
)
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.ethernet import BPF_OUT
from libnet.ioctl.ifflags import IFF_OACTIVE
from libnet.wire import ieee80211 as w
from libnet.wire.phy import FCS_LEN, TxStatus, channel_of, is_ofdm

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com
    from libnet.engine.ieee80211.radio import Series

PENDING_MAX: Final = 64  # frames that wait for room in the radio
MGMT_TRIES: Final = 7
UNACKED_MAX: Final = 50  # frames, after which a silent station is given up
SILENT_S: Final = 10.0
FRAGS_MAX: Final = 16  # fragments: four bits of number
ETHERTYPE_PAE: Final = b"\x88\x8e"
_SEQ_MASK: Final = 4095
Done = Callable[[TxStatus], None]
# A frame ready for the radio: octets, rates, RTS, short preamble, whom to tell.
Ready = tuple[bytes, "Series", bool, bool, Done | None]


class Output:
    """What one interface sends.

    pending  frames for which the radio had no room
    """

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self.stat = ic.stack.stat("ieee80211")
        self.pending: deque[Ready] = deque()
        self._relayed: deque[bytes] = deque()

    def reset(self) -> None:
        """Forget what waits."""
        self.pending.clear()
        self._relayed.clear()
        self.ic.ifp.snd.clear()

    # -- the radio's queue

    def ready(self) -> None:
        """Go on: the radio has room again."""
        if self._drain():
            self.ic.ifp.flags &= ~IFF_OACTIVE
            self.start()

    def _drain(self) -> bool:
        """Give the radio what waits; False when it has no room for all of it."""
        pending = self.pending
        transmit = self.ic.radio.transmit
        while pending:
            frame, series, rts, short, done = pending[0]
            if not transmit(frame, series, rts=rts, short_preamble=short, done=done):
                return False
            pending.popleft()
            self._sent(frame, series)
        return True

    def push(
        self,
        frame: bytes,
        series: Series,
        *,
        rts: bool = False,
        done: Done | None = None,
    ) -> bool:
        """Give a frame to the radio, or have it wait; False, counted, when that queue is full too."""
        ic = self.ic
        rate = series[0][0]
        short = ic.shpreamble and rate > 2 and not ic.usebarker
        if self.pending and ic.radio.room > 0:
            self._drain()
        if not self.pending and ic.radio.transmit(
            frame, series, rts=rts, short_preamble=short, done=done
        ):
            self._sent(frame, series)
            return True
        if len(self.pending) >= PENDING_MAX:
            ic.stats["tx_nobuf"] += 1
            ic.ifp.oerrors += 1
            return False
        self.pending.append((frame, series, rts, short, done))
        return True

    def _sent(self, frame: bytes, series: Series) -> None:
        ic = self.ic
        ic.power.touched()
        if ic.taps:
            ic.taps.out(frame, series[0][0])

    def seq(self, node: Node) -> int:
        """Return the sequence control of the next frame."""
        ic = self.ic
        seq = ic.txseq
        ic.txseq = seq + 1 & _SEQ_MASK
        node.txseqs = seq
        return seq << w.SEQ_SHIFT

    # -- data

    def start(self) -> None:
        """Send what the interface's queue holds, as long as the radio has room (if_start)."""
        ic = self.ic
        ifp = ic.ifp
        snd = ifp.snd
        if ic.state != S_RUN or ic.opmode == M_MONITOR:
            if ic.state < S_AUTH or ic.opmode == M_MONITOR:
                # Nobody to send to: old packets are of no use when there is.
                ifp.oerrors += len(snd)
                self.stat["tx_nonet"] += len(snd)
                snd.clear()
            return
        if ic.scanner.away:
            return
        radio = ic.radio
        relayed = self._relayed
        while relayed or snd:
            if self.pending or radio.room <= 0:
                ifp.flags |= IFF_OACTIVE
                return
            if relayed:
                self._send(relayed.popleft())
                continue
            frame = snd.popleft()
            if ic.opmode == M_HOSTAP and frame[6:12] in ic.nodes:
                self._moved(ic.nodes[frame[6:12]])
            if type(frame) is bytes:
                self._send(frame)
            else:
                for one in ic.fit(frame):
                    self._send(one)

    def relay(self, frame: bytes) -> None:
        """Send a station's frame to another one, or to all: we are the access point between them."""
        ifp = self.ic.ifp
        if len(self._relayed) >= ifp.snd_maxlen:
            ifp.odrops += 1
            self.stat["relayfull"] += 1
            return
        ifp.obytes += len(frame)
        if frame[0] & 1:
            ifp.omcasts += 1
        self._relayed.append(frame)
        if not ifp.flags & IFF_OACTIVE:
            self.start()

    def _moved(self, node: Node) -> None:
        # What a bridge brings with a member's address as its source shows where the member is now.
        if node.associd:
            self.ic.dprintf(MSG_ASSOC, f"[{ether_ntoa(node.mac)}] station is elsewhere now")
            self.stat["node_moved"] += 1
            self.ic.node_leave(node)

    def _send(self, frame: bytes) -> None:
        ic = self.ic
        ifp = ic.ifp
        if ifp.bpf is not None:
            ifp.bpf.mtap(frame, BPF_OUT)
        dst = frame[:6]
        node: Node | None
        if ic.opmode == M_STA:
            node = ic.bss
        else:
            node = ic.tables.txnode(dst)
            if node is None:
                self._lose(frame, "tx_nonode", f"nobody is {ether_ntoa(dst)}")
                return
        if frame[6:12] != ic.myaddr and ic.opmode != M_HOSTAP:
            self._lose(frame, "tx_badsrc", "a station sends only what is from itself")
            return
        if not node.authorized and frame[12:14] != ETHERTYPE_PAE:
            self._lose(frame, "tx_unauth", "unauthorized port")
            return
        ifp.opackets += 1
        if ic.opmode == M_HOSTAP and ic.power.hold(node, frame):
            return
        self.send_data(node, frame)

    def _lose(self, frame: bytes, counter: str, why: str) -> None:
        ic = self.ic
        ic.ifp.oerrors += 1
        ic.stack.drop(Mbuf(frame, ic.ifp), "ieee80211", counter, why)
        ic.dprintf(MSG_OUTPUT, f"[{ether_ntoa(frame[:6])}] discard frame: {why}")

    def send_data(self, node: Node, frame: bytes, *, more: bool = False) -> bool:
        """Send Ethernet *frame* to *node* now; *more* says that others follow. False when lost."""
        ic = self.ic
        dst = frame[:6]
        group = dst[0] & 1
        body = w.ether_to_body(frame)
        key: Key | None = None
        if ic.privacy:
            key = ic.crypto.txkey(node, group=bool(group) and ic.opmode != M_STA)
            if key is None and frame[12:14] != ETHERTYPE_PAE:
                self._lose(frame, "tx_nodefkey", "privacy without a key")
                return False
        fc = w.DATA
        if ic.opmode == M_STA:
            fc |= w.FC_TODS | (w.FC_PWRMGT if ic.power.dozing else 0)
            addrs = node.bssid, ic.myaddr, dst
        elif ic.opmode == M_HOSTAP:
            fc |= w.FC_FROMDS
            addrs = dst, ic.bss.bssid, frame[6:12]
        else:
            addrs = dst, ic.myaddr, ic.bss.bssid
        if more:
            fc |= w.FC_MOREDATA
        if key is not None:
            fc |= w.FC_PROTECTED
        seq = self.seq(node)
        node.stats["tx_data"] += 1
        node.stats["tx_bytes"] += len(body)
        direct = not addrs[0][0] & 1
        room = FRAG_MAX
        if direct and ic.fragthreshold < FRAG_MAX:
            over = ic.crypto.overhead(key) if key is not None else 0
            room = ic.fragthreshold - w.HDRLEN - FCS_LEN - over & ~1
        if len(body) <= room:
            head = w.HDR.pack(fc, 0, *addrs, seq)
            raw = head + body if key is None else ic.crypto.encap(key, head, body)
            return self._unicast(node, raw) if direct else self._group(raw)
        pieces = [body[at : at + room] for at in range(0, len(body), room)]
        if len(pieces) > FRAGS_MAX:
            self._lose(frame, "tx_toobig", "more than 16 fragments")
            return False
        ic.stats["tx_fragframes"] += 1
        ic.stats["tx_frags"] += len(pieces)
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            head = w.HDR.pack(fc if last else fc | w.FC_MOREFRAG, 0, *addrs, seq | index)
            raw = head + piece if key is None else ic.crypto.encap(key, head, piece)
            if not self._unicast(node, raw):
                return False
        return True

    def _unicast(self, node: Node, raw: bytes) -> bool:
        ic = self.ic
        series = ic.amrr.series(node)
        rts = len(raw) + FCS_LEN > ic.rtsthreshold
        if ic.useprot and ic.curmode == MODE_11G and not rts and ic.protmode != PROT_NONE:
            # Old stations do not hear OFDM: a CTS at a rate they know keeps them silent.
            rts = is_ofdm(series[0][0])

        def done(status: TxStatus) -> None:
            if node.amrr is not None:
                ic.amrr.complete(node, status)
            if status.acked:
                node.unacked = 0
                return
            ic.ifp.oerrors += 1
            node.stats["tx_failed"] += 1
            node.unacked += 1
            if node.unacked >= UNACKED_MAX and ic.opmode == M_HOSTAP:
                self._lost(node)

        return self.push(raw, series, rts=rts, done=done)

    def _lost(self, node: Node) -> None:
        """Give up a station that neither answers nor says anything: it uses the air for nothing."""
        ic = self.ic
        if not node.associd or ic.stack.clock.now - node.heard < SILENT_S:
            return
        ic.dprintf(MSG_INACT, f"[{ether_ntoa(node.mac)}] {node.unacked} frames without an answer")
        self.send_mgmt(node, w.DEAUTH, w.REASON_ASSOC_EXPIRE)
        ic.node_leave(node)
        ic.stats["node_timeout"] += 1

    def _group(self, raw: bytes) -> bool:
        return self.push(raw, ((mcast_rate(self.ic), 1),))

    def send_nulldata(
        self,
        node: Node,
        *,
        pwrmgt: bool | None = None,
        alive: bool = False,
        done: Done | None = None,
    ) -> None:
        """Send a frame without data (ieee80211_send_nulldata).

        pwrmgt  that we sleep, or do not; None: as it is
        alive   only to see whether the other side answers: an ACK counts as a word from it
        """
        ic = self.ic
        fc = w.NODATA
        if ic.opmode == M_STA:
            fc |= w.FC_TODS
            addrs = node.bssid, ic.myaddr, node.bssid
            if ic.power.dozing if pwrmgt is None else pwrmgt:
                fc |= w.FC_PWRMGT
        elif ic.opmode == M_HOSTAP:
            if alive and ic.power.hold(node, b""):
                return
            fc |= w.FC_FROMDS
            addrs = node.mac, ic.bss.bssid, ic.bss.bssid
        else:
            addrs = node.mac, ic.myaddr, ic.bss.bssid
        if alive:

            def heard(status: TxStatus) -> None:
                if status.acked:
                    ic.tables.alive(node)

            done = heard
        raw = w.HDR.pack(fc, 0, *addrs, self.seq(node))
        self.push(raw, ((mcast_rate(ic), MGMT_TRIES),), done=done)

    # -- management

    def _mgmt(self, kind: int, da: bytes, bssid: bytes, body: bytes, node: Node) -> None:
        ic = self.ic
        if ic.debug & (MSG_DEBUG | MSG_DUMPPKTS):
            ic.dprintf(
                MSG_DEBUG | MSG_DUMPPKTS,
                f"send {MGMT_NAMES[kind]} to {ether_ntoa(da)} on channel {ic.channel}",
            )
        if ic.power.dozing:
            kind |= w.FC_PWRMGT
        raw = w.mgmt(kind, da=da, sa=ic.myaddr, bssid=bssid, seq=self.seq(node), body=body)
        tries = 1 if da[0] & 1 else MGMT_TRIES
        self.push(raw, ((mcast_rate(ic), tries),))

    def send_mgmt(self, node: Node, kind: int, arg: int = 0) -> None:
        """Send a management frame to a station (ieee80211_send_mgmt).

        arg  of AUTH: the frame's number, and the status shifted by 16; of responses to an association:
             the status; of DEAUTH and DISASSOC: the reason
        """
        ic = self.ic
        who = ether_ntoa(node.mac)
        if kind == w.AUTH:
            self._auth(node, arg & 0xFFFF, arg >> 16)
            return
        if kind in (w.ASSOC_REQ, w.REASSOC_REQ):
            ic.dprintf(MSG_ASSOC, f"[{who}] send {'re' * (kind == w.REASSOC_REQ)}assoc request")
            rates = ic.proto.rates_of(ic.curchan)
            body = w.AssocReq(
                self.capinfo(station=True),
                ic.listen_interval,
                ic.proto.oldbss if kind == w.REASSOC_REQ else b"",
                w.ssid_elem(node.essid) + w.rates_elem(rates) + w.xrates_elem(rates) + ic.opt_ie,
            ).build()
            self._mgmt(kind, node.mac, node.bssid, body, node)
            return
        if kind in (w.ASSOC_RESP, w.REASSOC_RESP):
            rates = node.rates or ic.bss.rates
            elems = w.rates_elem(rates) + w.xrates_elem(rates)
            body = w.AssocResp(self.capinfo(), arg, node.aid, elems).build()
        elif kind in (w.DEAUTH, w.DISASSOC):
            name = "station deauthenticate" if kind == w.DEAUTH else "station disassociate"
            ic.dprintf(MSG_AUTH | MSG_DEBUG, f"[{who}] send {name} (reason {arg})")
            body = w.reason_build(arg)
        else:
            ic.stats["tx_unknownmgt"] += 1
            return
        self._mgmt(kind, node.mac, node.bssid, body, node)

    def send_error(self, mac: bytes, kind: int, arg: int) -> None:
        """Answer somebody who is in no table (ieee80211_send_error)."""
        self.send_mgmt(Node(mac, bssid=self.ic.bss.bssid), kind, arg)

    def _auth(self, node: Node, number: int, status: int) -> None:
        ic = self.ic
        shared = node.challenge or (
            ic.opmode == M_STA and ic.authmode == AUTH_SHARED and ic.privacy
        )
        if ic.opmode == M_HOSTAP:
            shared = node.authalg == AUTH_SHARED
        elems = b""
        if shared and not status and node.challenge and number in (2, 3):
            elems = w.challenge_elem(node.challenge)
        alg = w.AUTH_ALG_SHARED if shared else w.AUTH_ALG_OPEN
        body = w.Auth(alg, number, status, elems).build()
        ic.dprintf(
            MSG_AUTH,
            f"[{ether_ntoa(node.mac)}] send {'shared' if shared else 'open'} key auth, "
            f"frame {number} status {status}",
        )
        if shared and ic.opmode == M_STA and number == 3:
            key = ic.crypto.txkey(node, group=True)
            if key is None:
                return  # counted; the access point will not hear from us
            head = w.mgmt(
                w.AUTH | w.FC_PROTECTED,
                da=node.mac,
                sa=ic.myaddr,
                bssid=node.bssid,
                seq=self.seq(node),
            )
            raw = ic.crypto.encap(key, head, body)
            self.push(raw, ((mcast_rate(ic), MGMT_TRIES),))
            return
        self._mgmt(w.AUTH, node.mac, node.bssid, body, node)

    def send_probereq(self, da: bytes, bssid: bytes, ssid: bytes) -> None:
        """Ask who is there: *ssid* b"" for anybody."""
        ic = self.ic
        rates = ic.proto.rates_of(ic.curchan)
        body = w.ssid_elem(ssid) + w.rates_elem(rates) + w.xrates_elem(rates) + ic.opt_ie
        raw = w.mgmt(w.PROBE_REQ, da=da, sa=ic.myaddr, bssid=bssid, seq=self.seq(ic.bss), body=body)
        low = 12 if ic.curchan > 4000 else 2
        self.push(raw, ((low, 1 if da == BROADCAST else MGMT_TRIES),))

    def send_pspoll(self) -> None:
        """Ask our access point for one of the frames that it keeps."""
        ic = self.ic
        bss = ic.bss
        raw = w.ps_poll(bssid=bss.bssid, ta=ic.myaddr, aid=bss.aid)
        self.push(raw, ((mcast_rate(ic), MGMT_TRIES),))

    # -- our own network

    def capinfo(self, *, station: bool = False) -> int:
        """Return the capability bits of our network, or of us as a station of one."""
        ic = self.ic
        info = w.CAPINFO_IBSS if ic.opmode == M_IBSS else w.CAPINFO_ESS
        if ic.privacy:
            info |= w.CAPINFO_PRIVACY
        if ic.curchan < 4000:
            if ic.shpreamble or station:
                info |= w.CAPINFO_SHORT_PREAMBLE
            if ic.curmode == MODE_11G and (ic.shslot or station):
                info |= w.CAPINFO_SHORT_SLOTTIME
        return info

    def erp(self) -> int:
        """Return the octet of the ERP element."""
        ic = self.ic
        bits = w.ERP_NON_ERP_PRESENT if ic.nonerpsta else 0
        if ic.useprot:
            bits |= w.ERP_USE_PROTECTION
        if ic.usebarker:
            bits |= w.ERP_LONG_PREAMBLE
        return bits

    def _elements(self, ssid: bytes, tim: bytes) -> bytes:
        ic = self.ic
        rates = ic.bss.rates or mode_rates(MODE_11B)
        elems = w.ssid_elem(ssid) + w.rates_elem(rates)
        if ic.curchan < 4000:
            elems += w.dsparms_elem(channel_of(ic.curchan))
        if ic.opmode == M_IBSS:
            elems += w.ibssparms_elem()
        elems += tim
        if ic.curmode == MODE_11G:
            elems += w.erp_elem(self.erp())
        return elems + w.xrates_elem(rates) + ic.opt_ie

    def send_beacon(self, tim: bytes) -> None:
        """Send a beacon; the radio puts the time in. *tim* is the element, b"" in an ad hoc network."""
        ic = self.ic
        bss = ic.bss
        # A hidden network's beacon has an empty name.
        ssid = b"" if ic.hidessid and ic.opmode == M_HOSTAP else bss.essid
        bss.capinfo, bss.tsf = self.capinfo(), ic.radio.tsf()
        body = w.Beacon(0, bss.intval, bss.capinfo, self._elements(ssid, tim)).build()
        raw = w.mgmt(
            w.BEACON, da=BROADCAST, sa=ic.myaddr, bssid=bss.bssid, seq=self.seq(bss), body=body
        )
        self.push(raw, ((mcast_rate(ic), 1),))

    def send_proberesp(self, mac: bytes) -> None:
        """Answer a probe request."""
        ic = self.ic
        bss = ic.bss
        body = w.Beacon(0, bss.intval, self.capinfo(), self._elements(bss.essid, b"")).build()
        raw = w.mgmt(
            w.PROBE_RESP, da=mac, sa=ic.myaddr, bssid=bss.bssid, seq=self.seq(bss), body=body
        )
        # Who asks goes on to the next channel soon: no use in many tries.
        self.push(raw, ((mcast_rate(ic), 3),))
