"""sysctl(9): the tree of settings and statistics, by NetBSD's names and numbers.

Rooms plant their own nodes: `tree.int_node("net.inet.ip.ttl", 3, ip, "ttl", lo=1, hi=255)` ties a
number to an attribute, so a setting has its effect by being what the code reads. Parents appear by
themselves under their numbers of <sys/sysctl.h>; whatever has no number there gets one from 1024 up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.engine.kern.socket import SOCK_STREAM
from libnet.errors import NetError
from libnet.ioctl.sysctl import (
    CREATE_BASE,
    CTL_DESCRIBE,
    CTL_MAXNAME,
    CTL_QUERY,
    CTLFLAG_ANYWRITE,
    CTLFLAG_HEX,
    CTLFLAG_HIDDEN,
    CTLFLAG_PERMANENT,
    CTLFLAG_PRIVATE,
    CTLFLAG_READWRITE,
    CTLTYPE_INT,
    CTLTYPE_NODE,
    CTLTYPE_QUAD,
    CTLTYPE_STRING,
    CTLTYPE_STRUCT,
    KERN_BOOTTIME,
    KERN_CLOCKRATE,
    KERN_FILE2,
    KERN_HOSTID,
    KERN_HOSTNAME,
    KERN_MAXFILES,
    KERN_OSRELEASE,
    KERN_OSREV,
    KERN_OSTYPE,
    KERN_SBMAX,
    KERN_SOMAXKVA,
    KERN_VERSION,
    MBUF_MBLOWAT,
    MBUF_MCLBYTES,
    MBUF_MCLLOWAT,
    MBUF_MSIZE,
    MBUF_NMBCLUSTERS,
    MBUF_STATS,
    SYSCTL_NAMELEN,
    SysctlNode,
)

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.socket import Socket

Handler = Callable[[list[int], Any, "Caller"], Any]

# Inner nodes that have a number of their own, with their descriptions.
KNOWN: Final[dict[str, tuple[int, str]]] = {
    "kern": (1, "The stack itself"),
    "vm": (2, "Memory"),
    "net": (4, "Networking"),
    "debug": (5, "Debugging"),
    "hw": (6, "The machine"),
    "vendor": (11, "Extensions of vendors"),
    "kern.mbuf": (39, "Packet buffers"),
    "net.local": (1, "Local sockets"),
    "net.inet": (2, "IPv4 and what runs over it"),
    "net.inet.ip": (0, "IPv4"),
    "net.inet.ip.ifq": (21, "Queue of received IPv4 packets"),
    "net.inet.icmp": (1, "ICMP"),
    "net.inet.igmp": (2, "IGMP"),
    "net.inet.tcp": (6, "TCP over IPv4"),
    "net.inet.tcp.sack": (10, "Selective acknowledgement (RFC 2018)"),
    "net.inet.udp": (17, "UDP over IPv4"),
    "net.inet.raw": (255, "Raw IPv4"),
    "net.route": (17, "Routing"),
    "net.link": (18, "Link layers"),
    "net.inet6": (24, "IPv6 and what runs over it"),
    "net.inet6.tcp6": (6, "TCP over IPv6"),
    "net.inet6.udp6": (17, "UDP over IPv6"),
    "net.inet6.ip6": (41, "IPv6"),
    "net.inet6.icmp6": (58, "ICMPv6"),
    "net.key": (29, "Key management"),
    "net.inet.arp": (-1, "Address resolution"),
    "net.inet.carp": (-1, "Common address redundancy"),
    "net.inet.ipsec": (-1, "IPsec over IPv4"),
    "net.inet6.ipsec6": (-1, "IPsec over IPv6"),
    "net.bpf": (-1, "Berkeley packet filter"),
    "net.link.ieee80211": (-1, "802.11"),
    "net.iopkt": (-1, "What only this stack has"),
}

INT_MIN: Final = -(1 << 31)
UINT_MAX: Final = (1 << 32) - 1
UQUAD_MAX: Final = (1 << 64) - 1


class Caller(Protocol):
    """Who asks: libnet.engine.kern.socket.Cred, or anything with its `suser`."""

    suser: bool


class Node:
    """struct sysctlnode.

    get   returns the value of a leaf                    set  takes a checked new value
    lo, hi  bounds of a number; hi is the longest text of a string
    handler  answers for everything below the node by itself (a routing table dump)
    """

    __slots__ = (
        "children",
        "desc",
        "flags",
        "get",
        "handler",
        "hi",
        "lo",
        "name",
        "num",
        "set",
        "size",
        "type",
    )

    def __init__(self, num: int, name: str, type: int, flags: int, desc: str) -> None:
        self.num, self.name, self.type, self.flags, self.desc = num, name, type, flags, desc
        self.size = 0
        self.lo: int | None = None
        self.hi: int | None = None
        self.get: Callable[[], Any] | None = None
        self.set: Callable[[Any], None] | None = None
        self.handler: Handler | None = None
        self.children: dict[int, Node] = {}

    def struct(self) -> SysctlNode:
        """Return what CTL_QUERY tells of it."""
        return SysctlNode(self.num, self.name, self.type, self.flags, self.size, len(self.children))

    def check(self, new: Any) -> Any:
        """Return *new* as the node keeps it. Raises EINVAL."""
        if self.type == CTLTYPE_STRING:
            if type(new) is not str or "\0" in new:
                raise NetError("EINVAL")
            try:
                size = len(new.encode())
            except UnicodeEncodeError:
                raise NetError("EINVAL") from None
            if size > (self.hi or 0):
                raise NetError("EINVAL")
            return new
        if type(new) is not int:
            raise NetError("EINVAL")
        if self.type == CTLTYPE_QUAD:
            lo, hi = self.lo or 0, UQUAD_MAX if self.hi is None else self.hi
        else:
            if not INT_MIN <= new <= UINT_MAX:
                raise NetError("EINVAL")
            if new > 0x7FFFFFFF:
                new -= 1 << 32  # what the same 32 bits are in a C int
            lo = INT_MIN if self.lo is None else self.lo
            hi = 0x7FFFFFFF if self.hi is None else self.hi
        if not lo <= new <= hi:
            raise NetError("EINVAL")
        return new


class SysctlTree:
    """All nodes of one stack."""

    def __init__(self) -> None:
        self.root = Node(0, "", CTLTYPE_NODE, CTLFLAG_PERMANENT, "")

    # -- planting

    def node(self, path: str, num: int | None = None, desc: str = "") -> Node:
        """Return the inner node *path*, made with its parents where it does not exist."""
        at, done = self.root, ""
        parts = path.split(".")
        for i, part in enumerate(parts):
            done = f"{done}.{part}" if done else part
            child = _named(at, part)
            if child is None:
                known, text = KNOWN.get(done, (-1, ""))
                last = i == len(parts) - 1
                want = num if last and num is not None else None if known < 0 else known
                child = self._plant(
                    at, part, want, CTLTYPE_NODE, CTLFLAG_PERMANENT, desc if last and desc else text
                )
            elif child.type != CTLTYPE_NODE:
                raise ValueError(f"{done} is not a node")
            elif i == len(parts) - 1:
                if num not in (None, child.num):
                    raise ValueError(f"sysctl number of {done} is {child.num}, not {num}")
                child.desc = desc or child.desc
            at = child
        return at

    def _plant(
        self, at: Node, name: str, num: int | None, kind: int, flags: int, desc: str
    ) -> Node:
        if not name or len(name) >= SYSCTL_NAMELEN or "/" in name or _named(at, name) is not None:
            raise ValueError(f"sysctl name {name!r}")
        if num is None:
            num = max(CREATE_BASE - 1, *at.children) + 1 if at.children else CREATE_BASE
        if num < 0 or num in at.children:
            raise ValueError(f"sysctl number {num} of {name} is taken")
        made = Node(num, name, kind, flags, desc)
        at.children[num] = made
        if len(at.children) > 1:
            at.children = dict(sorted(at.children.items()))
        return made

    def leaf(
        self,
        path: str,
        num: int | None,
        kind: int,
        get: Callable[[], Any],
        set: Callable[[Any], None] | None = None,
        *,
        size: int = 0,
        flags: int = 0,
        lo: int | None = None,
        hi: int | None = None,
        desc: str = "",
    ) -> Node:
        """Plant a leaf of CTLTYPE *kind*; without *set* it can only be read.

        num  None for the next number from 1024 up
        size octets of the C value, 0 when it varies
        """
        above, _, name = path.rpartition(".")
        flags |= CTLFLAG_PERMANENT | (CTLFLAG_READWRITE if set is not None else 0)
        made = self._plant(self.node(above), name, num, kind, flags, desc)
        made.size, made.get, made.set, made.lo, made.hi = size, get, set, lo, hi
        return made

    def int_node(
        self,
        path: str,
        num: int | None,
        obj: Any,
        attr: str,
        *,
        ro: bool = False,
        lo: int | None = None,
        hi: int | None = None,
        desc: str = "",
        changed: Callable[[], None] | None = None,
        hex: bool = False,
        hidden: bool = False,
    ) -> Node:
        """Tie a C int to the attribute *attr* of *obj*.

        lo, hi   bounds, both allowed; outside is EINVAL
        changed  called after a set
        hex      printed in hexadecimal          hidden  left out of listings
        """
        flags = (CTLFLAG_HEX if hex else 0) | (CTLFLAG_HIDDEN if hidden else 0)
        return self.leaf(
            path,
            num,
            CTLTYPE_INT,
            lambda: int(getattr(obj, attr)),
            None if ro else _setter(obj, attr, changed),
            size=4,
            flags=flags,
            lo=lo,
            hi=hi,
            desc=desc,
        )

    def quad_node(
        self,
        path: str,
        num: int | None,
        obj: Any,
        attr: str,
        *,
        ro: bool = True,
        lo: int | None = None,
        hi: int | None = None,
        desc: str = "",
        changed: Callable[[], None] | None = None,
    ) -> Node:
        """Tie an unsigned 64-bit number to an attribute."""
        return self.leaf(
            path,
            num,
            CTLTYPE_QUAD,
            lambda: int(getattr(obj, attr)),
            None if ro else _setter(obj, attr, changed),
            size=8,
            lo=lo,
            hi=hi,
            desc=desc,
        )

    def str_node(
        self,
        path: str,
        num: int | None,
        obj: Any,
        attr: str,
        *,
        ro: bool = True,
        maxlen: int = 255,
        desc: str = "",
        changed: Callable[[], None] | None = None,
    ) -> Node:
        """Tie a text of at most *maxlen* octets to an attribute."""
        return self.leaf(
            path,
            num,
            CTLTYPE_STRING,
            lambda: str(getattr(obj, attr)),
            None if ro else _setter(obj, attr, changed),
            size=maxlen + 1,
            hi=maxlen,
            desc=desc,
        )

    def struct_node(
        self,
        path: str,
        num: int | None,
        getter: Callable[[], Any],
        desc: str = "",
        *,
        private: bool = False,
    ) -> Node:
        """Plant a structure that can only be read: a dict of counters, a Struct, or a list of them."""
        flags = CTLFLAG_PRIVATE if private else 0
        return self.leaf(path, num, CTLTYPE_STRUCT, getter, desc=desc, flags=flags)

    def func_node(self, prefix: str, num: int | None, handler: Handler, desc: str = "") -> Node:
        """Plant a node whose *handler(tail, new, cred)* answers every MIB that goes on below it."""
        above, _, name = prefix.rpartition(".")
        made = self._plant(self.node(above), name, num, CTLTYPE_NODE, CTLFLAG_PERMANENT, desc)
        made.handler = handler
        return made

    def remove(self, path: str) -> None:
        """Uproot a node and all below it. Raises ENOENT."""
        above, _, name = path.rpartition(".")
        at = self.find(above) if above else self.root
        child = None if at is None else _named(at, name)
        if at is None or child is None:
            raise NetError("ENOENT")
        del at.children[child.num]

    # -- asking

    def find(self, path: str) -> Node | None:
        """Return the node of that name, or None."""
        at: Node | None = self.root
        for part in path.split("."):
            if at is None:
                break
            at = _named(at, part)
        return at

    def mib(self, path: str) -> list[int]:
        """Return the numbers of a name. Raises ENOENT."""
        at, numbers = self.root, []
        for part in path.split("."):
            child = _named(at, part)
            if child is None:
                raise NetError("ENOENT")
            numbers.append(child.num)
            at = child
        return numbers

    def call(self, mib: Any, new: Any, cred: Caller) -> Any:
        """sysctl(2): return the value at *mib*, as it was before *new* (unless None) is stored.

        CTL_QUERY at the end returns a list of SysctlNode, CTL_DESCRIBE a list of [num, text].
        Raises NetError: ENOENT, ENOTDIR below a leaf, EINVAL (a node, a wrong type or range), EPERM
        (read-only, or not the superuser), EOPNOTSUPP.
        """
        if type(mib) is not list or not mib or len(mib) > CTL_MAXNAME:
            raise NetError("EINVAL")
        if not all(type(number) is int for number in mib):
            raise NetError("EINVAL")
        at = self.root
        for i, number in enumerate(mib):
            if at.flags & CTLFLAG_PRIVATE and not cred.suser:
                raise NetError("EPERM")
            child = at.children.get(number)
            if child is None:
                return self._beyond(at, mib[i:], new, cred)
            at = child
        if at.handler is not None:
            return _plain(at.handler([], new, cred))
        return self._leaf(at, new, cred)

    def _beyond(self, at: Node, tail: list[int], new: Any, cred: Caller) -> Any:
        if at.type != CTLTYPE_NODE:
            raise NetError("ENOTDIR")
        if len(tail) == 1 and tail[0] == CTL_QUERY:
            return [child.struct() for child in at.children.values()]
        if len(tail) == 1 and tail[0] == CTL_DESCRIBE:
            if new is not None:
                raise NetError("EPERM")  # every node is permanent, and so is its description
            return [[child.num, child.desc] for child in at.children.values()]
        if at.handler is not None:
            return _plain(at.handler(tail, new, cred))
        raise NetError("EOPNOTSUPP" if len(tail) == 1 and tail[0] < 0 else "ENOENT")

    def _leaf(self, at: Node, new: Any, cred: Caller) -> Any:
        if at.type == CTLTYPE_NODE or at.get is None:
            raise NetError("EINVAL")
        if at.flags & CTLFLAG_PRIVATE and not cred.suser:
            raise NetError("EPERM")
        if new is None:
            return _plain(at.get())
        if not cred.suser and not at.flags & CTLFLAG_ANYWRITE:
            raise NetError("EPERM")
        if at.set is None:
            raise NetError("EPERM")
        old = _plain(at.get())
        at.set(at.check(new))
        return old


def _named(at: Node, name: str) -> Node | None:
    for child in at.children.values():
        if child.name == name:
            return child
    return None


def _setter(obj: Any, attr: str, changed: Callable[[], None] | None) -> Callable[[Any], None]:
    def set(value: Any) -> None:
        setattr(obj, attr, value)
        if changed is not None:
            changed()

    return set


def _plain(value: Any) -> Any:
    # A Stat is a dict with a default; the codec wants the plain thing.
    return dict(value) if isinstance(value, Mapping) else value


class KernVars:
    """What kern.* and hw.* tell; io-pkt fills in what its options say.

    maxfiles     most open descriptors          somaxkva  octets that all socket buffers may lock
    msize        octets of an mbuf              mclbytes  octets of a cluster
    nmbclusters  most clusters                  mblowat, mcllowat  how many are kept ready
    pagesize     quantum of the memory pools
    """

    def __init__(self) -> None:
        self.ostype = "QNX"
        self.osrelease = "6.6.0"
        self.osrevision = 660
        self.version = "iopkt 0.1.0"
        self.hostid = 0
        self.maxfiles = 1024
        self.somaxkva = 16 * 1024 * 1024
        self.msize = 256
        self.mclbytes = 2048
        self.nmbclusters = 1024
        self.mblowat = 16
        self.mcllowat = 8
        self.machine = "x86"
        self.ncpu = 1
        self.byteorder = 1234
        self.pagesize = 4096


TICK_US: Final = 10_000  # the clock of the original ticks a hundred times a second


def kern_nodes(
    stack: StackBase,
    tree: SysctlTree,
    kern: KernVars | None = None,
    sockets: Callable[[], Iterable[Socket]] | None = None,
) -> KernVars:
    """Plant kern.*, hw.* and net.iopkt.*; return the values behind them.

    sockets  lists the open sockets, whose buffers kern.mbuf.stats counts
    """
    kern = kern or KernVars()

    def number(name: str, num: int, desc: str, *, hex: bool = False) -> None:
        tree.int_node(name, num, kern, name.rpartition(".")[2], ro=True, desc=desc, hex=hex)

    def text(name: str, num: int, desc: str) -> None:
        tree.str_node(name, num, kern, name.rpartition(".")[2], desc=desc)

    text("kern.ostype", KERN_OSTYPE, "Name of the operating system")
    text("kern.osrelease", KERN_OSRELEASE, "Release of the operating system")
    number("kern.osrevision", KERN_OSREV, "Release as a number")
    text("kern.version", KERN_VERSION, "Version of the stack")
    number("kern.maxfiles", KERN_MAXFILES, "Most open descriptors")
    tree.str_node(
        "kern.hostname", KERN_HOSTNAME, stack, "hostname", ro=False, desc="Name of the host"
    )
    tree.int_node("kern.hostid", KERN_HOSTID, kern, "hostid", desc="Number of the host", hex=True)
    tree.struct_node("kern.clockrate", KERN_CLOCKRATE, _clockrate, "Rates of the clocks")
    tree.struct_node(
        "kern.boottime",
        KERN_BOOTTIME,
        lambda: {"sec": int(stack.boottime), "usec": int(stack.boottime % 1 * 1_000_000)},
        "When the stack was started",
    )
    tree.struct_node("kern.file2", KERN_FILE2, lambda: stack.files(), "Open sockets")
    number("kern.mbuf.msize", MBUF_MSIZE, "Octets of an mbuf")
    tree.leaf(
        "kern.mbuf.mclbytes",
        MBUF_MCLBYTES,
        CTLTYPE_INT,
        lambda: _mclbytes(stack, kern),
        size=4,
        desc="Octets of an mbuf cluster",
    )
    number("kern.mbuf.nmbclusters", MBUF_NMBCLUSTERS, "Most mbuf clusters")
    number("kern.mbuf.mblowat", MBUF_MBLOWAT, "Mbufs kept ready")
    number("kern.mbuf.mcllowat", MBUF_MCLLOWAT, "Mbuf clusters kept ready")
    tree.struct_node(
        "kern.mbuf.stats", MBUF_STATS, lambda: _mbstat(stack, kern, sockets), "Use of mbufs"
    )
    tree.int_node(
        "kern.sbmax", KERN_SBMAX, stack, "sbmax", lo=1, desc="Largest socket buffer in octets"
    )
    number("kern.somaxkva", KERN_SOMAXKVA, "Most octets in all socket buffers")

    text("hw.machine", 1, "Kind of machine")
    number("hw.ncpu", 3, "Number of processors")
    number("hw.byteorder", 4, "Byte order (4321 is big-endian, 1234 little-endian)")
    number("hw.pagesize", 7, "Octets of a page of the memory pools")

    tree.int_node(
        "net.iopkt.droptrace",
        None,
        stack,
        "droptrace",
        lo=0,
        hi=1,
        desc="Tell the system log about every lost packet",
    )
    return kern


def _clockrate() -> dict[str, int]:
    hz = 1_000_000 // TICK_US
    return {"tick": TICK_US, "tickadj": 0, "hz": hz, "profhz": hz, "stathz": hz}


def _mbstat(
    stack: StackBase, kern: KernVars, sockets: Callable[[], Iterable[Socket]] | None
) -> dict[str, int]:
    """Count the packets that wait somewhere, in mbufs and clusters as the original would hold them.

    data, header, soname  mbufs in use by kind      clusters  clusters in use
    mbufs_total, clusters_total  how many the pages hold that these need
    drops, wait, drain           requests denied, delayed, and calls to give memory back
    """
    waiting = [(len(frame), False) for ifp in stack.ifnets.values() for frame in ifp.snd]
    for so in sockets() if sockets is not None else ():
        waiting += so.rcv.held()
        if so.type == SOCK_STREAM:
            waiting += so.snd.held()
    counts = {"data": 0, "header": 0, "soname": 0, "clusters": 0}
    msize, mclbytes = kern.msize, _mclbytes(stack, kern)
    for size, named in waiting:
        counts["header"] += 1  # the first mbuf of a packet; its data are in it or in clusters
        counts["soname"] += named
        if size > msize:
            clusters = -(-size // mclbytes)
            counts["clusters"] += clusters
            counts["data"] += clusters - 1
    used = counts["data"] + counts["header"] + counts["soname"]
    counts["mbufs_total"] = _pool(used, msize, kern.pagesize)
    counts["clusters_total"] = _pool(counts["clusters"], mclbytes, kern.pagesize)
    stat = stack.stat("mbuf")
    counts |= {name: stat[name] for name in ("drops", "wait", "drain")}
    return counts | {"msize": msize, "mclbytes": mclbytes}


def _pool(used: int, size: int, page: int) -> int:
    """Return how many items the pages have that *used* items of *size* octets need."""
    each = max(1, page // size)
    return -(-used // each) * each


def _mclbytes(stack: StackBase, kern: KernVars) -> int:
    """Return the cluster size: a whole stack has it from -p tcpip mclbytes=."""
    size: int = getattr(stack, "mclbytes", kern.mclbytes)
    return size


class TcpVars:
    """The one setting of TCP that the loopback interface reads."""

    def __init__(self) -> None:
        self.do_loopback_cksum = 0


def tcp_nodes(tree: SysctlTree, tcp: Any = None) -> Any:
    """Plant net.inet.tcp.do_loopback_cksum on *tcp* (a TcpVars unless given); return that object."""
    tcp = tcp if tcp is not None else TcpVars()
    tree.int_node(
        "net.inet.tcp.do_loopback_cksum",
        29,
        tcp,
        "do_loopback_cksum",
        desc="Compute TCP checksums over the loopback interface",
    )
    return tcp
