"""Frames in: checks, duplicates, fragments, deciphering, management frames (NetBSD ieee80211_input).

Nothing that is received can raise, make a table grow without bound, or be answered by more than one
frame. What is dropped is counted under its name in struct ieee80211_stats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_rate import negotiate
from libnet.engine.ieee80211.ieee80211_scan import fill
from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_AUTO,
    AUTH_OPEN,
    AUTH_SHARED,
    BINTVAL_MAX,
    BINTVAL_MIN,
    BROADCAST,
    FRAGS_MAX,
    M_HOSTAP,
    M_IBSS,
    M_MONITOR,
    M_STA,
    MGMT_NAMES,
    MODE_11G,
    MSG_ACL,
    MSG_ANY,
    MSG_ASSOC,
    MSG_AUTH,
    MSG_DEBUG,
    MSG_DUMPPKTS,
    MSG_ELEMID,
    MSG_INPUT,
    MSG_STATE,
    S_ASSOC,
    S_AUTH,
    S_RUN,
    S_SCAN,
    Node,
)
from libnet.wire import Malformed, Truncated
from libnet.wire import ieee80211 as w
from libnet.wire.phy import FCS_LEN, RX_BADFCS, RxInfo, channel_of

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com
    from libnet.engine.link.ethernet import Ethernet

_PROBE_REQ: Final = bytes((w.PROBE_REQ,))
ETHERTYPE_PAE: Final = b"\x88\x8e"
FRAME_MAX: Final = 2304 + 8  # octets of a body in fragments, put together
# IEEE 802.11F 6.8: length, null LLC addresses, XID response.
LAYER2_UPDATE: Final = bytes.fromhex("0006 0001 af 81 01 00")
RESTART_US: Final = 1_000_000  # by which an access point's timer must go back to be taken for anew
TIE_US: Final = 100_000  # two ad hoc networks whose timers differ less may be of one age
_BEACON_LEN: Final = 12  # octets of a beacon's body before its elements
_CHALLENGE_BITS: Final = 8 * w.CHALLENGE_LEN


class Frag:
    """A frame of which not all fragments have come.

    at     when the last came, by our clock     next   sequence control expected
    parts  bodies so far                        size   their octets
    addrs  addresses 1 and 2, and whether it is enciphered
    """

    __slots__ = ("addrs", "at", "next", "parts", "size")

    def __init__(self, at: float, seq: int, body: bytes, addrs: tuple[bytes, bytes, int]) -> None:
        self.at, self.next, self.addrs = at, seq + 1, addrs
        self.parts = [body]
        self.size = len(body)


def _tsf_offset(beacon: w.Beacon, info: RxInfo) -> int:
    """Return by how much the sender's timer is ahead of ours, microseconds (802.11 11.1.2.4).

    The timestamp is of the moment when its first bit went out; ours is of the frame's end.
    """
    octets = _BEACON_LEN + len(beacon.elems) + FCS_LEN
    return beacon.tstamp + 16 * octets // max(1, info.rate) - info.tsf


class Input:
    """What one interface receives."""

    def __init__(self, ic: Ieee80211com, ether: Ethernet) -> None:
        self.ic = ic
        self.ether = ether

    def input(self, octets: bytes, info: RxInfo) -> None:
        """Take a frame from the radio (ieee80211_input)."""
        ic = self.ic
        if ic.taps:
            ic.taps.input(octets, info)
        if info.flags & RX_BADFCS or ic.opmode == M_MONITOR:
            return
        if ic.opmode == M_STA and octets[:1] == _PROBE_REQ:
            # In a crowd most of what a station hears is others' questions.
            ic.stats["rx_mgtdiscard"] += 1
            return
        try:
            frame = w.Frame.parse(octets)
        except Truncated:
            self._bad("rx_tooshort", f"too short: {len(octets)} octets")
            return
        except Malformed as why:
            self._bad("rx_badversion", str(why))
            return
        kind = frame.fc & w.FC_TYPE
        if kind == w.TYPE_DATA:
            self._data(frame, info)
        elif kind == w.TYPE_MGT:
            self._management(frame, info)
        else:
            self._control(frame, info)

    def _bad(self, counter: str, why: str) -> None:
        ic = self.ic
        ic.stats[counter] += 1
        ic.ifp.ierrors += 1
        ic.dprintf(MSG_ANY, f"discard frame, {why}")

    def _discard(self, counter: str, frame: w.Frame, why: str) -> None:
        ic = self.ic
        ic.stats[counter] += 1
        if ic.debug & MSG_INPUT:
            ic.dprintf(MSG_INPUT, f"[{ether_ntoa(frame.addr2)}] discard frame, {why}")

    # -- data

    def _data(self, frame: w.Frame, info: RxInfo) -> None:
        ic = self.ic
        fc = frame.fc
        if ic.opmode == M_STA:
            node = self._from_ap(frame)
        elif ic.opmode == M_HOSTAP:
            node = self._from_station(frame)
        else:
            node = self._from_peer(frame)
        if node is None:
            return
        node.signal, node.noise = info.signal, info.noise
        ic.tables.alive(node)
        group = frame.addr1[0] & 1
        mine = bool(group) or frame.addr1 == ic.myaddr
        if not group and mine:
            # QoS frames are numbered by traffic class, all others by a count of their own (9.2.9).
            tid = (frame.qos & 15) + 1 if fc & w.QOS == w.QOS else 0
            if fc & w.FC_RETRY and node.rxseqs.get(tid) == frame.seq:
                node.stats["rx_dup"] += 1
                self._discard("rx_dup", frame, "duplicate")
                return
            node.rxseqs[tid] = frame.seq
        if ic.opmode == M_HOSTAP and bool(fc & w.FC_PWRMGT) != node.powersave:
            ic.power.pwrsave(node, bool(fc & w.FC_PWRMGT))
        if ic.opmode == M_STA and mine:
            ic.power.heard_data(fc, group=bool(group))
        if fc & w.DATA_EMPTY:
            return  # it was only for what its header says
        body = frame.body
        protected = bool(fc & w.FC_PROTECTED)
        if protected:
            clear = self._decap(node, frame)
            if clear is None:
                return
            body = clear
        if fc & w.FC_MOREFRAG or frame.seq & w.FRAG_MASK:
            if group or not mine:
                self._discard("rx_decap", frame, "fragment to a group or to others")
                return
            if ic.dropunencrypted and node.authorized and not protected:
                # Else somebody without the key could put a beginning before what others encipher.
                node.stats["rx_unencrypted"] += 1
                self._discard("rx_unencrypted", frame, "fragment not enciphered")
                return
            whole = self._defrag(node, frame, body)
            if whole is None:
                return
            body = whole
        try:
            ether = w.body_to_ether(frame.da, frame.sa, body)
        except (Truncated, Malformed) as why:
            node.stats["rx_decap"] += 1
            self._bad("rx_decap", f"decap error: {why}")
            return
        if ether[12:14] != ETHERTYPE_PAE:
            if not node.authorized:
                node.stats["rx_unauth"] += 1
                self._bad("rx_unauth", "unauthorized port")
                return
            if ic.dropunencrypted and not protected:
                node.stats["rx_unencrypted"] += 1
                self._discard("rx_unencrypted", frame, "not enciphered")
                return
        node.stats["rx_data"] += 1
        node.stats["rx_bytes"] += len(ether)
        self._deliver(node, ether)

    def _from_ap(self, frame: w.Frame) -> Node | None:
        """Check a data frame that a station gets; None, counted, when it is not from our network."""
        ic = self.ic
        bss = ic.bss
        if frame.fc & w.FC_DIR != w.FC_FROMDS:
            self._discard("rx_wrongdir", frame, "wrong direction")
        elif frame.addr2 != bss.bssid:
            self._discard("rx_wrongbss", frame, "not from our bss")
        elif ic.state != S_RUN or not bss.associd:
            self._discard("rx_notassoc", frame, "not associated")
        elif frame.addr1[0] & 1 and frame.addr3 == ic.myaddr:
            # The access point repeats to all what we sent to all.
            self._discard("rx_mcastecho", frame, "multicast echo")
        else:
            return bss
        return None

    def _from_station(self, frame: w.Frame) -> Node | None:
        """Check a data frame that an access point gets; who is not associated is told so."""
        ic = self.ic
        if ic.state != S_RUN or frame.addr1 != ic.bss.bssid:
            self._discard("rx_wrongbss", frame, "not to our bss")
            return None
        if frame.fc & w.FC_DIR != w.FC_TODS:
            self._discard("rx_wrongdir", frame, "wrong direction")
            return None
        node = ic.nodes.get(frame.addr2)
        if node is None or not node.authed:
            # Class 3 frame from a station that is not authenticated (802.11 5.5).
            self._discard("rx_notassoc", frame, "unknown source")
            if not frame.addr2[0] & 1:
                ic.out.send_error(frame.addr2, w.DEAUTH, w.REASON_NOT_AUTHED)
            return None
        if not node.associd:
            self._discard("rx_notassoc", frame, "source not associated")
            ic.out.send_mgmt(node, w.DISASSOC, w.REASON_NOT_ASSOCED)
            return None
        return node

    def _from_peer(self, frame: w.Frame) -> Node | None:
        """Check a data frame between members of an ad hoc network."""
        ic = self.ic
        if frame.fc & w.FC_DIR:
            self._discard("rx_wrongdir", frame, "wrong direction")
        elif ic.state != S_RUN or frame.addr3 != ic.bss.bssid:
            self._discard("rx_wrongbss", frame, "not to our bss")
        elif frame.addr2[0] & 1 or frame.addr2 == ic.myaddr:
            self._discard("rx_mgtdiscard", frame, "impossible source")
        else:
            return self._peer(frame.addr2)
        return None

    def _peer(self, mac: bytes) -> Node | None:
        ic = self.ic
        node = ic.tables.peer(mac)
        if node is not None:
            ic.tables.alive(node)
            ic.proto.update_link()
        return node

    def _decap(self, node: Node, frame: w.Frame) -> bytes | None:
        ic = self.ic
        if not ic.privacy:
            node.stats["rx_noprivacy"] += 1
            self._discard("rx_noprivacy", frame, "WEP, and privacy is off")
            return None
        head = w.HDR.pack(frame.fc, 0, frame.addr1, frame.addr2, frame.addr3, frame.seq)
        got = ic.crypto.decap(node, head, frame.body)
        if got is None:
            node.stats["rx_wepfail"] += 1
            return None
        return got[1]

    def _defrag(self, node: Node, frame: w.Frame, body: bytes) -> bytes | None:
        """Put fragments together (ieee80211_defrag); None until the last has come."""
        seq = frame.seq
        number = seq & w.FRAG_MASK
        more = frame.fc & w.FC_MOREFRAG
        have: Frag | None = node.frag
        node.frag = None
        addrs = frame.addr1, frame.addr2, frame.fc & w.FC_PROTECTED
        if have is None or seq != have.next or addrs != have.addrs:
            if number:
                node.stats["rx_defrag"] += 1
                self._discard("rx_decap", frame, "fragment of a frame that is not there")
                return None
            have = Frag(self.ic.stack.clock.now, seq, body, addrs)
        else:
            have.parts.append(body)
            have.size += len(body)
            have.next = seq + 1
            have.at = self.ic.stack.clock.now
            if have.size > FRAME_MAX or len(have.parts) > FRAGS_MAX:
                self._discard("rx_decap", frame, "fragments of more than a frame")
                return None
        if more:
            # After the sixteenth fragment none can follow.
            node.frag = have if number < FRAGS_MAX - 1 else None
            return None
        return b"".join(have.parts)

    def _deliver(self, node: Node, ether: bytes) -> None:
        """Hand a frame up, and through the access point to its other stations."""
        ic = self.ic
        if ic.opmode == M_HOSTAP and ic.apbridge and node.authorized:
            # What comes through a closed port, 802.1X, is for the access point and nobody else.
            dst = ether[:6]
            if dst[0] & 1:
                ic.out.relay(ether)
            else:
                other = ic.nodes.get(dst)
                if other is not None and other.associd:
                    if other.authorized:
                        ic.out.relay(ether)
                    else:
                        other.stats["rx_unauth"] += 1
                        ic.stats["rx_unauth"] += 1
                    return
        self.ether.input(ic.ifp, (ether,))

    # -- control

    def _control(self, frame: w.Frame, info: RxInfo) -> None:
        ic = self.ic
        ic.stats["rx_ctl"] += 1
        if (
            frame.fc & w.FC_KIND == w.PS_POLL
            and ic.opmode == M_HOSTAP
            and ic.state == S_RUN
            and frame.addr1 == ic.bss.bssid
            and not frame.addr2[0] & 1
        ):
            node = ic.nodes.get(frame.addr2)
            if node is not None:
                ic.tables.alive(node)
                node.signal, node.noise = info.signal, info.noise
                if node.associd and not node.powersave:
                    ic.power.pwrsave(node, True)  # who asks for kept frames sleeps
            ic.power.recv_pspoll(node, frame.addr2, frame.dur)

    # -- management

    def _management(self, frame: w.Frame, info: RxInfo) -> None:
        ic = self.ic
        kind = frame.fc & w.FC_KIND
        if frame.fc & w.FC_DIR:
            self._discard("rx_wrongdir", frame, "wrong direction")
            ic.ifp.ierrors += 1
            return
        if frame.addr2[0] & 1 or frame.addr2 == ic.myaddr:
            self._discard("rx_mgtdiscard", frame, "impossible source")
            return
        if ic.debug & (MSG_DUMPPKTS | MSG_DEBUG) and (kind != w.BEACON or ic.debug & MSG_DUMPPKTS):
            ic.dprintf(
                MSG_DUMPPKTS | MSG_DEBUG,
                f"received {MGMT_NAMES.get(kind, hex(kind))} from {ether_ntoa(frame.addr2)} "
                f"rssi {info.signal - info.noise}",
            )
        body = frame.body
        if frame.fc & w.FC_PROTECTED:
            if kind != w.AUTH:
                self._discard("rx_mgtdiscard", frame, "WEP where none may be")
                return
            sender = ic.nodes.get(frame.addr2) or Node(frame.addr2)
            clear = self._decap(sender, frame)
            if clear is None:
                if ic.opmode == M_HOSTAP and sender.challenge:
                    # The answer to our challenge, with another key: say so (802.11 8.1.2.2).
                    ic.stats["rx_auth_fail"] += 1
                    sender.challenge = b""
                    ic.out.send_mgmt(sender, w.AUTH, 4 | w.STATUS_CHALLENGE << 16)
                return
            body = clear
        handler = self._HANDLERS.get(kind)
        if handler is None:
            self._discard("rx_badsubtype", frame, f"subtype {kind:#x} not handled")
            return
        try:
            handler(self, frame, body, info)
        except w.BadElement as why:
            counter = "rx_elem_toobig" if why.toobig else "rx_elem_toosmall"
            self._element(counter, frame, str(why))
        except (Truncated, Malformed) as why:
            self._element("rx_elem_toosmall", frame, str(why))

    def _element(self, counter: str, frame: w.Frame, why: str) -> None:
        ic = self.ic
        ic.stats[counter] += 1
        ic.dprintf(MSG_ELEMID, f"[{ether_ntoa(frame.addr2)}] discard element: {why}")

    def _elements(self, frame: w.Frame, octets: bytes, *, ssid: bool) -> w.Elements | None:
        """Return the elements; None, counted, when the rates, or with *ssid* the name, are missing."""
        ic = self.ic
        elems = w.Elements.parse(octets)
        ic.stats["rx_elem_unknown"] += elems.unknown
        if elems.rates is None or (ssid and elems.ssid is None):
            self._element("rx_elem_missing", frame, "no rates or no ssid")
            return None
        if len(elems.rates) + len(elems.xrates or b"") > w.RATES_MAX:
            ic.stats["rx_rstoobig"] += 1
        return elems

    def _beacon(self, frame: w.Frame, body: bytes, info: RxInfo) -> None:
        """Take a beacon or probe response."""
        ic = self.ic
        ours = ic.state >= S_AUTH and frame.addr2 == ic.bss.mac and ic.opmode == M_STA
        if not (ic.scanner.scanning or ours or ic.opmode in (M_IBSS, M_STA)):
            ic.stats["rx_mgtdiscard"] += 1
            return
        beacon = w.Beacon.parse(body)
        elems = self._elements(frame, beacon.elems, ssid=True)
        if elems is None:
            return
        if elems.dschan is not None and elems.dschan != channel_of(ic.curchan):
            # From the channel beside ours.
            self._discard("rx_chanmismatch", frame, f"for channel {elems.dschan}")
            return
        if ic.curchan not in ic.chan_active:
            self._discard("rx_badchan", frame, "channel not in use")
            return
        if not BINTVAL_MIN <= beacon.intval <= BINTVAL_MAX:
            self._discard("rx_mgtdiscard", frame, f"beacon interval {beacon.intval}")
            return
        if frame.addr2 != frame.addr3 and not beacon.capinfo & w.CAPINFO_IBSS:
            self._discard("rx_mgtdiscard", frame, "of a network that is not the sender's")
            return
        if frame.fc & w.FC_KIND == w.BEACON:
            ic.stats["rx_beacon"] += 1
        if ours and frame.addr3 == ic.bss.bssid:
            if frame.fc & w.FC_KIND == w.BEACON and self._other(beacon, elems):
                ic.dprintf(MSG_STATE, f"[{ether_ntoa(frame.addr2)}] has become another network")
                ic.scan.pop(frame.addr2, None)
                ic.scanner.add(frame, beacon, elems, info)
                ic.newstate(S_SCAN)
            elif ic.state == S_RUN:
                self._own_beacon(frame, beacon, elems, info)
            else:
                # What was agreed on stays, while we ask.
                ic.bss.signal, ic.bss.noise = info.signal, info.noise
                ic.bss.heard = ic.stack.clock.now
            return
        if ic.opmode == M_HOSTAP and not ic.scanner.scanning:
            return
        node = ic.scanner.add(frame, beacon, elems, info)
        if ic.opmode == M_IBSS and ic.state == S_RUN and beacon.capinfo & w.CAPINFO_IBSS:
            self._adhoc(node, frame, beacon, elems, info)

    def _other(self, beacon: w.Beacon, elems: w.Elements) -> bool:
        """Tell whether our access point is not what it was when we chose it."""
        bss = self.ic.bss
        ssid = elems.ssid or b""
        privacy = (bss.capinfo ^ beacon.capinfo) & w.CAPINFO_PRIVACY
        return bool(privacy) or (any(ssid) and ssid != bss.essid)

    def _own_beacon(
        self, frame: w.Frame, beacon: w.Beacon, elems: w.Elements, info: RxInfo
    ) -> None:
        """Follow what our access point tells."""
        ic = self.ic
        bss = ic.bss
        bss.signal, bss.noise = info.signal, info.noise
        bss.heard = ic.stack.clock.now
        erp = elems.erp or 0
        if bss.erp != erp:
            ic.dprintf(MSG_ASSOC, f"erp change: was {bss.erp:#x}, now {erp:#x}")
            bss.erp = erp
            self._follow_erp()
        if (bss.capinfo ^ beacon.capinfo) & w.CAPINFO_SHORT_SLOTTIME:
            ic.dprintf(
                MSG_ASSOC, f"capabilities change: before {bss.capinfo:#x}, now {beacon.capinfo:#x}"
            )
            bss.capinfo = beacon.capinfo
            self._follow_erp()
        restarted = beacon.tstamp + RESTART_US < bss.tsf
        bss.tsf = beacon.tstamp
        bss.tsf_at = ic.stack.clock.now
        bss.intval = beacon.intval
        bss.ies = beacon.elems
        ic.radio.set_tsf(ic.radio.tsf() + _tsf_offset(beacon, info))
        ic.proto.heard_beacon(info.signal - info.noise)
        tim = None
        if elems.tim is not None:
            tim = w.Tim.parse(elems.tim)
            bss.dtim_count, bss.dtim_period = tim.left, max(1, tim.period)
        if restarted:
            # It does not know us any more, and would not find out before we send something.
            ic.dprintf(MSG_STATE, "the access point's timer has begun anew")
            ic.newstate(S_AUTH, w.DEAUTH)
        elif frame.fc & w.FC_KIND == w.BEACON:
            ic.power.heard_beacon(tim)

    def _follow_erp(self) -> None:
        ic = self.ic
        bss = ic.bss
        g = ic.curmode == MODE_11G
        ic.useprot = g and bool(bss.erp & w.ERP_USE_PROTECTION)
        ic.shslot = ic.curchan > 4000 or (g and bool(bss.capinfo & w.CAPINFO_SHORT_SLOTTIME))
        ic.usebarker = g and bool(bss.erp & w.ERP_LONG_PREAMBLE)
        ic.shpreamble = (
            ic.curchan > 4000 or bool(bss.capinfo & w.CAPINFO_SHORT_PREAMBLE)
        ) and not ic.usebarker

    def _adhoc(
        self,
        heard: Node,
        frame: w.Frame,
        beacon: w.Beacon,
        elems: w.Elements,
        info: RxInfo,
    ) -> None:
        """Meet another ad hoc station: a peer, or a network to go over to."""
        ic = self.ic
        bss = ic.bss
        if heard.essid != bss.essid:
            return
        offset = _tsf_offset(beacon, info)
        if frame.addr3 != bss.bssid:
            # The older network, whose timer has gone further, is the one that stays (11.1.4); of
            # two that began together it is the one with the higher address.
            older = offset > 0 or (offset > -TIE_US and frame.addr3 > bss.bssid)
            if not older or not ic.proto.ibss_merge(heard):
                return
            bss = ic.bss
        if offset > 0:
            ic.radio.set_tsf(ic.radio.tsf() + offset)
        known = frame.addr2 in ic.nodes
        node = self._peer(frame.addr2)
        if node is None:
            return
        if not known or not node.ies:
            fill(node, frame, beacon, elems)
            node.rates = negotiate(node.rates, ic.tables.own_rates()) or list(bss.rates)
            ic.amrr.node_init(node)
        node.tsf, node.tsf_at = beacon.tstamp, ic.stack.clock.now
        node.signal, node.noise = info.signal, info.noise
        node.chan = ic.curchan
        if frame.fc & w.FC_KIND == w.BEACON:
            ic.power.heard_ibss()

    def _probe_req(self, frame: w.Frame, body: bytes, info: RxInfo) -> None:
        ic = self.ic
        if ic.opmode == M_STA or ic.state != S_RUN or ic.scanner.away:
            ic.stats["rx_mgtdiscard"] += 1
            return
        if frame.addr3 not in (BROADCAST, ic.bss.bssid):
            self._discard("rx_mgtdiscard", frame, "to another network")
            return
        elems = self._elements(frame, body, ssid=True)
        if elems is None:
            return
        ssid = elems.ssid or b""
        if (ssid and ssid != ic.bss.essid) or (ic.hidessid and not ssid):
            self._discard("rx_ssidmismatch", frame, "another ssid")
            return
        if negotiate(elems.all_rates, ic.bss.rates, fixed=ic.fixed_rate) is None:
            ic.dprintf(MSG_ASSOC, f"[{ether_ntoa(frame.addr2)}] recv'd rate set invalid")
            return
        ic.dprintf(MSG_ASSOC, f"[{ether_ntoa(frame.addr2)}] recv probe req")
        ic.out.send_proberesp(frame.addr2)

    # -- authentication

    def _auth(self, frame: w.Frame, body: bytes, info: RxInfo) -> None:
        ic = self.ic
        auth = w.Auth.parse(body)
        who = ether_ntoa(frame.addr2)
        ic.dprintf(MSG_AUTH, f"[{who}] recv auth frame with algorithm {auth.alg} seq {auth.seq}")
        if frame.addr1 != ic.myaddr:
            ic.stats["rx_mgtdiscard"] += 1
            return
        if ic.opmode == M_STA:
            self._auth_answer(frame, auth)
            return
        if ic.opmode != M_HOSTAP or ic.state != S_RUN or frame.addr3 != ic.bss.bssid:
            ic.stats["rx_mgtdiscard"] += 1
            return
        mac = frame.addr2
        reply = auth.seq + 1 & 0xFFFF
        if not ic.acl.check(mac):
            ic.stats["rx_acl"] += 1
            ic.dprintf(MSG_ACL, f"[{who}] disallowed by ACL")
            ic.out.send_error(mac, w.AUTH, reply | w.STATUS_UNSPECIFIED << 16)
            return
        if ic.countermeasures:
            ic.stats["rx_auth_countermeasures"] += 1
            ic.out.send_error(mac, w.AUTH, reply | w.REASON_MIC_FAILURE << 16)
            return
        if auth.alg == w.AUTH_ALG_OPEN:
            self._auth_open(mac, auth, info)
        elif auth.alg == w.AUTH_ALG_SHARED:
            self._auth_shared(frame, auth, info)
        else:
            ic.stats["rx_auth_unsupported"] += 1
            ic.dprintf(MSG_ANY, f"[{who}] unsupported auth alg {auth.alg}")
            ic.out.send_error(mac, w.AUTH, reply | w.STATUS_ALG << 16)

    def _station(self, mac: bytes, info: RxInfo) -> Node | None:
        """Return the table entry of a station that begins; a member of old begins anew."""
        ic = self.ic
        node = ic.nodes.get(mac)
        if node is None:
            node = ic.tables.dup_bss(mac)
            if node is None:
                return None
        elif node.associd:
            # Whoever authenticates has forgotten that it was associated (802.11 11.3.1).
            ic.tables.leave(node)
            ic.nodes[mac] = node
            node.inact_reload = ic.inact_init
        node.signal, node.noise = info.signal, info.noise
        ic.tables.alive(node)
        return node

    def _auth_open(self, mac: bytes, auth: w.Auth, info: RxInfo) -> None:
        ic = self.ic
        if ic.authmode == AUTH_SHARED:
            ic.stats["rx_bad_auth"] += 1
            ic.out.send_error(mac, w.AUTH, auth.seq + 1 & 0xFFFF | w.STATUS_ALG << 16)
            return
        if auth.seq != 1:
            ic.stats["rx_bad_auth"] += 1
            return
        node = self._station(mac, info)
        if node is None:
            return
        node.authalg = AUTH_OPEN
        node.challenge = b""
        node.authed = True
        ic.out.send_mgmt(node, w.AUTH, 2)
        ic.dprintf(MSG_DEBUG | MSG_AUTH, f"[{ether_ntoa(mac)}] station authenticated (open)")

    def _refuse(self, mac: bytes, auth: w.Auth, status: int) -> None:
        """Refuse shared key authentication."""
        node = Node(mac, bssid=self.ic.bss.bssid)
        node.authalg = AUTH_SHARED
        self.ic.out.send_mgmt(node, w.AUTH, auth.seq + 1 & 0xFFFF | status << 16)

    def _auth_shared(self, frame: w.Frame, auth: w.Auth, info: RxInfo) -> None:
        ic = self.ic
        mac = frame.addr2
        who = ether_ntoa(mac)
        if not ic.privacy or ic.authmode not in (AUTH_SHARED, AUTH_AUTO):
            ic.stats["rx_bad_auth"] += 1
            self._refuse(mac, auth, w.STATUS_ALG)
            return
        if auth.seq == 1:
            node = self._station(mac, info)
            if node is None:
                return
            node.authalg = AUTH_SHARED
            node.authed = False
            node.challenge = ic.stack.dice.getrandbits(_CHALLENGE_BITS).to_bytes(
                w.CHALLENGE_LEN, "big"
            )
            ic.dprintf(MSG_DEBUG | MSG_AUTH, f"[{who}] shared key auth request")
            ic.out.send_mgmt(node, w.AUTH, 2)
            return
        if auth.seq != 3:
            ic.stats["rx_bad_auth"] += 1
            self._refuse(mac, auth, w.STATUS_SEQUENCE)
            return
        known = ic.nodes.get(mac)
        if known is None:
            return  # who never asked gets no answer
        challenge = w.Elements.parse(auth.elems).challenge
        expected, known.challenge = known.challenge, b""
        if not expected or challenge is None or len(challenge) != w.CHALLENGE_LEN:
            ic.stats["rx_bad_auth"] += 1
            self._refuse(mac, auth, w.STATUS_CHALLENGE)
            return
        if not frame.fc & w.FC_PROTECTED or challenge != expected:
            ic.stats["rx_auth_fail"] += 1
            ic.dprintf(MSG_DEBUG | MSG_AUTH, f"[{who}] challenge mismatch")
            self._refuse(mac, auth, w.STATUS_CHALLENGE)
            return
        known.authed = True
        ic.out.send_mgmt(known, w.AUTH, 4)
        ic.dprintf(MSG_DEBUG | MSG_AUTH, f"[{who}] station authenticated (shared key)")

    def _auth_answer(self, frame: w.Frame, auth: w.Auth) -> None:
        """Take the access point's part of the exchange."""
        ic = self.ic
        bss = ic.bss
        if ic.state != S_AUTH or frame.addr2 != bss.mac:
            ic.stats["rx_bad_auth"] += 1
            return
        shared = ic.authmode == AUTH_SHARED and ic.privacy
        last = 4 if shared else 2
        if auth.status:
            ic.stats["rx_auth_fail"] += 1
            ic.dprintf(
                MSG_DEBUG | MSG_AUTH,
                f"[{ether_ntoa(bss.mac)}] {'shared key' if shared else 'open'} auth failed "
                f"(reason {auth.status})",
            )
            bss.challenge = b""
            ic.proto.refused()
        elif shared and auth.seq == 2:
            challenge = w.Elements.parse(auth.elems).challenge
            if challenge is None or len(challenge) != w.CHALLENGE_LEN:
                ic.stats["rx_bad_auth"] += 1
                ic.proto.refused()
                return
            bss.challenge = challenge
            ic.out.send_mgmt(bss, w.AUTH, 3)
        elif auth.seq == last:
            bss.challenge = b""
            bss.authed = True
            ic.newstate(S_ASSOC, w.AUTH)
        else:
            ic.stats["rx_bad_auth"] += 1

    # -- association

    def _assoc_req(self, frame: w.Frame, body: bytes, info: RxInfo) -> None:
        """Take an association or reassociation request."""
        ic = self.ic
        if ic.opmode != M_HOSTAP or ic.state != S_RUN or frame.addr1 != ic.myaddr:
            ic.stats["rx_mgtdiscard"] += 1
            return
        if frame.addr3 != ic.bss.bssid:
            self._discard("rx_assoc_bss", frame, "wrong bssid")
            return
        reassoc = frame.fc & w.FC_KIND == w.REASSOC_REQ
        resp = w.REASSOC_RESP if reassoc else w.ASSOC_RESP
        req = w.AssocReq.parse(body, reassoc=reassoc)
        elems = self._elements(frame, req.elems, ssid=True)
        if elems is None:
            return
        if elems.ssid != ic.bss.essid:
            self._discard("rx_ssidmismatch", frame, "another ssid")
            return
        mac = frame.addr2
        word = f"[{ether_ntoa(mac)}] deny {'re' * reassoc}assoc request"
        node = ic.nodes.get(mac)
        if node is None or not node.authed:
            ic.dprintf(MSG_ANY, f"{word}, sta not authenticated")
            ic.out.send_error(mac, w.DEAUTH, w.REASON_ASSOC_NOT_AUTHED)
            ic.stats["rx_assoc_notauth"] += 1
            return
        node.signal, node.noise = info.signal, info.noise
        ic.tables.alive(node)
        node.challenge = b""
        if not req.capinfo & w.CAPINFO_ESS:
            ic.dprintf(MSG_ANY, f"{word}, capability mismatch {req.capinfo:#x}")
            ic.stats["rx_assoc_capmismatch"] += 1
            self._deny(node, resp, w.STATUS_CAPINFO)
            return
        rates = negotiate(elems.all_rates, ic.bss.rates, strict=True, fixed=ic.fixed_rate)
        if rates is None or (ic.puregonly and rates[-1] & 0x7F < 48):
            ic.dprintf(MSG_ANY, f"{word}, rate set mismatch")
            ic.stats["rx_assoc_norate"] += 1
            self._deny(node, resp, w.STATUS_BASIC_RATE)
            return
        if node.associd:
            # 802.11g counts are by what the station said before: take it out, and in again.
            aid = node.associd
            ic.tables.leave_11g(node)
            node.associd = aid
        again = bool(node.associd)
        node.rates = rates
        node.listen_interval = max(1, req.lintval)
        node.intval = req.lintval
        node.capinfo = req.capinfo
        node.chan = ic.bss.chan
        node.wpa_ie = elems.rsn or elems.wpa or b""
        node.essid = ic.bss.essid
        if again:
            ic.tables.join_11g(node)
        if not ic.node_join(node):
            self._deny(node, resp, w.STATUS_TOOMANY)
            return
        ic.out.send_mgmt(node, resp, w.STATUS_SUCCESS)
        if ic.ifp.bridge is not None:
            # Bridges learn at once where the station is, and its former access point that it has gone.
            self.ether.input(ic.ifp, (BROADCAST + mac + LAYER2_UPDATE,))

    def _deny(self, node: Node, resp: int, status: int) -> None:
        self.ic.out.send_mgmt(node, resp, status)
        self.ic.tables.leave(node)

    def _assoc_resp(self, frame: w.Frame, body: bytes, info: RxInfo) -> None:
        ic = self.ic
        bss = ic.bss
        if ic.opmode != M_STA or ic.state != S_ASSOC or frame.addr2 != bss.mac:
            ic.stats["rx_mgtdiscard"] += 1
            return
        if frame.addr1 != ic.myaddr:
            ic.stats["rx_mgtdiscard"] += 1
            return
        resp = w.AssocResp.parse(body)
        word = f"[{ether_ntoa(bss.mac)}] {'re' * (frame.fc & w.FC_KIND == w.REASSOC_RESP)}assoc"
        if resp.status:
            ic.dprintf(MSG_ASSOC, f"{word} failed (reason {resp.status})")
            ic.stats["rx_auth_fail"] += 1
            ic.proto.refused()
            return
        elems = self._elements(frame, resp.elems, ssid=False)
        if elems is None:
            return
        ours = ic.proto.rates_of(ic.curchan)
        rates = negotiate(elems.all_rates, ours, fixed=ic.fixed_rate)
        if rates is None or not 1 <= resp.associd <= w.AID_MAX:
            ic.dprintf(MSG_ASSOC, f"{word} failed (rate set mismatch)")
            ic.stats["rx_assoc_norate"] += 1
            ic.proto.refused()
            return
        bss.rates = rates
        bss.capinfo = resp.capinfo
        bss.associd = resp.associd | w.AID_BITS
        bss.signal, bss.noise = info.signal, info.noise
        self._follow_erp()
        ic.amrr.node_init(bss)
        ic.dprintf(MSG_ASSOC, f"{word} success: {ic.tables.words()}")
        ic.newstate(S_RUN, frame.fc & w.FC_KIND)

    # -- the end

    def _goodbye(self, frame: w.Frame, body: bytes, info: RxInfo) -> None:
        """Take a deauthentication or disassociation."""
        ic = self.ic
        deauth = frame.fc & w.FC_KIND == w.DEAUTH
        if ic.state <= S_SCAN:
            ic.stats["rx_mgtdiscard"] += 1
            return
        reason = w.reason_parse(body)
        ic.stats["rx_deauth" if deauth else "rx_disassoc"] += 1
        if frame.addr1 != ic.myaddr or frame.addr3 != ic.bss.bssid:
            ic.stats["rx_mgtdiscard"] += 1
            return
        what = "deauthenticate" if deauth else "disassociate"
        ic.dprintf(MSG_AUTH, f"[{ether_ntoa(frame.addr2)}] recv {what} (reason {reason})")
        if ic.opmode == M_STA:
            if frame.addr2 != ic.bss.mac:
                ic.stats["rx_mgtdiscard"] += 1
            elif deauth:
                ic.newstate(S_AUTH, w.DEAUTH)
            elif ic.state in (S_RUN, S_ASSOC):
                ic.newstate(S_ASSOC if ic.state == S_RUN else S_SCAN, w.DISASSOC)
        elif ic.opmode == M_HOSTAP:
            node = ic.nodes.get(frame.addr2)
            if node is not None:
                ic.tables.leave(node)
        else:
            ic.stats["rx_mgtdiscard"] += 1

    _HANDLERS: Final = {
        w.BEACON: _beacon,
        w.PROBE_RESP: _beacon,
        w.PROBE_REQ: _probe_req,
        w.AUTH: _auth,
        w.ASSOC_REQ: _assoc_req,
        w.REASSOC_REQ: _assoc_req,
        w.ASSOC_RESP: _assoc_resp,
        w.REASSOC_RESP: _assoc_resp,
        w.DEAUTH: _goodbye,
        w.DISASSOC: _goodbye,
    }
