"""Calls of ONC RPC and their replies (RFC 5531), as -T rpc has them."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u4
from libnet.text.dump.nfs import nfs_call, reply_print

# Procedures of the port mapper (RFC 1833), which all calls are taken for.
_PROCS: Final = {0: "null", 1: "set", 2: "unset", 3: "getport", 4: "dump", 5: "call"}
_WITH_PROGRAM: Final = (1, 2, 3, 5)
# rpc(5), the usual ones.
_PROGRAMS: Final = {
    100000: "portmapper", 100001: "rstatd", 100002: "rusersd", 100003: "nfs", 100004: "ypserv",
    100005: "mountd", 100007: "ypbind", 100008: "walld", 100009: "yppasswdd",
    100011: "rquotad", 100012: "sprayd", 100021: "nlockmgr", 100024: "status",
    100028: "ypupdated", 150001: "pcnfsd",
}  # fmt: skip


def rpc_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print a message; who sends to whom has the transaction where else the port is."""
    ndo.protocol = "sunrpc"
    if iph + 20 > len(b):
        ndo.longjmp()
    if not nfs_call(b, o):
        port = "2049" if ndo.nflag else ndo.udpport(2049)
        ndo.p(f"{_ends(ndo, b, iph, port, str(u4(b, o)))}: ")
        reply_print(ndo, b, o, length, iph)
        return
    port = "0x6f" if ndo.nflag else "sunrpc"
    ndo.p(f"{_ends(ndo, b, iph, f'0x{u4(b, o):x}', port)}: {length}")
    proc = u4(b, o + 20)
    ndo.p(f" {tok2str(_PROCS, ' proc #%u', proc)}")
    if u4(b, o + 8) != 2:
        ndo.p(f" [rpcver {u4(b, o + 8)}]")
    if proc in _WITH_PROGRAM:
        program = u4(b, o + 12)
        name = str(program) if ndo.nflag else _PROGRAMS.get(program, f"#{program}")
        ndo.p(f" {name}.{u4(b, o + 16)}")


def _ends(ndo: Ndo, b: bytes, iph: int, src: str, dst: str) -> str:
    if b[iph] >> 4 == 6:
        one, two = ndo.ip6addr(b, iph + 8), ndo.ip6addr(b, iph + 24)
    else:
        one, two = ndo.ipaddr(b, iph + 12), ndo.ipaddr(b, iph + 16)
    return f"{one}.{src} > {two}.{dst}"
