"""Blocks of the listing: a Status in, text out."""

from __future__ import annotations

from cmds.ifconfig.fetch import InetAddr, Status, Wanted
from libnet.addr import ether_ntoa, inet_ntoa
from libnet.ioctl.ifflags import (
    IFCAP_NAMES,
    IFF_BROADCAST,
    IFF_NAMES,
    IFF_POINTOPOINT,
    IFM_NMASK,
)
from libnet.ioctl.sockio import IfCapReq, IfData, IfMediaReq
from libnet.text.media import media_status, media_type_string, media_word
from libnet.text.printb import printb, snprintb


def show(status: Status, wanted: Wanted) -> str:
    """Return the block of one interface, each line with its newline."""
    iface = status.iface
    head = f"{iface.name}: {printb('flags', iface.flags, IFF_NAMES)}"
    if iface.metric:
        head += f" metric {iface.metric}"
    if iface.mtu:
        head += f" mtu {iface.mtu}"
    lines = [head, *_caps(iface.cap), *status.ieee80211, *_virtual(status)]
    if status.lladdr:
        lines.append(f"\taddress: {ether_ntoa(status.lladdr)}")
    if status.media is not None:
        lines += _media(status.media, supported=wanted.media)
    if status.data is not None:
        lines += show_data(status.data, human=wanted.human)
    lines += status.ieee80211_stats
    preferences = any(addr.preference for addr in status.inet)
    lines += [_inet(addr, iface.flags, preference=preferences) for addr in status.inet]
    return "\n".join(lines) + "\n"


def _caps(cap: IfCapReq) -> list[str]:
    if not cap.capabilities_rx | cap.capabilities_tx:
        return []
    lines = [
        f"\tcapabilities rx={snprintb(cap.capabilities_rx, IFCAP_NAMES)}",
        f"\tcapabilities tx={snprintb(cap.capabilities_tx, IFCAP_NAMES)}",
    ]
    if not cap.capenable_rx | cap.capenable_tx:
        return [*lines, "\tenabled=0"]
    return [
        *lines,
        f"\tenabled rx={snprintb(cap.capenable_rx, IFCAP_NAMES)}",
        f"\tenabled tx={snprintb(cap.capenable_tx, IFCAP_NAMES)}",
    ]


def _virtual(status: Status) -> list[str]:
    lines = []
    vlan = status.vlan
    if vlan is not None and (vlan.tag or vlan.parent):
        lines.append(f"\tvlan: {vlan.tag} parent: {vlan.parent or '<none>'}")
    carp = status.carp
    if carp is not None and carp.vhid > 0:
        from libnet.ioctl.ifvlan import CARP_STATES

        known = 0 <= carp.state < len(CARP_STATES)
        lines.append(
            f"\tcarp: {CARP_STATES[carp.state] if known else '<UNKNOWN>'}"
            f" carpdev {carp.carpdev or 'none'} vhid {carp.vhid}"
            f" advbase {carp.advbase} advskew {carp.advskew}"
        )
    if status.tunnel is not None:
        src, sport, dst, dport = status.tunnel
        lines.append(
            f"\ttunnel inet {src}{',' + sport if sport else ''}"
            f" --> {dst}{',' + dport if dport else ''}"
        )
    if status.agr:
        from libnet.ioctl.ifvlan import AGRPORTINFO_BITS

        for port in status.agr:
            # The one place where the number keeps its 0x.
            flags = f"0x{snprintb(port.flags, AGRPORTINFO_BITS)}" if port.flags else "0"
            lines.append(f"\tagrport: {port.ifname}, flags={flags}")
    return lines


def _media(media: IfMediaReq, *, supported: bool) -> list[str]:
    line = f"\tmedia: {media_type_string(media.current)} {media_word(media.current)}"
    if media.active != media.current:
        line += f" ({media_word(media.active)})"
    lines = [line]
    status = media_status(media.current, media.status)
    if status is not None:
        lines.append(f"\tstatus: {status}")
    if supported:
        for kind in range(0x20, IFM_NMASK + 1, 0x20):
            words = [word for word in media.ulist if word & IFM_NMASK == kind]
            if words:
                lines.append(f"\tsupported {media_type_string(kind)} media:")
                lines += [f"\t\tmedia {media_word(word, ' mediaopt ')}" for word in words]
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _octets(number: int, *, human: bool) -> str:
    if not human:
        return _count(number, "byte")
    text = humanize(number)
    return f"{text} byte{'' if text.rstrip('KMGTPE') in ('1', '1.0') else 's'}"


def humanize(number: int) -> str:
    """Return *number* in at most four characters: a decimal place below ten, powers of 1024.

    >>> humanize(999), humanize(118230), humanize(1258291)
    ('999', '115K', '1.2M')
    """
    scaled, power = number * 100, 0
    while scaled >= 99950 and power < 6:
        scaled //= 1024
        power += 1
    letter = "KMGTPE"[power - 1] if power else ""
    if power and scaled < 995:
        tenths = (scaled + 5) // 10
        return f"{tenths // 10}.{tenths % 10}{letter}"
    return f"{(scaled + 50) // 100}{letter}"


def show_data(data: IfData, *, human: bool) -> list[str]:
    """Return the two lines of packet statistics."""
    took = [_count(data.ipackets, "packet"), _octets(data.ibytes, human=human)]
    for number, noun in (
        (data.imcasts, "multicast"),
        (data.ierrors, "error"),
        (data.iqdrops, "queue drop"),
    ):
        if number:
            took.append(_count(number, noun))
    if data.noproto:
        took.append(f"{data.noproto} unknown protocol")  # never with an s
    gave = [_count(data.opackets, "packet"), _octets(data.obytes, human=human)]
    for number, noun in (
        (data.omcasts, "multicast"),
        (data.oerrors, "error"),
        (data.collisions, "collision"),
    ):
        if number:
            gave.append(_count(number, noun))
    return [f"\tinput: {', '.join(took)}", f"\toutput: {', '.join(gave)}"]


def _inet(addr: InetAddr, flags: int, *, preference: bool) -> str:
    line = f"\tinet {'alias ' if addr.alias else ''}{inet_ntoa(addr.addr)}"
    if flags & IFF_POINTOPOINT:
        line += f" -> {inet_ntoa(addr.dstaddr)}"
    line += f" netmask {addr.mask:#x}"
    if flags & IFF_BROADCAST:
        line += f" broadcast {inet_ntoa(addr.dstaddr)}"
    if preference:
        line += f" preference {addr.preference}"
    return line
