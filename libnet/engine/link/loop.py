"""lo(4): the interface that is its own wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.engine.kern.mbuf import M_BCAST, M_CSUM_L4, M_LOOP, M_MCAST, M_CSUM_IPv4, Mbuf
from libnet.engine.link.ethernet import BPF_IN, ETHERTYPE_IP
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    DLT_NULL,
    IFF_LOOPBACK,
    IFF_MULTICAST,
    IFF_RUNNING,
    IFF_UP,
    IFT_LOOP,
)

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase

LOMTU: Final = 33192
LOMTU_MAX: Final = 65536 + 424
_AF_INET_NULL: Final = (2).to_bytes(4, "little")


def loopattach(stack: StackBase, name: str) -> Ifnet:
    """Make and attach a loopback interface called *name*."""
    ifp = Ifnet(stack, name, type=IFT_LOOP, mtu=LOMTU)
    ifp.max_mtu = LOMTU_MAX
    ifp.dlt = DLT_NULL
    ifp.flags |= IFF_LOOPBACK | IFF_MULTICAST

    def init() -> None:
        ifp.flags |= IFF_RUNNING

    ifp.init = init
    ifp.output = lambda m, dst, rt: looutput(ifp, m, dst, rt)
    ifp.attach()
    return ifp


def looutput(ifp: Ifnet, m: Mbuf, dst: int, rt: Any) -> None:
    """Send IPv4 packet *m* to ourselves. Raises ENETDOWN."""
    stack = ifp.stack
    if not ifp.flags & IFF_UP:
        stack.drop(m, "lo", "odown", f"{ifp.name} is down")
        raise NetError("ENETDOWN")
    size = len(m.data)
    ifp.opackets += 1
    ifp.obytes += size
    if ifp.bpf is not None:
        ifp.bpf.mtap(_AF_INET_NULL + m.data, BPF_IN)
    ifp.ipackets += 1
    ifp.ibytes += size
    handler = stack.ethertypes.get(ETHERTYPE_IP)
    if handler is None:
        stack.drop(m, "lo", "noproto")
        return
    copy = Mbuf(m.data, ifp, (m.flags & (M_BCAST | M_MCAST)) | M_LOOP, M_CSUM_IPv4 | M_CSUM_L4)
    copy.tags = m.tags
    if ifp.altq is not None:
        if not ifp.altq.enqueue((handler, copy), size, copy):
            ifp.odrops += 1
            raise NetError("ENOBUFS")
        return
    stack.netisr(handler, copy)
