"""From the flow graph to the array of instructions."""

from __future__ import annotations

from libnet.conf.pcapfilter.graph import Block, Stmt, postorder
from libnet.conf.pcapfilter.optimize import NOP
from libnet.conf.pcapfilter.program import FilterError, Insn
from libnet.ioctl.bpf import BPF_JA, BPF_JMP

_FAR = 256  # a conditional jump reaches this far, less one
_JA = BPF_JMP | BPF_JA


def assemble(root: Block) -> list[Insn]:
    """Lay the blocks out, false sides last, and return the instructions. Raises FilterError.

    A target out of a conditional jump's reach is reached by a `ja` after it; that moves everything
    before it, so the layout is repeated until no jump grows any more.
    """
    order = postorder(root, true_first=False)
    while True:
        insns = _layout(order)
        if insns is not None:
            return insns


def _layout(order: list[Block]) -> list[Insn] | None:
    """Return the instructions, or None after marking a jump that needs to be long."""
    sizes = [sum(s.code != NOP for s in b.stmts) + 1 + b.longjt + b.longjf for b in order]
    at = sum(sizes)
    out: list[Insn] = [Insn(0, 0, 0, 0)] * at
    for block, size in zip(order, sizes, strict=True):
        at -= size
        block.offset = at
        put = at
        for number, stmt in enumerate(s for s in block.stmts if s.code != NOP):
            jt = jf = 0
            if stmt.code & 7 == BPF_JMP and stmt.code != _JA:
                jt, jf = _inside(block, stmt, number)
            out[put] = Insn(stmt.code, jt, jf, stmt.k)
            put += 1
        if block.jt is None or block.jf is None:
            out[put] = Insn(block.code, 0, 0, block.k)
            continue
        extra = 0
        reach = []
        for target, is_long, name in (
            (block.jt, block.longjt, "longjt"),
            (block.jf, block.longjf, "longjf"),
        ):
            off = target.offset - put - 1
            if off >= _FAR:
                if not is_long:
                    setattr(block, name, True)
                    return None
                reach.append(extra)
                extra += 1
                out[put + extra] = Insn(_JA, 0, 0, off - extra)
            else:
                reach.append(off)
        out[put] = Insn(block.code, reach[0], reach[1], block.k)
    return out


def _inside(block: Block, stmt: Stmt, number: int) -> tuple[int, int]:
    """Return the targets of a jump from one statement of *block* to others of it."""
    stmts = [s for s in block.stmts if s.code != NOP]
    if number == len(stmts) - 2:
        # The compiler this one follows leaves the last but one alone, and so programs are the same.
        return 0, 0
    where = f"for block-local relative jump: off={number}"
    if stmt.jt is None or stmt.jf is None:
        raise FilterError(f"no jmp destination {where}")
    targets = []
    for goal in (stmt.jt, stmt.jf):
        found = [at for at, other in enumerate(stmts) if other is goal]
        if not found:
            raise FilterError(f"no destination found {where}")
        off = found[0] - number - 1
        if not 0 <= off < _FAR:
            raise FilterError(f"out-of-range jump {where}")
        targets.append(off)
    return targets[0], targets[1]
