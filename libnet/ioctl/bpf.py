"""Ioctls of bpf(4), group 'B', and the instruction words of its filters (NetBSD <net/bpf.h>).

A filter travels in BIOCSETF as its instructions, eight octets each in this machine's order: u16 code,
u8 jt, u8 jf, u32 k.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

from libnet.ioctl.registry import IN, INOUT, OUT, VOID, Ioctl, declare
from libnet.ioctl.sockio import IfReq
from libnet.record import Struct

# Instruction classes, the low three bits.
BPF_LD: Final = 0x00
BPF_LDX: Final = 0x01
BPF_ST: Final = 0x02
BPF_STX: Final = 0x03
BPF_ALU: Final = 0x04
BPF_JMP: Final = 0x05
BPF_RET: Final = 0x06
BPF_MISC: Final = 0x07
# Size and mode of loads.
BPF_W: Final = 0x00
BPF_H: Final = 0x08
BPF_B: Final = 0x10
BPF_IMM: Final = 0x00
BPF_ABS: Final = 0x20
BPF_IND: Final = 0x40
BPF_MEM: Final = 0x60
BPF_LEN: Final = 0x80
BPF_MSH: Final = 0xA0
# Arithmetic. MOD and XOR came after NetBSD 4; this machine has them.
BPF_ADD: Final = 0x00
BPF_SUB: Final = 0x10
BPF_MUL: Final = 0x20
BPF_DIV: Final = 0x30
BPF_OR: Final = 0x40
BPF_AND: Final = 0x50
BPF_LSH: Final = 0x60
BPF_RSH: Final = 0x70
BPF_NEG: Final = 0x80
BPF_MOD: Final = 0x90
BPF_XOR: Final = 0xA0
# Jumps.
BPF_JA: Final = 0x00
BPF_JEQ: Final = 0x10
BPF_JGT: Final = 0x20
BPF_JGE: Final = 0x30
BPF_JSET: Final = 0x40
# Where the second operand comes from.
BPF_K: Final = 0x00
BPF_X: Final = 0x08
BPF_A: Final = 0x10
BPF_TAX: Final = 0x00
BPF_TXA: Final = 0x80

BPF_MEMWORDS: Final = 16
BPF_MAXINSNS: Final = 512

BPF_MINBUFSIZE: Final = 32
BPF_DFLTBUFSIZE: Final = 32768
BPF_DFLTMAXBUFSIZE: Final = 1 << 20
BPF_HARDMAXBUFSIZE: Final = 16 << 20

BPF_MAJOR_VERSION: Final = 1
BPF_MINOR_VERSION: Final = 1

BPF_ALIGNMENT: Final = 4  # sizeof(long) of the 32-bit machine this was
INSN: Final = Layout("=HBBI")
# struct bpf_hdr: seconds, microseconds, caplen, datalen, hdrlen.
BPF_HDR: Final = Layout("=IIIIH")
BPF_HDR_LEN: Final = BPF_HDR.size

# Link types (DLT_*).
DLT_NULL: Final = 0
DLT_EN10MB: Final = 1
DLT_IEEE802: Final = 6
DLT_SLIP: Final = 8
DLT_PPP: Final = 9
DLT_RAW: Final = 12
DLT_PPP_SERIAL: Final = 50
DLT_PPP_ETHER: Final = 51
DLT_IEEE802_11: Final = 105
DLT_LOOP: Final = 108
DLT_ENC: Final = 109
DLT_LINUX_SLL: Final = 113
DLT_PFLOG: Final = 117
DLT_PRISM_HEADER: Final = 119
DLT_IEEE802_11_RADIO: Final = 127


class BpfProgram(Struct):
    """struct bpf_program. insns: the instructions, packed as INSN; empty takes every packet."""

    insns: bytes


class BpfVersion(Struct):
    """struct bpf_version: of the filter language."""

    major: int
    minor: int


class BpfStat(Struct):
    """struct bpf_stat, packets since the filter was set: seen, lost for want of room, kept."""

    recv: int
    drop: int
    capt: int


class BpfDltList(Struct):
    """struct bpf_dltlist: *dlts* is None to ask for *len* alone."""

    len: int = 0
    dlts: list[int] | None = None


class BpfTimeval(Struct):
    """struct timeval."""

    sec: int
    usec: int


def _row(
    name: str, num: int, dir: int, arg: type[Struct] | type[int] | None, size: int = 4
) -> Ioctl:
    return declare(Ioctl(name, "B", num, dir, arg, size=size, man="bpf.4"))


BIOCGBLEN = _row("BIOCGBLEN", 102, OUT, int)
BIOCSBLEN = _row("BIOCSBLEN", 102, INOUT, int)
BIOCSETF = _row("BIOCSETF", 103, IN, BpfProgram, 8)
BIOCFLUSH = _row("BIOCFLUSH", 104, VOID, None, 0)
BIOCPROMISC = _row("BIOCPROMISC", 105, VOID, None, 0)
BIOCGDLT = _row("BIOCGDLT", 106, OUT, int)
BIOCGETIF = _row("BIOCGETIF", 107, OUT, IfReq, 32)
BIOCSETIF = _row("BIOCSETIF", 108, IN, IfReq, 32)
BIOCSRTIMEOUT = _row("BIOCSRTIMEOUT", 109, IN, BpfTimeval, 8)
BIOCGRTIMEOUT = _row("BIOCGRTIMEOUT", 110, OUT, BpfTimeval, 8)
BIOCGSTATS = _row("BIOCGSTATS", 111, OUT, BpfStat, 128)
BIOCGSTATSOLD = _row("BIOCGSTATSOLD", 111, OUT, BpfStat, 8)
BIOCIMMEDIATE = _row("BIOCIMMEDIATE", 112, IN, int)
BIOCVERSION = _row("BIOCVERSION", 113, OUT, BpfVersion, 4)
BIOCSTCPF = _row("BIOCSTCPF", 114, IN, BpfProgram, 8)
BIOCSUDPF = _row("BIOCSUDPF", 115, IN, BpfProgram, 8)
BIOCGHDRCMPLT = _row("BIOCGHDRCMPLT", 116, OUT, int)
BIOCSHDRCMPLT = _row("BIOCSHDRCMPLT", 117, IN, int)
BIOCSDLT = _row("BIOCSDLT", 118, IN, int)
BIOCGDLTLIST = _row("BIOCGDLTLIST", 119, INOUT, BpfDltList, 8)
BIOCGSEESENT = _row("BIOCGSEESENT", 120, OUT, int)
BIOCSSEESENT = _row("BIOCSSEESENT", 121, IN, int)


def bpf_wordalign(size: int) -> int:
    """Return *size* rounded up to where the next record of a buffer starts."""
    return (size + BPF_ALIGNMENT - 1) & -BPF_ALIGNMENT
