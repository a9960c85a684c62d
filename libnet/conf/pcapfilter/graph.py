"""The flow graph of a filter while it is built: statements, blocks that end in a test, fragments.

A fragment stands for a part of the expression. Where it goes when it holds and when it fails is not
known yet: those exits are kept in two lists and patched when `and`, `or` or the end say where to.
"""

from __future__ import annotations

from libnet.ioctl.bpf import BPF_JMP, BPF_RET

U32 = 0xFFFFFFFF
ATOMS = 18  # the sixteen words of memory, A and X
A_ATOM = 16
X_ATOM = 17


class Stmt:
    """One instruction inside a block.

    jt, jf  only of a jump to another statement of the same block, which the optimiser cannot handle
    """

    __slots__ = ("code", "jf", "jt", "k")

    def __init__(self, code: int, k: int = 0) -> None:
        self.code = code
        self.k = k & U32
        self.jt: Stmt | None = None
        self.jf: Stmt | None = None


class Block:
    """Statements, then a conditional jump or a return (code, k).

    jt, jf  successors; both None for a return

    The rest is the optimiser's and the assembler's: what is known about this block.
    """

    __slots__ = (
        "code",
        "dom",
        "edom",
        "id",
        "in_edges",
        "in_use",
        "jf",
        "jt",
        "k",
        "kill",
        "level",
        "link",
        "longjf",
        "longjt",
        "offset",
        "out_use",
        "oval",
        "stmts",
        "val",
    )

    def __init__(self, code: int, k: int = 0, stmts: list[Stmt] | None = None) -> None:
        self.code = code
        self.k = k & U32
        self.stmts = stmts if stmts is not None else []
        self.jt: Block | None = None
        self.jf: Block | None = None
        self.id = 0
        self.level = 0
        self.dom = 0
        self.edom = [0, 0]
        self.in_edges: list[tuple[Block, bool]] = []
        self.in_use = self.out_use = self.kill = 0
        self.val = [0] * ATOMS
        self.oval = 0
        self.link: Block | None = None
        self.longjt = self.longjf = False
        self.offset = 0


Exit = tuple[Block, bool]


class Test:
    """A part of the expression.

    head    its first block
    trues   exits to where it goes when it holds
    falses  exits to where it goes when it fails
    """

    __slots__ = ("falses", "head", "trues")

    def __init__(self, head: Block, trues: list[Exit], falses: list[Exit]) -> None:
        self.head, self.trues, self.falses = head, trues, falses


def _patch(exits: list[Exit], target: Block) -> None:
    for block, sense in exits:
        if sense:
            block.jt = target
        else:
            block.jf = target


def jump(op: int, k: int, stmts: list[Stmt]) -> Test:
    """Return the test that *op* (BPF_JEQ, …, perhaps with BPF_X) makes of A after *stmts*."""
    block = Block(BPF_JMP | op, k, stmts)
    return Test(block, [(block, True)], [(block, False)])


def and_(one: Test, two: Test) -> Test:
    """Return the test that both hold, *one* asked first."""
    _patch(one.trues, two.head)
    return Test(one.head, two.trues, two.falses + one.falses)


def or_(one: Test, two: Test) -> Test:
    """Return the test that either holds, *one* asked first."""
    _patch(one.falses, two.head)
    return Test(one.head, two.trues + one.trues, two.falses)


def not_(test: Test) -> Test:
    """Return the opposite test."""
    return Test(test.head, test.falses, test.trues)


def close(test: Test, snaplen: int) -> Block:
    """Let *test* return *snaplen* or 0; return the root of the graph."""
    _patch(test.trues, Block(BPF_RET, snaplen))
    _patch(test.falses, Block(BPF_RET, 0))
    return test.head


def preorder(root: Block) -> list[Block]:
    """Return the blocks that *root* reaches, each before its true side, that before its false."""
    found: list[Block] = []
    seen: set[int] = set()
    stack = [root]
    while stack:
        block = stack.pop()
        if id(block) in seen:
            continue
        seen.add(id(block))
        found.append(block)
        if block.jt is not None and block.jf is not None:
            stack.append(block.jf)
            stack.append(block.jt)
    return found


def postorder(root: Block, *, true_first: bool) -> list[Block]:
    """Return the blocks that *root* reaches, each after both its successors."""
    found: list[Block] = []
    seen: set[int] = set()
    stack: list[tuple[Block, bool]] = [(root, False)]
    while stack:
        block, done = stack.pop()
        if done:
            found.append(block)
            continue
        if id(block) in seen:
            continue
        seen.add(id(block))
        stack.append((block, True))
        if block.jt is not None and block.jf is not None:
            first, second = (block.jt, block.jf) if true_first else (block.jf, block.jt)
            stack.append((second, False))
            stack.append((first, False))
    return found
