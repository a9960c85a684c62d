"""A port to the Linux kernel: a TAP interface, on the host or in a network namespace.

make_tap() needs root (or CAP_NET_ADMIN there) and pyroute2, which is slow to import: it is meant for
the short-lived program that hands the descriptor to a process that carries. The interface lives as
long as the descriptor. Frames are plain Ethernet, checksums and segments resolved on the way out, or
bear virtio-net's header (libnet.media.vnet).
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from libnet.media.outside import OutsidePort
from libnet.media.vnet import HDR_LEN

IFNAMSIZ: Final = 16
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000
TUNSETIFF: Final = 0x400454CA
TUNSETOFFLOAD: Final = 0x400454D0
TUNSETVNETHDRSZ: Final = 0x400454D8
TUNSETVNETLE: Final = 0x400454DC
TUN_F_CSUM: Final = 0x01
TUN_F_TSO4: Final = 0x02
TUN_F_TSO_ECN: Final = 0x08
_IFREQ: Final = Struct("16sH22x")  # struct ifreq: name, flags, the rest of the union
_DEVICE: Final = "/dev/net/tun"


class TapError(Exception):
    """A TAP that cannot be had; the text says why."""


class TapPort(OutsidePort):
    """The descriptor of a TAP as a port.

    Writing while the interface is down fails and is counted ("send error"); reading fails for good
    when the interface, or its namespace, has been removed.
    """


def open_tap(ifname: str, *, vnet: bool = False) -> int:
    """Make the TAP *ifname* in this thread's network namespace; return its descriptor.

    vnet  with virtio-net's header: super-frames and undone checksums pass as they are

    Raises TapError.
    """
    name = os.fsencode(ifname)
    if not 0 < len(name) < IFNAMSIZ or any(c in b"/ \t\n:%\0" for c in name):
        raise TapError(f"{ifname}: not an interface name")
    try:
        fd = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise TapError(f"{_DEVICE}: {exc.strerror}") from None
    try:
        flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if vnet else 0)
        fcntl.ioctl(fd, TUNSETIFF, _IFREQ.pack(name, flags))
        if vnet:
            fcntl.ioctl(fd, TUNSETVNETHDRSZ, HDR_LEN.to_bytes(4, sys.byteorder))
            fcntl.ioctl(fd, TUNSETVNETLE, (1).to_bytes(4, sys.byteorder))
            fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN)
    except OSError as exc:
        os.close(fd)
        if exc.errno == errno.EPERM:
            raise TapError(f"{ifname}: making a TAP needs root") from None
        raise TapError(f"{ifname}: {exc.strerror}") from None
    return fd


def make_tap(
    ifname: str,
    *,
    netns: str = "",
    addresses: Sequence[str] = (),
    mac: str = "",
    mtu: int = 0,
    create: bool = False,
    vnet: bool = False,
) -> int:
    """Make a TAP, address it and set it up; return its descriptor (close-on-exec).

    netns      name of a network namespace (ip-netns(8)), "" for the one we are in
    addresses  "10.0.0.9/24", …
    mac        its address, "" for one of the kernel's choice
    create     make the namespace if it is not there
    vnet       as for open_tap()

    Raises TapError; then nothing is left behind, except a namespace that was made.
    """
    from pyroute2 import IPRoute
    from pyroute2 import netns as namespaces

    if netns:
        try:
            if netns not in namespaces.listnetns():
                if not create:
                    raise TapError(f"{netns}: no such network namespace")
                namespaces.create(netns)
            namespaces.pushns(netns)
        except OSError as exc:
            raise TapError(f"{netns}: {exc.strerror or exc}") from None
    try:
        fd = open_tap(ifname, vnet=vnet)
        try:
            with IPRoute() as ipr:
                _configure(ipr, ifname, addresses, mac, mtu)
        except BaseException:
            os.close(fd)
            raise
    finally:
        if netns:
            namespaces.popns()
    return fd


def _configure(ipr: Any, ifname: str, addresses: Sequence[str], mac: str, mtu: int) -> None:
    from pyroute2.netlink.exceptions import NetlinkError

    index = ipr.link_lookup(ifname=ifname)[0]
    what = ifname
    try:
        if mac:
            what = f"{ifname}: {mac}"
            ipr.link("set", index=index, address=mac)
        if mtu:
            what = f"{ifname}: mtu {mtu}"
            ipr.link("set", index=index, mtu=mtu)
        what = ifname
        ipr.link("set", index=index, state="up")
        for address in addresses:
            what = f"{ifname}: {address}"
            host, _, length = address.partition("/")
            ipr.addr("add", index=index, address=host, prefixlen=int(length or "32"))
    except NetlinkError as exc:
        raise TapError(f"{what}: {exc.args[1] if len(exc.args) > 1 else exc}") from None
    except (OSError, ValueError) as exc:
        raise TapError(f"{what}: {exc}") from None
