"""wiconfig(8): the settings of a wireless interface as WaveLAN's tool shows and sets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from cmds._bsd import BsdCommand, command, err_of, flag, operands, option, program
from libnet.addr import AF_INET, ether_aton
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import SIOCG80211NWID, Ieee80211Nwid
from libnet.ioctl.ifflags import IFF_UP
from libnet.ioctl.sockio import SIOCGIFFLAGS, SIOCSIFFLAGS, IfReq
from libnet.ioctl.wi_ieee import (
    SIOCGWAVELAN,
    SIOCSWAVELAN,
    WI_APINFO,
    WI_COUNTER_NAMES,
    WI_COUNTERS,
    WI_KEY,
    WI_NKEYS,
    WI_RID_CHANNEL_LIST,
    WI_RID_CNFAUTHMODE,
    WI_RID_COMMS_QUALITY,
    WI_RID_CREATE_IBSS,
    WI_RID_CUR_BEACON_INT,
    WI_RID_CUR_TX_RATE,
    WI_RID_CURRENT_BSSID,
    WI_RID_CURRENT_CHAN,
    WI_RID_CURRENT_SSID,
    WI_RID_DEFLT_CRYPT_KEYS,
    WI_RID_DESIRED_SSID,
    WI_RID_ENCRYPTION,
    WI_RID_IFACE_STATS,
    WI_RID_MAC_NODE,
    WI_RID_MAX_DATALEN,
    WI_RID_MAX_SLEEP,
    WI_RID_MICROWAVE_OVEN,
    WI_RID_NODENAME,
    WI_RID_OWN_CHNL,
    WI_RID_OWN_SSID,
    WI_RID_PM_ENABLED,
    WI_RID_PORTTYPE,
    WI_RID_PROMISC,
    WI_RID_READ_APS,
    WI_RID_ROAMING_MODE,
    WI_RID_RTS_THRESH,
    WI_RID_SCAN_APS,
    WI_RID_SERIALNO,
    WI_RID_SYSTEM_SCALE,
    WI_RID_TX_CRYPT_KEY,
    WI_RID_TX_RATE,
    WI_RID_WEP_AVAIL,
    WiReq,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM, Socket
from libnet.text.err import Err

USAGE: Final = """\
usage: wiconfig interface [-Dho] [-A 1|2] [-a access point density] [-c 0|1]
                [-d max data length] [-e 0|1] [-f channel] [-k key [-v 1|2|3|4]]
                [-M 0|1] [-m MAC address] [-n network name] [-P 0|1]
                [-p port type] [-q SSID] [-R 1|3] [-r RTS threshold]
                [-S max sleep time] [-s station name] [-T 1|2|3|4] [-t tx rate]
"""

COLUMN: Final = 40  # values begin here; tabs reach it
SCAN_TRIES: Final = 10
TEXT_MAX: Final = 30  # octets of a name that fits the record's fixed length
_ESS, _PRIVACY = 0x0001, 0x0010
# Units of 100 kb/s that the listing knows, and what it calls them.
_RATES: Final = {10: 1, 20: 2, 55: 5, 110: 11}
_DBM: Final = 149  # what is taken off a strength to make it dBm
_SCAN_REASONS: Final = ("Host initiated", "Firmware initiated", "Inquiry request from host")


def string(val: bytes) -> str:
    """Return a text behind its length."""
    size = int.from_bytes(val[:2], "little")
    return f"[ {_clean(val[2 : 2 + size])} ]"


def serial(val: bytes) -> str:
    """Return a text that fills its record."""
    return f"[ {_clean(val)} ]"


def _clean(octets: bytes) -> str:
    return octets.replace(b"\0", b" ").decode("utf-8", "replace")


def numbers(val: bytes) -> list[int]:
    """Return a record's 16-bit numbers.

    >>> numbers(bytes((1, 0, 0, 2)))
    [1, 512]
    """
    return [val[at] | val[at + 1] << 8 for at in range(0, len(val) - 1, 2)]


def words(val: bytes) -> str:
    """Return numbers, each with a blank after it.

    >>> words(bytes((6, 0, 1, 0)))
    '[ 6 1 ]'
    """
    return f"[ {''.join(f'{number} ' for number in numbers(val))}]"


def boolean(val: bytes) -> str:
    """Return On or Off."""
    return "[ On ]" if any(val[:2]) else "[ Off ]"


def hexbytes(val: bytes) -> str:
    """Return octets as an address.

    >>> hexbytes(bytes(6))
    '[ 00:00:00:00:00:00 ]'
    """
    return f"[ {':'.join(f'{octet:02x}' for octet in val)} ]"


def bits(val: bytes) -> str:
    """Return the numbers of the bits that are set, the lowest being 1.

    >>> bits(bytes((0x03, 0x04)))
    '[ 1 2 11 ]'
    """
    value = int.from_bytes(val[:2], "little")
    return f"[{''.join(f' {at + 1}' for at in range(16) if value >> at & 1)} ]"


def key_of(text: str) -> bytes | None:
    """Return the octets of a key: hexadecimal after 0x, or the text; None for bad digits."""
    if text[:2] not in ("0x", "0X"):
        return text.encode("utf-8", "surrogateescape")
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        return None


def show_keys(val: bytes) -> str:
    """Return the four keys, each in brackets: text, or hexadecimal if it is none.

    >>> show_keys((WI_KEY.pack(5, b"abcde") + WI_KEY.pack(5, bytes(5))) + WI_KEY.pack(0, b"") * 2)
    '[ abcde ][ 0x0000000000 ][  ][  ]'
    """
    text = ""
    whole = len(val) - len(val) % WI_KEY.size
    for size, octets in WI_KEY.iter_unpack(val[:whole]):
        key: bytes = octets[:size]
        printable = all(0x20 <= octet < 0x7F for octet in key)
        text += f"[ {key.decode('ascii') if printable else '0x' + key.hex()} ]"
    return text


def tx_key(val: bytes) -> str:
    """Return the number of the key to send with, from 1.

    >>> tx_key(bytes(2))
    '[ 1 ]'
    """
    return f"[ {''.join(f'{number + 1} ' for number in numbers(val))}]"


Show = Callable[[bytes], str]

# Record, label, how it is shown.
TABLE: Final[tuple[tuple[int, str, Show], ...]] = (
    (WI_RID_SERIALNO, "NIC serial number:", serial),
    (WI_RID_NODENAME, "Station name:", string),
    (WI_RID_OWN_SSID, "SSID for IBSS creation:", string),
    (WI_RID_CURRENT_SSID, "Current netname (SSID):", string),
    (WI_RID_DESIRED_SSID, "Desired netname (SSID):", string),
    (WI_RID_CURRENT_BSSID, "Current BSSID:", hexbytes),
    (WI_RID_CHANNEL_LIST, "Channel list:", bits),
    (WI_RID_OWN_CHNL, "IBSS channel:", words),
    (WI_RID_CURRENT_CHAN, "Current channel:", words),
    (WI_RID_COMMS_QUALITY, "Comms quality/signal/noise:", words),
    (WI_RID_PROMISC, "Promiscuous mode:", boolean),
    (WI_RID_PORTTYPE, "Port type (1=BSS, 3=ad-hoc):", words),
    (WI_RID_MAC_NODE, "MAC address:", hexbytes),
    (WI_RID_TX_RATE, "TX rate (selection):", words),
    (WI_RID_CUR_TX_RATE, "TX rate (actual speed):", words),
    (WI_RID_CUR_BEACON_INT, "Beacon Interval (current) [msec]:", words),
    (WI_RID_MAX_DATALEN, "Maximum data length:", words),
    (WI_RID_RTS_THRESH, "RTS/CTS handshake threshold:", words),
    (WI_RID_CREATE_IBSS, "Create IBSS:", boolean),
    (WI_RID_MICROWAVE_OVEN, "Microwave oven robustness:", words),
    (WI_RID_ROAMING_MODE, "Roaming mode(1:firm,3:disable):", words),
    (WI_RID_SYSTEM_SCALE, "Access point density:", words),
    (WI_RID_PM_ENABLED, "Power Mgmt (1=on, 0=off):", words),
    (WI_RID_MAX_SLEEP, "Max sleep time (msec):", words),
)
CRYPT_TABLE: Final[tuple[tuple[int, str, Show], ...]] = (
    (WI_RID_ENCRYPTION, "WEP encryption:", boolean),
    (WI_RID_CNFAUTHMODE, "Authentication type \n(1=OpenSys, 2=Shared Key):", words),
    (WI_RID_TX_CRYPT_KEY, "TX encryption key:", tx_key),
    (WI_RID_DEFLT_CRYPT_KEYS, "Encryption keys:", show_keys),
)

COUNTERS: Final = (
    ("Transmitted unicast frames:", "tx_unicast_frames"),
    ("Transmitted multicast frames:", "tx_multicast_frames"),
    ("Transmitted fragments:", "tx_fragments"),
    ("Transmitted unicast octets:", "tx_unicast_octets"),
    ("Transmitted multicast octets:", "tx_multicast_octets"),
    ("Single transmit retries:", "tx_single_retries"),
    ("Multiple transmit retries:", "tx_multi_retries"),
    ("Transmit retry limit exceeded:", "tx_retry_limit"),
    ("Transmit discards:", "tx_discards"),
    ("Transmit discards due to wrong SA:", "tx_discards_wrong_sa"),
    ("Received unicast frames:", "rx_unicast_frames"),
    ("Received multicast frames:", "rx_multicast_frames"),
    ("Received fragments:", "rx_fragments"),
    ("Received unicast octets:", "rx_unicast_octets"),
    ("Received multicast octets:", "rx_multicast_octets"),
    ("Receive FCS errors:", "rx_fcs_errors"),
    ("Receive discards due to no buffer:", "rx_discards_nobuf"),
    ("Can't decrypt WEP frame:", "rx_WEP_cant_decrypt"),
    ("Received message fragments:", "rx_msg_in_msg_frags"),
    ("Received message bad fragments:", "rx_msg_in_bad_msg_frags"),
)

# Option: record of the number it sets, and how far the number is from what the record holds.
_NUMBERS: Final = (
    ("tx_rate", WI_RID_TX_RATE, 0),
    ("wep", WI_RID_ENCRYPTION, 0),
    ("tx_key", WI_RID_TX_CRYPT_KEY, -1),
    ("create_ibss", WI_RID_CREATE_IBSS, 0),
    ("port_type", WI_RID_PORTTYPE, 0),
    ("density", WI_RID_SYSTEM_SCALE, 0),
    ("max_data", WI_RID_MAX_DATALEN, 0),
    ("rts", WI_RID_RTS_THRESH, 0),
    ("channel", WI_RID_OWN_CHNL, 0),
    ("microwave", WI_RID_MICROWAVE_OVEN, 0),
    ("power", WI_RID_PM_ENABLED, 0),
    ("max_sleep", WI_RID_MAX_SLEEP, 0),
    ("auth", WI_RID_CNFAUTHMODE, 0),
    ("roaming", WI_RID_ROAMING_MODE, 0),
)
_TEXTS: Final = (
    ("network", WI_RID_DESIRED_SSID),
    ("station", WI_RID_NODENAME),
    ("ssid", WI_RID_OWN_SSID),
)


@command(usage=USAGE)
@flag("-D", "scan")
@flag("-h", "help_")
@flag("-o", "stats")
@option("-i", "interface")
@option("-A", "auth")
@option("-a", "density")
@option("-c", "create_ibss")
@option("-d", "max_data")
@option("-e", "wep")
@option("-f", "channel")
@option("-k", "key")
@option("-v", "key_number")
@option("-M", "microwave")
@option("-m", "mac")
@option("-n", "network")
@option("-P", "power")
@option("-p", "port_type")
@option("-q", "ssid")
@option("-R", "roaming")
@option("-r", "rts")
@option("-S", "max_sleep")
@option("-s", "station")
@option("-T", "tx_key")
@option("-t", "tx_rate")
@operands
def _options(
    ctx: Ctx,
    scan: bool,
    help_: bool,
    stats: bool,
    interface: str | None,
    mac: str | None,
    key: str | None,
    key_number: str | None,
    operands: tuple[str, ...],
    **given: str | None,
) -> int:
    """Do what the options say; show everything when there is none."""
    err = err_of(ctx)
    if help_ or operands or interface is None:
        ctx.stderr.write(USAGE)
        return 1
    if key_number is not None and key is None:
        err.errx("-v needs a key")
    nothing = not (scan or stats or mac or key) and all(v is None for v in given.values())
    try:
        with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
            tool = Tool(ctx, err, sock, interface)
            tool.check()
            tool.set_all(given)
            if mac is not None:
                tool.set_mac(mac)
            if key is not None:
                tool.set_key(key, key_number)
            if stats:
                tool.dump_stats()
            if nothing:
                tool.dump_info()
            if scan:
                tool.scan()
    except NetError as exc:
        err.err(exc, "socket")
    return 0


def run(argv: Sequence[str], ctx: Ctx) -> int:
    """Take the interface from in front of the options, where it may stand without -i."""
    args = list(argv)
    if args and not args[0].startswith("-"):
        args[:1] = ["-i", args[0]]
    options: BsdCommand = _options
    return options.run(args, ctx)


main = program("wiconfig", run)


class Tool:
    """The conversation with one interface."""

    def __init__(self, ctx: Ctx, err: Err, sock: Socket, name: str) -> None:
        self.ctx, self.err, self.sock, self.name = ctx, err, sock, name

    def check(self) -> None:
        """Leave unless the interface is a wireless one."""
        try:
            self.sock.ioctl(SIOCG80211NWID, Ieee80211Nwid(self.name))
        except NetError as exc:
            self.err.err(exc, "SIOCG80211NWID")

    def get(self, kind: int) -> bytes | None:
        """Return a record; None, with a warning, when the interface does not have it."""
        try:
            found: WiReq = self.sock.ioctl(SIOCGWAVELAN, WiReq(self.name, kind))
        except NetError as exc:
            self.err.warn(exc, f"SIOCGWAVELAN(wreq {kind:04x})")
            return None
        return found.val

    def set(self, kind: int, val: bytes) -> None:
        """Set a record, or leave."""
        try:
            self.sock.ioctl(SIOCSWAVELAN, WiReq(self.name, kind, val))
        except NetError as exc:
            self.err.err(exc, "SIOCSWAVELAN")

    # -- setting

    def set_all(self, given: dict[str, str | None]) -> None:
        """Set the numbers and names that were given."""
        for name, kind, offset in _NUMBERS:
            text = given[name]
            if text is not None:
                self.set(kind, ((_atoi(text) + offset) & 0xFFFF).to_bytes(2, "little"))
        for name, kind in _TEXTS:
            text = given[name]
            if text is not None:
                octets = text.encode("utf-8", "surrogateescape")
                if len(octets) > TEXT_MAX:
                    self.err.errx("string too long")
                self.set(kind, len(octets).to_bytes(2, "little") + octets.ljust(TEXT_MAX, b"\0"))

    def set_mac(self, text: str) -> None:
        """Set the station's address."""
        try:
            octets = ether_aton(text)
        except ValueError:
            self.err.errx("badly formatted address")
        self.set(WI_RID_MAC_NODE, octets)

    def set_key(self, text: str, number: str | None) -> None:
        """Set one of the four keys, the first unless told which."""
        at = 1 if number is None else _atoi(number)
        if not 1 <= at <= WI_NKEYS:
            self.err.errx(f"bad key number: {number}")
        octets = key_of(text)
        if octets is None:
            self.err.errx("bad hexadecimal digits")
        if len(octets) not in (0, 5, 13):
            self.err.errx("encryption keys must be 5 or 13 characters, or 10 or 26 digits after 0x")
        val = self.get(WI_RID_DEFLT_CRYPT_KEYS)
        if val is None:
            raise SystemExit(1)
        keys = [val[i : i + WI_KEY.size] for i in range(0, len(val), WI_KEY.size)]
        keys[at - 1] = WI_KEY.pack(len(octets), octets)
        self.set(WI_RID_DEFLT_CRYPT_KEYS, b"".join(keys))

    # -- showing

    def dump_info(self) -> None:
        """Show all that can be set, and what it is."""
        write = self.ctx.stdout.write
        wep = self.get(WI_RID_WEP_AVAIL)
        for kind, label, show in TABLE:
            val = self.get(kind)
            write(aligned(label) + ("[ Unknown ]" if val is None else show(val)) + "\n")
        if wep is None or not any(wep):
            return
        for kind, label, show in CRYPT_TABLE:
            val = self.get(kind)
            write(aligned(label) + ("" if val is None else show(val)) + "\n")

    def dump_stats(self) -> None:
        """Show what has been counted."""
        val = self.get(WI_RID_IFACE_STATS)
        if val is None or len(val) < WI_COUNTERS.size:
            return
        counts = dict(zip(WI_COUNTER_NAMES, WI_COUNTERS.unpack_from(val), strict=True))
        for label, name in COUNTERS:
            self.ctx.stdout.write(f"{aligned(label)}{counts[name]}\n")

    def scan(self) -> None:
        """Look for access points, and list them. The interface is up meanwhile."""
        try:
            flags = self.sock.ioctl(SIOCGIFFLAGS, IfReq(self.name)).value
        except NetError as exc:
            self.err.err(exc, "SIOCGIFFLAGS")
        was_down = not flags & IFF_UP
        if was_down:
            self._flags(flags | IFF_UP)
        # Channels 1 to 14, and the rate to ask at.
        self.set(WI_RID_SCAN_APS, (0x3FFF).to_bytes(2, "little") + (0xF).to_bytes(2, "little"))
        write = self.ctx.stdout.write
        write("scanning ...")
        found = self._results()
        if was_down:
            self._flags(flags)
        write(show_aps(found))

    def _flags(self, flags: int) -> None:
        try:
            self.sock.ioctl(SIOCSIFFLAGS, IfReq(self.name, flags))
        except NetError as exc:
            self.err.err(exc, "SIOCSIFFLAGS")

    def _results(self) -> bytes:
        for left in range(SCAN_TRIES, -1, -1):
            try:
                found: WiReq = self.sock.ioctl(SIOCGWAVELAN, WiReq(self.name, WI_RID_READ_APS))
            except NetError as exc:
                if not left or exc.symbol != "EINPROGRESS":
                    self.err.err(exc, "ioctl")
                self.ctx.stdout.write(".")
                self.ctx.stdout.flush()
                self.ctx.sleep(1)
                continue
            return found.val
        raise AssertionError("the last try ends the program")


def _atoi(text: str) -> int:
    digits = ""
    for at, char in enumerate(text.strip()):
        if char in "0123456789" or (not at and char in "+-"):
            digits += char
        else:
            break
    return int(digits[:10]) if digits.strip("+-") else 0


def aligned(label: str) -> str:
    r"""Return a label and as many tabs as reach the values.

    >>> aligned("Station name:"), aligned("Roaming mode(1:firm,3:disable):")
    ('Station name:\t\t\t\t', 'Roaming mode(1:firm,3:disable):\t\t')
    """
    width = len(label.rpartition("\n")[2])
    return label + "\t" * max(1, -(-(COLUMN - width) // 8))


def show_aps(val: bytes) -> str:
    """Return the list of access points; a record that is cut short is left out."""
    count = int.from_bytes(val[:4], "little")
    if not count:
        return "\nNo APs available\n"
    text = "\nAP Information\n"
    whole = (len(val) - 4) // WI_APINFO.size
    for at in range(min(count, whole)):
        fields = WI_APINFO.unpack_from(val, 4 + at * WI_APINFO.size)
        reason, bssid, chan, signal, noise, quality, size, name, capinfo, interval, rate = fields
        text += f"ap[{at}]:\n"
        if 1 <= reason <= len(_SCAN_REASONS):
            text += f"\tScanReason:\t\t\t[ {_SCAN_REASONS[reason - 1]} ]\n"
        caps = ("ESS " if capinfo & _ESS else "") + ("WEP " if capinfo & _PRIVACY else "")
        text += (
            f"\tnetname (SSID):\t\t\t[ {name[: max(0, size)].decode('utf-8', 'replace')} ]\n"
            f"\tBSSID:\t\t\t\t{hexbytes(bssid)}\n"
            f"\tChannel:\t\t\t[ {chan} ]\n"
            f"\tQuality/Signal/Noise [signal]:\t[ {quality} / {signal} / {noise} ]\n"
            f"\t                        [dBm]:\t"
            f"[ {quality} / {signal - _DBM} / {noise - _DBM} ]\n"
            f"\tBSS Beacon Interval [msec]:\t[ {interval} ]\n"
            f"\tCapinfo:\t\t\t[ {caps}]\n"
        )
        if rate in _RATES:
            text += f"\tDataRate [Mbps]:\t\t[ {_RATES[rate]} ]\n"
    return text
