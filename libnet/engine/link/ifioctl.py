"""ifioctl: the interface ioctls that belong to no protocol (<sys/sockio.h>)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from libnet.addr import Sockaddr, SockaddrDl
from libnet.engine.link.ethernet import multicast_ether
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_FLAGS
from libnet.errors import NetError
from libnet.ioctl import sockio as s
from libnet.ioctl.bridge import SIOCGDRVSPEC, SIOCSDRVSPEC
from libnet.ioctl.ifflags import IFF_CANTCHANGE, IFF_RUNNING, IFF_UP
from libnet.ioctl.iftunnel import (
    SIOCDIFPHYADDR,
    SIOCGIFPDSTADDR,
    SIOCGIFPSRCADDR,
    SIOCGLIFPHYADDR,
    SIOCSIFPHYADDR,
    SIOCSLIFPHYADDR,
)
from libnet.ioctl.ifvlan import SIOCGETAGR, SIOCGETVLAN, SIOCSETAGR, SIOCSETVLAN
from libnet.ioctl.registry import Ioctl
from libnet.ioctl.tunnel import (
    GREDSOCK,
    GREGADDRD,
    GREGADDRS,
    GREGPROTO,
    GRESADDRD,
    GRESADDRS,
    GRESPROTO,
    GRESSOCK,
)

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.link.ifclone import Cloners

# What only the driver or the pseudo-device itself can answer.
_DRIVERS = (
    SIOCSDRVSPEC,
    SIOCGDRVSPEC,
    SIOCSETVLAN,
    SIOCGETVLAN,
    SIOCSETAGR,
    SIOCGETAGR,
    SIOCSIFPHYADDR,
    SIOCGIFPSRCADDR,
    SIOCGIFPDSTADDR,
    SIOCDIFPHYADDR,
    SIOCSLIFPHYADDR,
    SIOCGLIFPHYADDR,
    GRESADDRS,
    GRESADDRD,
    GREGADDRS,
    GREGADDRD,
    GRESPROTO,
    GREGPROTO,
    GRESSOCK,
    GREDSOCK,
)


class IfIoctl:
    """Handlers of one stack; `table()` gives them by name."""

    def __init__(self, stack: StackBase, cloners: Cloners) -> None:
        self.stack = stack
        self.cloners = cloners

    def table(self) -> dict[str, Any]:
        """Return handler by ioctl name."""
        return {
            "SIOCGIFFLAGS": self.gifflags,
            "SIOCSIFFLAGS": self.sifflags,
            "SIOCGIFMETRIC": self.gifmetric,
            "SIOCSIFMETRIC": self.sifmetric,
            "SIOCGIFMTU": self.gifmtu,
            "SIOCSIFMTU": self.sifmtu,
            "SIOCGIFDLT": self.gifdlt,
            "SIOCGIFMEDIA": self.gifmedia,
            "SIOCSIFMEDIA": self.sifmedia,
            "SIOCGIFCAP": self.gifcap,
            "SIOCSIFCAP": self.sifcap,
            "SIOCGIFDATA": self.gifdata,
            "SIOCZIFDATA": self.zifdata,
            "SIOCIFCREATE": self.ifcreate,
            "SIOCIFDESTROY": self.ifdestroy,
            "SIOCIFGCLONERS": self.ifgcloners,
            "SIOCADDMULTI": self.addmulti,
            "SIOCDELMULTI": self.delmulti,
            "SIOCGDRVCOM": self.gdrvcom,
        } | {row.name: partial(self.driver, row) for row in _DRIVERS}

    def ifp(self, name: str) -> Ifnet:
        """Return interface *name*. Raises ENXIO."""
        ifp = self.stack.ifunit(name)
        if ifp is None:
            raise NetError("ENXIO")
        return ifp

    def gifflags(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFFLAGS."""
        return s.IfReq(req.name, self.ifp(req.name).flags)

    def sifflags(self, req: s.IfReq) -> None:
        """SIOCSIFFLAGS: bits of IFF_CANTCHANGE stay; a change of IFF_UP starts or stops."""
        ifp = self.ifp(req.name)
        want = (ifp.flags & IFF_CANTCHANGE) | (req.value & 0xFFFF & ~IFF_CANTCHANGE)
        was_up = bool(ifp.flags & IFF_UP)
        changed = want ^ ifp.flags
        ifp.flags = (want & ~IFF_UP) | (ifp.flags & IFF_UP)
        if bool(want & IFF_UP) != was_up:
            if want & IFF_UP:
                ifp.up()
            else:
                ifp.down()
        elif changed:
            if changed & ~IFF_UP:
                ifp.filter_changed()
            ifp.touch()
            self.stack.pfil.event(IF_FLAGS, ifp)

    def gifmetric(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFMETRIC."""
        return s.IfReq(req.name, self.ifp(req.name).metric)

    def sifmetric(self, req: s.IfReq) -> None:
        """SIOCSIFMETRIC."""
        if req.value < 0:
            raise NetError("EINVAL")
        self.ifp(req.name).metric = req.value

    def gifmtu(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFMTU."""
        return s.IfReq(req.name, self.ifp(req.name).mtu)

    def sifmtu(self, req: s.IfReq) -> None:
        """SIOCSIFMTU. Raises EINVAL outside what the interface takes."""
        ifp = self.ifp(req.name)
        if not ifp.min_mtu <= req.value <= ifp.max_mtu:
            raise NetError("EINVAL")
        if ifp.bridge is not None:
            raise NetError("EINVAL")  # all members of a bridge have one MTU
        ifp.mtu = req.value
        ifp.touch()
        self.stack.pfil.event(IF_FLAGS, ifp)

    def gifdlt(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFDLT."""
        return s.IfReq(req.name, self.ifp(req.name).dlt)

    def gifmedia(self, req: s.IfMediaReq) -> s.IfMediaReq:
        """SIOCGIFMEDIA. Raises EINVAL for an interface without media."""
        ifp = self.ifp(req.name)
        if ifp.media is None:
            raise NetError("EINVAL")
        return ifp.media.get(req)

    def sifmedia(self, req: s.IfReq) -> s.IfReq:
        """SIOCSIFMEDIA. Raises ENXIO for a medium it lacks, EINVAL for an interface without media."""
        ifp = self.ifp(req.name)
        if ifp.media is None:
            raise NetError("EINVAL")
        ifp.media.set(req.value)
        return s.IfReq(req.name, ifp.media.cur)

    def gifcap(self, req: s.IfCapReq) -> s.IfCapReq:
        """SIOCGIFCAP."""
        ifp = self.ifp(req.name)
        return s.IfCapReq(
            req.name,
            ifp.capabilities_rx,
            ifp.capabilities_tx,
            ifp.capenable_rx,
            ifp.capenable_tx,
        )

    def sifcap(self, req: s.IfCapReq) -> None:
        """SIOCSIFCAP. Raises EINVAL for a capability the interface lacks."""
        ifp = self.ifp(req.name)
        ifp.set_capenable(req.capenable_rx, req.capenable_tx)
        if ifp.flags & IFF_RUNNING:
            ifp.init()

    def gifdata(self, req: s.IfDataReq) -> s.IfDataReq:
        """SIOCGIFDATA."""
        return s.IfDataReq(req.name, self.ifp(req.name).data())

    def zifdata(self, req: s.IfDataReq) -> s.IfDataReq:
        """SIOCZIFDATA: return the counters and zero them."""
        ifp = self.ifp(req.name)
        answer = s.IfDataReq(req.name, ifp.data())
        ifp.zero_data()
        return answer

    def ifcreate(self, req: s.IfReq) -> None:
        """SIOCIFCREATE."""
        self.cloners.create(req.name)

    def ifdestroy(self, req: s.IfReq) -> None:
        """SIOCIFDESTROY."""
        self.cloners.destroy(req.name)

    def ifgcloners(self, _req: s.IfCloneReq) -> s.IfCloneReq:
        """SIOCIFGCLONERS."""
        names = list(self.cloners.table)
        return s.IfCloneReq(len(names), names)

    def addmulti(self, req: s.IfReq) -> None:
        """SIOCADDMULTI: a link address, or an IPv4 group."""
        self.ifp(req.name).addmulti(_link_group(req.addr))

    def delmulti(self, req: s.IfReq) -> None:
        """SIOCDELMULTI. Raises EADDRNOTAVAIL."""
        self.ifp(req.name).delmulti(_link_group(req.addr))

    def driver(self, row: Ioctl, req: Any) -> Any:
        """Have the interface itself answer. Raises ENXIO, ENOTTY where it does not know *row*."""
        return self.ifp(req.name).ioctl(row, req)

    def gdrvcom(self, req: s.DrvCom) -> s.DrvCom:
        """SIOCGDRVCOM: the driver's answer. Raises EOPNOTSUPP where there is no driver of ours."""
        ifp = self.ifp(req.name)
        if req.cmd not in (s.DRVCOM_CONFIG, s.DRVCOM_STATS):
            raise NetError("EINVAL")
        try:
            answer: s.DrvCom = ifp.ioctl(s.SIOCGDRVCOM, req)
        except NetError as exc:
            raise NetError("EOPNOTSUPP" if exc.symbol == "ENOTTY" else exc.symbol) from None
        return answer


def _link_group(addr: Sockaddr) -> bytes:
    if isinstance(addr, SockaddrDl) and len(addr.lladdr) == 6 and addr.lladdr[0] & 1:
        return addr.lladdr
    group = getattr(addr, "addr", 0)
    if type(group) is int and group >> 28 == 0xE:
        return multicast_ether(group)
    raise NetError("EINVAL")
