"""From the text of an expression to its program: parse, prepend, optimise, assemble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libnet.conf.pcapfilter import prologue
from libnet.conf.pcapfilter.assemble import assemble
from libnet.conf.pcapfilter.graph import Block, Stmt, and_, close, jump
from libnet.conf.pcapfilter.link import DLT_IEEE802_11, DLT_PPI, Link
from libnet.conf.pcapfilter.optimize import Optimizer
from libnet.conf.pcapfilter.parser import Parser
from libnet.conf.pcapfilter.program import FilterError, Program
from libnet.conf.pcapfilter.values import Values
from libnet.ioctl.bpf import BPF_ABS, BPF_JEQ, BPF_LD, BPF_RET, BPF_W

if TYPE_CHECKING:
    from libnet.conf.pcapfilter import Names


def build(
    text: str,
    dlt: int,
    snaplen: int,
    *,
    optimize: bool,
    netmask: int,
    names: Names | None,
    savefile: bool,
) -> Program:
    """Compile an expression; see libnet.conf.pcapfilter.compile."""
    if snaplen == 0:
        raise FilterError("snaplen of 0 rejects all packets")
    link = Link(dlt, savefile=savefile)
    test = Parser(text, link, Values(link, names), netmask).parse()
    if test is None:
        root = Block(BPF_RET, snaplen)
    else:
        test.head.stmts = prologue.insert(link, test.head.stmts)
        if link.type == DLT_PPI:
            # Only 802.11 is looked into; the header says what is inside.
            swapped = int.from_bytes(DLT_IEEE802_11.to_bytes(4, "little"), "big")
            inside = jump(BPF_JEQ, swapped, [Stmt(BPF_LD | BPF_W | BPF_ABS, 4)])
            test = and_(inside, test)
        root = close(test, snaplen)
    if optimize and not link.no_optimize:
        root = Optimizer(root).run()
        if root.code == BPF_RET and root.k == 0:
            raise FilterError("expression rejects all packets")
    return Program(assemble(root))
