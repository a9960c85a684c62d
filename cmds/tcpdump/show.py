"""What the printers of tcpdump are given: options, the names of the box, local time, -E and -M."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from libnet.addr import ether_aton
from libnet.text.dump.ndo import Ndo

if TYPE_CHECKING:
    from cmds.tcpdump.session import Session
    from libnet.libsocket.ctx import Ctx


class BoxNames:
    """The names of a box: its hosts, ethers and services files."""

    def __init__(self, ctx: Ctx) -> None:
        from cmds._names import Names

        self._ctx = ctx
        self._names = Names(ctx)
        self._ethers: dict[bytes, str] | None = None
        self._hosts6: dict[bytes, str] | None = None

    def host(self, addr: int) -> str | None:
        """Return the name of an IPv4 address."""
        return self._names.gethostbyaddr(addr)

    def host6(self, addr: bytes) -> str | None:
        """Return the name of an IPv6 address."""
        if self._hosts6 is None:
            self._hosts6 = {}
            for text, names in self._names.hosts.lines:
                octets = _octets(text)
                if octets is not None:
                    self._hosts6.setdefault(octets, names[0])
        return self._hosts6.get(addr)

    def ether(self, addr: bytes) -> str | None:
        """Return the name of a MAC address."""
        if self._ethers is None:
            self._ethers = _ethers(self._ctx)
        return self._ethers.get(addr)

    def port(self, port: int, proto: str) -> str | None:
        """Return the service of a port."""
        return self._names.getservbyport(port, proto)


def _octets(text: str) -> bytes | None:
    """Return the octets of an IPv6 address, or None."""
    if ":" not in text:
        return None
    from ipaddress import IPv6Address

    try:
        return IPv6Address(text).packed
    except ValueError:
        return None


def _ethers(ctx: Ctx) -> dict[bytes, str]:
    """Return the names of ethers(5); lines that make no sense are passed over."""
    try:
        with open(ctx.file("/etc/ethers"), encoding="utf-8", errors="replace") as file:
            text = file.read(1 << 20)
    except OSError:
        return {}
    found: dict[bytes, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            found.setdefault(ether_aton(words[0]), words[1])
        except ValueError:
            continue
    return found


def localtime(seconds: int) -> Sequence[int]:
    """Return (year, month, day, hour, minute, second). Raises ValueError for times without end."""
    try:
        return time.localtime(seconds)[:6]
    except (OverflowError, OSError) as exc:
        raise ValueError(seconds) from exc


def make_ndo(session: Session) -> Ndo:
    """Return the printers' options for a run. Raises Fatal."""
    given: dict[str, Any] = session.given
    ndo = Ndo()
    ndo.vflag, ndo.tflag = given["verbose"], given["times"]
    ndo.xflag, ndo.Xflag, ndo.Aflag = given["hexadecimal"], given["hex_ascii"], given["ascii_"]
    ndo.qflag, ndo.nflag = given["quick"], given["numeric"]
    ndo.eflag, ndo.Sflag, ndo.Kflag = given["link_header"], given["absolute"], given["no_checksums"]
    ndo.Nflag, ndo.uflag = given["no_domain"], given["undecoded_nfs"]
    ndo.bflag, ndo.fflag, ndo.Hflag = given["asdot"], given["foreign"], given["mesh"]
    ndo.number, ndo.nano = given["number"], session.nano
    ndo.packettype = (given["packet_type"] or "").lower()
    ndo.suppress_default_print = bool(ndo.qflag or ndo.xflag or ndo.Xflag)
    ndo.localtime = localtime
    if not ndo.nflag:
        ndo.names = BoxNames(session.ctx)
    if given["sig_secret"] is not None:
        ndo.sigsecret = given["sig_secret"].encode("utf-8", "surrogateescape")
    if given["esp_secret"] is not None:
        _add_secrets(ndo, session, given["esp_secret"])
    return ndo


def _add_secrets(ndo: Ndo, session: Session, text: str) -> None:
    from cmds.tcpdump.espsecret import EspError, EspSecrets

    def read(name: str) -> str:
        with open(session.ctx.operand(name), encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20)

    try:
        ndo.esp = EspSecrets(text, read, session.warn)
    except EspError as exc:
        session.fail(str(exc))
