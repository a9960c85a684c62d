"""Configuring an interface: each word of the command line done, or kept for the end.

Flags, mtu, metric and the words of the radio act where they stand. Addresses, media and
capabilities are gathered and applied after the last word, in the order media, delete, add,
preference, capabilities, up; what an address means may depend on flags set beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from cmds.ifconfig.fetch import Iface, is_unit_of
from cmds.ifconfig.keywords import MissingArgument, parse
from libnet.addr import Sockaddr, SockaddrIn, inet_aton, prefix_mask
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_POINTOPOINT, IFF_UP, IFNAMSIZ
from libnet.ioctl.registry import Ioctl
from libnet.ioctl.sockio import (
    SIOCAIFADDR,
    SIOCDIFADDR,
    SIOCGIFADDR,
    SIOCGIFFLAGS,
    SIOCIFDESTROY,
    SIOCSIFADDRPREF,
    SIOCSIFCAP,
    SIOCSIFFLAGS,
    SIOCSIFMETRIC,
    SIOCSIFMTU,
    IfAddrPrefReq,
    IfAliasReq,
    IfCapReq,
    IfReq,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import Socket
from libnet.text.err import Err


def strtoul(text: str) -> int | None:
    """Return the decimal number that is all of *text*, None for anything else.

    Beyond 32 bits it is the largest such number, as strtoul(3) says.

    >>> strtoul("1500"), strtoul("15k"), strtoul("99999999999")
    (1500, None, 4294967295)
    """
    digits = text.strip(" \t").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    return min(int(digits), 0xFFFFFFFF) if len(digits) < 20 else 0xFFFFFFFF


def _atoi(text: str) -> int:
    """Return the number at the front of *text*, 0 if there is none (atoi(3))."""
    text = text.strip()
    sign = -1 if text[:1] == "-" else 1
    digits = ""
    for char in text.lstrip("+-")[:10]:
        if not (char.isascii() and char.isdigit()):
            break
        digits += char
    return sign * int(digits or "0")


def _int32(value: int) -> int:
    """Return what a C int makes of a number below 2**32."""
    return value - (1 << 32) if value >= 1 << 31 else value


class Setup:
    """One command line at work on one interface."""

    def __init__(
        self, ctx: Ctx, sock: Socket, err: Err, iface: Iface, *, verbose: bool = False
    ) -> None:
        self.ctx, self.sock, self.err, self.verbose = ctx, sock, err, verbose
        self.name, self.flags = iface.name, iface.flags
        cap = iface.cap
        self._cap = IfCapReq(
            iface.name,
            cap.capabilities_rx,
            cap.capabilities_tx,
            cap.capenable_rx,
            cap.capenable_tx,
        )
        self._cap_changed = False
        self._addr: Sockaddr = Sockaddr()
        self._dstaddr: Sockaddr = Sockaddr()
        self._mask: Sockaddr = Sockaddr()
        self._old: Sockaddr = Sockaddr()  # what SIOCDIFADDR is to delete; empty: the first
        self._addresses = 0
        self._aliases = 0
        self._alias = 0  # 1 alias, -1 -alias or delete
        self._add: bool | None = None
        self._delete = False
        self._up: bool | None = None
        self._preference: int | None = None
        self._ipdst: Sockaddr | None = None
        self._media: Any = None
        self._vlan_tag: int | None = None

    def run(self, words: Sequence[str]) -> None:
        """Do what *words* say. Errors end the program as they do in the original."""
        try:
            for row, args in parse(words):
                getattr(self, row.action)(row.param, *args)
        except MissingArgument as exc:
            self.err.errx(str(exc))
        if self._aliases > 1:
            self.err.errx("Only one use of alias, -alias or delete is valid.")
        self._apply()

    def _apply(self) -> None:
        if self._media is not None:
            self._media.apply()
        if self._delete:
            self._do(SIOCDIFADDR, IfReq(self.name, addr=self._old))
        if self._ipdst is not None:
            from libnet.ioctl.iftunnel import SIOCSIFPHYADDR

            self._do(SIOCSIFPHYADDR, IfAliasReq(self.name, self._addr, self._ipdst))
        if self._add:
            req = IfAliasReq(self.name, self._addr, self._dstaddr, self._mask)
            if self._try(SIOCAIFADDR, req) and self._up is None:
                self._up = True
        if self._preference is not None:
            pref = self._preference - (1 << 16 if self._preference > 0x7FFF else 0)
            self._try(SIOCSIFADDRPREF, IfAddrPrefReq(self.name, pref, self._addr))
        if self._cap_changed:
            self._do(SIOCSIFCAP, self._cap)
        if self._up:
            flags = self._do(SIOCGIFFLAGS, IfReq(self.name)).value
            if not flags & IFF_UP:
                self._do(SIOCSIFFLAGS, IfReq(self.name, flags & 0xFFFF | IFF_UP))

    def _do(self, row: Ioctl, arg: Any) -> Any:
        """Make an ioctl; its failure ends the program."""
        try:
            return self.sock.ioctl(row, arg)
        except NetError as exc:
            self.err.err(exc, row.name)

    def _try(self, row: Ioctl, arg: Any) -> bool:
        """Make an ioctl; its failure is a warning."""
        try:
            self.sock.ioctl(row, arg)
        except NetError as exc:
            self.err.warn(exc, row.name)
            return False
        return True

    def _bad(self, text: str) -> NoReturn:
        self.err.errx(f"{text}: bad value")

    # Flags, mtu, metric, capabilities.

    def ifflags(self, bits: int) -> None:
        """Set or clear interface flags."""
        flags = self._do(SIOCGIFFLAGS, IfReq(self.name)).value & 0xFFFF
        if bits == -IFF_UP:
            self._up = False
        self.flags = flags & ~-bits if bits < 0 else flags | bits
        self._do(SIOCSIFFLAGS, IfReq(self.name, self.flags))

    def trailers(self, _param: None) -> None:
        """Say what became of trailer encapsulation."""
        self.ctx.stdout.write("Note: trailers are no longer sent, but always received\n")

    def metric(self, _param: None, text: str) -> None:
        """Set the routing metric."""
        value = strtoul(text)
        if value is None:
            self.err.errx(f"{text}: invalid metric")
        self._try(SIOCSIFMETRIC, IfReq(self.name, _int32(value)))

    def mtu(self, _param: None, text: str) -> None:
        """Set the MTU, in octets."""
        value = strtoul(text)
        if value is None:
            self.err.errx(f"{text}: invalid mtu")
        self._try(SIOCSIFMTU, IfReq(self.name, _int32(value)))

    def ifcaps(self, param: tuple[bool, int, int]) -> None:
        """Enable or disable offload."""
        enable, rx, tx = param
        cap = self._cap
        if enable:
            cap.capenable_rx |= rx
            cap.capenable_tx |= tx
        else:
            cap.capenable_rx &= ~rx
            cap.capenable_tx &= ~tx
        self._cap_changed = True

    # Addresses.

    def _getaddr(self, text: str) -> int:
        """Return the address of a number, a host name or a network name."""
        from cmds._names import HostNotFound, Names

        try:
            return inet_aton(text)
        except ValueError:
            pass
        names = Names(self.ctx)
        try:
            return names.gethostbyname(text)
        except HostNotFound:
            pass
        try:
            net = names.getnetbyname(text)
        except HostNotFound:
            self._bad(text)
        # As inet_makeaddr(3): the number is as many octets as it needs, from the left.
        for top, shift in ((0x80, 24), (0x10000, 16), (0x1000000, 8)):
            if net < top:
                return net << shift
        return net

    def _getprefix(self, text: str) -> int:
        """Return the mask of a prefix length; like the original, 0 gives a host mask."""
        if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= 32):
            self._bad(text)
        return prefix_mask(int(text) or 32)

    def address(self, _param: None, text: str) -> None:
        """Take the interface's address, or the one to remove."""
        self._addresses += 1
        if self._add is None:
            self._add = True
        if self._alias == 0:
            try:
                self._old = self.sock.ioctl(SIOCGIFADDR, IfReq(self.name)).addr
                self._delete = True
            except NetError as exc:
                if exc.symbol != "EADDRNOTAVAIL":  # that only says that it has none yet
                    self.err.err(exc, "SIOCGIFADDR")
        if self._alias < 0:
            self._old = SockaddrIn(self._getaddr(text))
            return
        host, slash, length = text.rpartition("/")
        if slash:
            self._mask = SockaddrIn(self._getprefix(length))
            text = host
        self._addr = SockaddrIn(self._getaddr(text))

    def destination(self, _param: None, text: str) -> None:
        """Take the peer's address."""
        if not self.flags & IFF_POINTOPOINT:
            self.err.errx("can't set destination address on non-point-to-point link")
        self.dstaddr(None, text)

    def dstaddr(self, _param: None, text: str) -> None:
        """Take the peer's or the broadcast address."""
        self._dstaddr = SockaddrIn(self._getaddr(text))

    def netmask(self, _param: None, text: str) -> None:
        """Take the mask as an address."""
        self._mask = SockaddrIn(self._getaddr(text))

    def prefixlen(self, _param: None, text: str) -> None:
        """Take the mask as a length."""
        self._mask = SockaddrIn(self._getprefix(text))

    def alias(self, param: int) -> None:
        """Add beside the others, or remove."""
        if param < 0 and self._addresses and self._alias == 0:
            self._old = self._addr
        self._alias = param
        self._aliases += 1
        self._delete = param < 0
        if param < 0:
            self._add = False

    def ipdst(self, _param: None, text: str) -> None:
        """Take the address that another protocol is carried to."""
        self._ipdst = SockaddrIn(self._getaddr(text))
        self._delete = self._add = False

    def preference(self, _param: None, text: str) -> None:
        """Take the preference of the address before it."""
        if not self._addresses:
            self.err.errx("set address preference: first specify an address")
        value = strtoul(text)
        if value is None or value > 0xFFFF:
            self.err.errx(f"invalid preference {text}")
        self._preference = value

    def in6_flags(self, param: int | None) -> None:
        """Refuse: these are flags of IPv6 addresses."""
        word = {1: "anycast", 2: "tentative", 0x10: "deprecated"}.get(abs(param or 0), "eui64")
        self.err.errx(f"{'-' if (param or 0) < 0 else ''}{word} not allowed for the AF")

    def in6_lifetime(self, word: str, text: str) -> None:
        """Refuse: IPv4 addresses have no lifetime."""
        if not text.lstrip()[:1].isdigit():
            self.err.errx(f"invalid {word}")
        self.err.errx(f"{word} not allowed for the AF")

    # Media.

    def _media_words(self) -> Any:
        if self._media is None:
            from cmds.ifconfig.media import MediaWords

            self._media = MediaWords(self.sock, self.err, self.name)
        return self._media

    def media(self, _param: None, text: str) -> None:
        """Choose the media subtype."""
        self._media_words().media(text)

    def mediaopt(self, _param: None, text: str) -> None:
        """Set media options."""
        self._media_words().mediaopt(text)

    def unmediaopt(self, _param: None, text: str) -> None:
        """Clear media options."""
        self._media_words().unmediaopt(text)

    def mode(self, _param: None, text: str) -> None:
        """Choose the media mode."""
        self._media_words().mode(text)

    def instance(self, _param: None, text: str) -> None:
        """Choose the media instance."""
        self._media_words().instance(text)

    # The radio.

    def nwid(self, _param: None, text: str) -> None:
        """Set the network name."""
        from cmds.ifconfig.wireless import BadString, get_string
        from libnet.ioctl.ieee80211 import IEEE80211_NWID_LEN, SIOCS80211NWID, Ieee80211Nwid

        try:
            nwid = get_string(text, IEEE80211_NWID_LEN)
        except BadString as exc:
            self.err.warnx(str(exc))
            return
        self._try(SIOCS80211NWID, Ieee80211Nwid(self.name, nwid))

    def nwkey(self, _param: None, text: str) -> None:
        """Set the WEP keys."""
        from cmds.ifconfig.wireless import BadString, parse_nwkey
        from libnet.ioctl.ieee80211 import SIOCS80211NWKEY

        try:
            nwkey = parse_nwkey(self.name, text)
        except BadString as exc:
            self.err.warnx(str(exc))
            return
        self._try(SIOCS80211NWKEY, nwkey)

    def no_nwkey(self, _param: None) -> None:
        """Switch WEP off and forget the keys."""
        from libnet.ioctl.ieee80211 import SIOCS80211NWKEY, Ieee80211Nwkey

        nwkey = Ieee80211Nwkey(self.name, wepon=0, defkid=1, keylen=[0] * 4, key=[b""] * 4)
        self._try(SIOCS80211NWKEY, nwkey)

    def bssid(self, _param: None, text: str) -> None:
        """Stay with one access point."""
        from libnet.addr import ether_aton
        from libnet.ioctl.ieee80211 import SIOCS80211BSSID, Ieee80211Bssid

        try:
            bssid = ether_aton(text)
        except ValueError:
            self.err.warnx(f"malformed BSSID: {text}")
            return
        self._try(SIOCS80211BSSID, Ieee80211Bssid(self.name, bssid))

    def no_bssid(self, _param: None) -> None:
        """Take any access point."""
        from libnet.ioctl.ieee80211 import SIOCS80211BSSID, Ieee80211Bssid

        self._try(SIOCS80211BSSID, Ieee80211Bssid(self.name))

    def chan(self, _param: None, text: str) -> None:
        """Choose the channel."""
        from libnet.ioctl.ieee80211 import SIOCS80211CHANNEL, Ieee80211ChanReq

        channel = strtoul(text)
        if channel is None or channel > 0xFFFF:
            self.err.warnx(f"invalid channel: {text}")
            return
        self._try(SIOCS80211CHANNEL, Ieee80211ChanReq(self.name, channel))

    def no_chan(self, _param: None) -> None:
        """Take any channel."""
        from libnet.ioctl.ieee80211 import IEEE80211_CHAN_ANY, SIOCS80211CHANNEL, Ieee80211ChanReq

        self._try(SIOCS80211CHANNEL, Ieee80211ChanReq(self.name, IEEE80211_CHAN_ANY))

    def _power(self, *, enabled: int | None = None, maxsleep: int | None = None) -> None:
        from libnet.ioctl.ieee80211 import SIOCG80211POWER, SIOCS80211POWER, Ieee80211Power

        try:
            power = self.sock.ioctl(SIOCG80211POWER, Ieee80211Power(self.name))
        except NetError as exc:
            self.err.warn(exc, "SIOCG80211POWER")
            return
        if enabled is not None:
            power.enabled = enabled
        if maxsleep is not None:
            power.maxsleep = maxsleep
        self._try(SIOCS80211POWER, power)

    def powersave(self, param: int) -> None:
        """Switch power saving on or off."""
        self._power(enabled=param)

    def powersavesleep(self, _param: None, text: str) -> None:
        """Set the longest sleep, in milliseconds."""
        self._power(maxsleep=_atoi(text))

    def set80211(self, param: tuple[int, int]) -> None:
        """Set one of the numbered parameters."""
        from libnet.ioctl.ieee80211 import SIOCS80211, Ieee80211Req

        kind, value = param
        self._do(SIOCS80211, Ieee80211Req(self.name, type=kind, val=value))

    def threshold(self, param: tuple[int, int, str], text: str) -> None:
        """Set the fragmentation or RTS threshold, in octets."""
        kind, least, what = param
        value = strtoul(text)
        if value is None or not least <= value <= 2346:
            self.err.errx(f"invalid {what} threshold: {text}")
        self.set80211((kind, value))

    def scan(self, _param: None) -> None:
        """Scan and list."""
        from cmds.ifconfig.scan import scan

        flags = self._do(SIOCGIFFLAGS, IfReq(self.name)).value
        up = bool(flags & IFF_UP)
        scan(self.ctx, self.sock, self.err, self.name, up=up, verbose=self.verbose)

    def list(self, _param: None, text: str) -> None:
        """List what *text* says; there is only scan."""
        if text != "scan":
            self._bad(text)
        self.scan(None)

    # Cloned interfaces.

    def destroy(self, _param: None) -> None:
        """Destroy the interface."""
        self._do(SIOCIFDESTROY, IfReq(self.name))

    def _sockaddr(self, text: str) -> SockaddrIn:
        """Return the address and port of "address[,port]", resolved as getaddrinfo(3) does."""
        from cmds._names import HostNotFound, Names

        names = Names(self.ctx)
        host, comma, service = text.partition(",")
        try:
            addr = names.gethostbyname(host)
        except HostNotFound:
            self._gai("hostname nor servname provided, or not known")
        if not comma:
            return SockaddrIn(addr)
        port = strtoul(service)
        if port is None:
            try:
                port = names.getservbyname(service, "udp")
            except HostNotFound:
                port = 0x10000
        if port > 0xFFFF:
            self._gai("servname not supported for ai_socktype")
        return SockaddrIn(addr, port)

    def _gai(self, text: str) -> NoReturn:
        self.err.errx(f"error in parsing address string: {text}")

    def tunnel(self, _param: None, source: str, destination: str) -> None:
        """Set the outer addresses."""
        from libnet.ioctl.iftunnel import SIOCSLIFPHYADDR
        from libnet.ioctl.sockio import IfLaddrReq

        req = IfLaddrReq(
            self.name, addr=self._sockaddr(source), dstaddr=self._sockaddr(destination)
        )
        self._try(SIOCSLIFPHYADDR, req)

    def deletetunnel(self, _param: None) -> None:
        """Forget the outer addresses."""
        from libnet.ioctl.iftunnel import SIOCDIFPHYADDR

        self._do(SIOCDIFPHYADDR, IfReq(self.name))

    def _change_vlan(self, *, tag: int, parent: str | None = None) -> None:
        from libnet.ioctl.ifvlan import SIOCGETVLAN, SIOCSETVLAN
        from libnet.ioctl.sockio import VlanReq

        vlan = self._do(SIOCGETVLAN, VlanReq(self.name))
        vlan.tag = tag
        if parent is not None:
            vlan.parent = parent
        self._do(SIOCSETVLAN, vlan)

    def _only_on(self, stem: str) -> None:
        if not is_unit_of(stem, self.name):
            self.err.errx(f"valid only with {stem}(4) interfaces")

    def vlan(self, _param: None, text: str) -> None:
        """Set the VLAN tag."""
        self._only_on("vlan")
        # The structure's field has 16 bits; the stack refuses what 802.1Q has no room for.
        self._vlan_tag = _atoi(text) & 0xFFFF
        self._change_vlan(tag=self._vlan_tag)

    def vlanif(self, _param: None, text: str) -> None:
        """Set the parent interface."""
        self._only_on("vlan")
        if self._vlan_tag is None:
            self.err.errx("must specify both ``vlan'' and ``vlanif''")
        self._change_vlan(tag=self._vlan_tag, parent=text[: IFNAMSIZ - 1])

    def no_vlanif(self, _param: None) -> None:
        """Leave the parent interface."""
        self._only_on("vlan")
        self._change_vlan(tag=0, parent="")

    def agrport(self, command: int, text: str) -> None:
        """Add or remove a member of an aggregate."""
        from libnet.ioctl.ifvlan import SIOCSETAGR, AgrReq

        self._only_on("agr")
        self._do(SIOCSETAGR, AgrReq(self.name, cmd=command, port=text))

    def _carp(self, field: str, value: Any) -> None:
        from libnet.ioctl.ifvlan import SIOCGVH, SIOCSVH, CarpReq

        carp = self._do(SIOCGVH, CarpReq(self.name))
        if value is not None:
            setattr(carp, field, value)
        self._do(SIOCSVH, carp)

    def carp_number(self, param: tuple[str, int], text: str) -> None:
        """Set vhid, advbase or advskew."""
        field, top = param
        value = strtoul(text)
        if value is None or value > top:
            self.err.errx(f"{field}: {text}: must be between 0 and {top}")
        self._carp(field, value)

    def carp_pass(self, _param: None, text: str) -> None:
        """Set the pass phrase; it is cut to what the key has room for."""
        from libnet.ioctl.ifvlan import CARP_KEY_LEN

        self._carp("key", text.encode("utf-8", "surrogateescape")[: CARP_KEY_LEN - 1])

    def carp_state(self, _param: None, text: str) -> None:
        """Force a state; like the original, an unknown one changes nothing."""
        from libnet.ioctl.ifvlan import CARP_STATES

        known = text.upper() in CARP_STATES
        self._carp("state", CARP_STATES.index(text.upper()) if known else None)

    def carpdev(self, _param: None, text: str) -> None:
        """Set the physical interface."""
        self._carp("carpdev", text[: IFNAMSIZ - 1])

    def no_carpdev(self, _param: None) -> None:
        """Leave the physical interface."""
        self._carp("carpdev", "")
