"""pflog(4): packets that rules with `log` have decided, as a capture on pflogN sees them.

Link type DLT_PFLOG: a header of 64 octets (48 in the older dialect), then the packet as pf saw it.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.engine.link.ethernet import BPF_IN
from libnet.engine.link.ifclone import Cloner
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.bpf import DLT_PFLOG
from libnet.ioctl.ifflags import IFF_RUNNING, IFF_UP, IFT_OTHER

if TYPE_CHECKING:
    from libnet.engine.pf.packet import Pd
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.ruleset import Rule

PFLOG_MAX: Final = 16
PFLOG_MTU: Final = 33192
NO_UID: Final = 0x7FFFFFFF
NO_PID: Final = 0
NO_SUBRULE: Final = 0xFFFFFFFF

_HEAD: Final = Struct("!BBBB16s16sII")  # length, family, action, reason, interface, anchor, rules
_OWNERS: Final = Struct("=iiii")  # uid, pid, rule uid, rule pid: this machine's order
HDRLEN: Final = _HEAD.size + _OWNERS.size + 4
REAL_HDRLEN: Final = HDRLEN - 3
_OLD_HDRLEN: Final = _HEAD.size + 4


class Pflog:
    """The pflog interfaces of one pf; pflog0 is there from the start."""

    def __init__(self, pf: Pf) -> None:
        self.pf = pf
        self.ifps: dict[int, Ifnet] = {}
        cloners = pf.cloners
        if cloners is not None:
            cloners.attach(Cloner("pflog", self._create, self._destroy))
            cloners.create("pflog0")

    def _create(self, name: str, unit: int) -> Ifnet:
        if unit >= PFLOG_MAX:
            raise NetError("EINVAL")
        ifp = Ifnet(self.pf.stack, name, type=IFT_OTHER, mtu=PFLOG_MTU)
        ifp.dlt = DLT_PFLOG
        ifp.hdrlen = HDRLEN

        def init() -> None:
            ifp.flags |= IFF_RUNNING

        def stop() -> None:
            ifp.flags &= ~IFF_RUNNING

        ifp.init, ifp.stop = init, stop
        ifp.attach()
        self.ifps[unit] = ifp
        return ifp

    def _destroy(self, ifp: Ifnet) -> None:
        self.ifps = {unit: other for unit, other in self.ifps.items() if other is not ifp}
        ifp.detach()

    def packet(self, pd: Pd, rule: Rule, reason: int, action: int | None = None) -> None:
        """Show a packet and what *rule* has made of it to whoever listens."""
        ifp = self.ifps.get(rule.logif)
        if ifp is None or not ifp.flags & IFF_UP:
            return
        if ifp.bpf is None:
            ifp.ipackets += 1
            ifp.ibytes += pd.size
            return
        data = bytes(pd.buf()) if pd.rewriting() else pd.m.data
        frame = self.header(pd, rule, reason, action) + data[: pd.size]
        ifp.ipackets += 1
        ifp.ibytes += pd.size
        ifp.bpf.mtap(frame, BPF_IN)

    def header(self, pd: Pd, rule: Rule, reason: int, action: int | None = None) -> bytes:
        """Return struct pfloghdr."""
        spec = rule.spec
        number, sub, name = rule.nr, NO_SUBRULE, b""
        if pd.anchor_rule is not None:
            number, sub = pd.anchor_rule.nr, rule.nr
            if pd.anchor is not None:  # a state knows the calling rule, but not the anchor's name
                name = pd.anchor.path.encode("utf-8", "surrogateescape")[:15]
        old = self.pf.dialect == 37
        head = _HEAD.pack(
            _OLD_HDRLEN - 3 if old else REAL_HDRLEN,
            pd.af,
            rule.action if action is None else action,
            reason,
            pd.kif.name.encode()[:15],
            name,
            number & 0xFFFFFFFF,
            sub & 0xFFFFFFFF,
        )
        tail = bytes((pd.direction, 0, 0, 0))
        if old:
            return head + tail
        uid, pid = NO_UID, NO_PID
        if rule.log & p.PF_LOG_SOCKET_LOOKUP:
            found = self.pf.socket_of(pd)
            if found is not None:
                uid, pid = found[0], found[2]
        return head + _OWNERS.pack(uid, pid, spec.cuid, spec.cpid) + tail
