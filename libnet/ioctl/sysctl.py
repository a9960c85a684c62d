"""sysctl(3): numbers of NetBSD <sys/sysctl.h>, and the structs that come back.

A name is a list of numbers, a MIB. A MIB that ends in CTL_QUERY asks for the children of the node
before it, one that ends in CTL_DESCRIBE for their descriptions.
"""

from __future__ import annotations

from typing import Final

from libnet.record import Struct

CTL_MAXNAME: Final = 12
SYSCTL_NAMELEN: Final = 32
CREATE_BASE: Final = 1024

CTL_QUERY: Final = -2
CTL_CREATE: Final = -3
CTL_DESTROY: Final = -5
CTL_DESCRIBE: Final = -7

CTL_KERN: Final = 1
CTL_VM: Final = 2
CTL_VFS: Final = 3
CTL_NET: Final = 4
CTL_DEBUG: Final = 5
CTL_HW: Final = 6
CTL_VENDOR: Final = 11

CTLTYPE_NODE: Final = 1
CTLTYPE_INT: Final = 2
CTLTYPE_STRING: Final = 3
CTLTYPE_QUAD: Final = 4
CTLTYPE_STRUCT: Final = 5

CTLFLAG_READONLY: Final = 0
CTLFLAG_READWRITE: Final = 0x70
CTLFLAG_ANYWRITE: Final = 0x80
CTLFLAG_PRIVATE: Final = 0x100
CTLFLAG_PERMANENT: Final = 0x200
CTLFLAG_IMMEDIATE: Final = 0x800
CTLFLAG_HEX: Final = 0x1000
CTLFLAG_ROOT: Final = 0x2000
CTLFLAG_ANYNUMBER: Final = 0x4000
CTLFLAG_HIDDEN: Final = 0x8000
CTLFLAG_ALIAS: Final = 0x10000

KERN_OSTYPE: Final = 1
KERN_OSRELEASE: Final = 2
KERN_OSREV: Final = 3
KERN_VERSION: Final = 4
KERN_MAXFILES: Final = 7
KERN_HOSTNAME: Final = 10
KERN_HOSTID: Final = 11
KERN_CLOCKRATE: Final = 12
KERN_BOOTTIME: Final = 21
KERN_MBUF: Final = 39
KERN_FILE2: Final = 77
KERN_SBMAX: Final = 58
KERN_SOMAXKVA: Final = 73

MBUF_MSIZE: Final = 1
MBUF_MCLBYTES: Final = 2
MBUF_NMBCLUSTERS: Final = 3
MBUF_MBLOWAT: Final = 4
MBUF_MCLLOWAT: Final = 5
MBUF_STATS: Final = 6

PF_ROUTE: Final = 17
NET_RT_DUMP: Final = 1
NET_RT_FLAGS: Final = 2
NET_RT_OIFLIST: Final = 3
NET_RT_IFLIST: Final = 4


class SysctlNode(Struct):
    """struct sysctlnode as CTL_QUERY tells it.

    num       place among its siblings         name      last component of its name
    type      CTLTYPE_*                        flags     CTLFLAG_* without the type
    size      octets of the C value, 0 for a node or when it varies
    children  how many nodes are below it
    """

    num: int
    name: str
    type: int
    flags: int
    size: int = 0
    children: int = 0


class PcbInfo(Struct):
    """struct kinfo_pcb: one protocol control block.

    proto         "tcp", "udp", "icmp", "ip", …: what netstat prints
    laddr, faddr  host integers, 0 for the wildcard      lport, fport  ports, 0 for the wildcard
    rcv, snd      octets in the receive and send buffers
    state         TCPS_* of a tcp socket, 0 of others
    pcbaddr       what stands for its address in netstat -A; unique in the stack
    uid pid comm  who opened it
    """

    proto: str
    laddr: int = 0
    lport: int = 0
    faddr: int = 0
    fport: int = 0
    rcv: int = 0
    snd: int = 0
    state: int = 0
    pcbaddr: int = 0
    uid: int = 0
    pid: int = 0
    comm: str = ""


class FileInfo(Struct):
    """struct kinfo_file: one open socket of one process.

    fd        number in the process, -1 when nobody knows
    domain, type, protocol  as socket(2) was given them
    pcbaddr   PcbInfo.pcbaddr of its control block, 0 for none
    """

    uid: int = 0
    pid: int = 0
    comm: str = ""
    fd: int = -1
    domain: int = 0
    type: int = 0
    protocol: int = 0
    pcbaddr: int = 0


class BpfPeer(Struct):
    """struct bpf_d_ext: one open bpf descriptor, as net.bpf.peers lists them.

    state     0 idle, 1 waiting, 2 timed out
    bufsize   octets             rcount, dcount, ccount  packets received, dropped, captured
    """

    pid: int = 0
    ifname: str = ""
    state: int = 0
    promisc: bool = False
    immediate: bool = False
    seesent: bool = False
    hdrcmplt: bool = False
    bufsize: int = 0
    rcount: int = 0
    dcount: int = 0
    ccount: int = 0
    comm: str = ""
