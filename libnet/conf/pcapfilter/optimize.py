"""The optimiser of the flow graph: value numbering, peepholes, branch threading, pull-ups.

It does what McCanne and Jacobson's does, pass by pass and in the same order, so that its programs are
those of the well-known compiler, instruction for instruction. The graph has no cycles: levels run from
0 at the returns to the highest at the root, so one sweep down or up is a whole data-flow analysis.

Two of that one's slips are not followed: it forgets that a dead store it takes away leaves the old value
behind, and, when it turns a test round, which side dominated what. `ip broadcast or ip broadcast` loses
half its tests there.

A pass numbers values: two places with one number hold the same value; 0 is "unknown". A number of a
known constant is in `const`. Passes repeat until one of them changes nothing.
"""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter.graph import (
    A_ATOM,
    ATOMS,
    U32,
    X_ATOM,
    Block,
    Stmt,
    postorder,
    preorder,
)
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import (
    BPF_A,
    BPF_ABS,
    BPF_ADD,
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_DIV,
    BPF_IMM,
    BPF_IND,
    BPF_JEQ,
    BPF_JMP,
    BPF_JSET,
    BPF_LD,
    BPF_LDX,
    BPF_LEN,
    BPF_LSH,
    BPF_MEM,
    BPF_MISC,
    BPF_MOD,
    BPF_MSH,
    BPF_MUL,
    BPF_NEG,
    BPF_OR,
    BPF_RET,
    BPF_RSH,
    BPF_ST,
    BPF_SUB,
    BPF_TAX,
    BPF_TXA,
    BPF_X,
    BPF_XOR,
)

NOP: Final = -1
# Passes that only move branches before the shuffling is taken for a cycle.
MAX_SHUFFLES: Final = 100

_A: Final = 1 << A_ATOM
_X: Final = 1 << X_ATOM
_LDI: Final = BPF_LD | BPF_IMM
_LDXI: Final = BPF_LDX | BPF_IMM
_LDM: Final = BPF_LD | BPF_MEM
_LDXM: Final = BPF_LDX | BPF_MEM
_TAX: Final = BPF_MISC | BPF_TAX
_TXA: Final = BPF_MISC | BPF_TXA
_MSH: Final = BPF_LDX | BPF_MSH | BPF_B
_ADDX: Final = BPF_ALU | BPF_ADD | BPF_X
_NEG: Final = BPF_ALU | BPF_NEG
_JEQ_K: Final = BPF_JMP | BPF_JEQ
_JSET_K: Final = BPF_JMP | BPF_JSET


def _uses(code: int, k: int) -> int:
    """Return the set of atoms that an instruction reads."""
    if code == NOP:
        return 0
    match code & 7:
        case 0 | 1:
            mode = code & 0xE0
            return _X if mode == BPF_IND else 1 << k if mode == BPF_MEM else 0
        case 2:
            return _A
        case 3:
            return _X
        case 4 | 5:
            return _A | _X if code & BPF_X else _A
        case 6:
            return _A if code & 0x18 == BPF_A else _X if code & 0x18 == BPF_X else 0
        case _:
            return _X if code & 0xF8 == BPF_TXA else _A


def _defines(code: int, k: int) -> int:
    """Return the number of the atom that an instruction writes, or -1."""
    if code == NOP:
        return -1
    match code & 7:
        case 0 | 4:
            return A_ATOM
        case 1:
            return X_ATOM
        case 2 | 3:
            return k
        case 7:
            return X_ATOM if code & 0xF8 == BPF_TAX else A_ATOM
        case _:
            return -1


class Optimizer:
    """One run over one graph."""

    def __init__(self, root: Block) -> None:
        self.root = root
        self.blocks = preorder(root)
        for number, block in enumerate(self.blocks):
            block.id = number
        self.levels: list[list[Block]] = []
        self.done = False
        self.progress = False  # something else than branches has changed in this pass
        self.values: dict[tuple[int, int, int], int] = {}
        self.const: dict[int, int] = {}
        self.tests: dict[tuple[int, int], int] = {}

    def run(self) -> Block:
        """Optimise; return the new root. Raises FilterError."""
        self._loop(alter=False)
        self._loop(alter=True)
        self._intern()
        self._skip_root()
        return self.root

    def _loop(self, *, alter: bool) -> None:
        shuffles = 0
        while True:
            self.done = True
            self.progress = False
            self._find_levels()
            self._find_dominators()
            self._find_uses()
            self._find_edge_dominators()
            self._sweep(alter)
            if self.done:
                return
            if self.progress:
                shuffles = 0
            else:
                shuffles += 1
                if shuffles >= MAX_SHUFFLES:
                    self.done = True
                    return

    def _changed(self) -> None:
        self.progress = True
        self.done = False

    # -- analysis

    def _find_levels(self) -> None:
        levels: list[list[Block]] = []
        for block in postorder(self.root, true_first=True):
            block.link = None
            if block.jt is not None and block.jf is not None:
                block.level = max(block.jt.level, block.jf.level) + 1
            else:
                block.level = 0
            while len(levels) <= block.level:
                levels.append([])
            levels[block.level].append(block)
        # The last one found comes first within its level: order matters to the pull-ups.
        for level in levels:
            level.reverse()
        self.levels = levels

    def _find_dominators(self) -> None:
        everything = (1 << len(self.blocks)) - 1
        for block in self.blocks:
            block.dom = everything
        self.root.dom = 0
        for level in reversed(self.levels):
            for block in level:
                block.dom |= 1 << block.id
                if block.jt is not None and block.jf is not None:
                    block.jt.dom &= block.dom
                    block.jf.dom &= block.dom

    def _find_edge_dominators(self) -> None:
        count = len(self.blocks)
        everything = (1 << 2 * count) - 1
        for block in self.blocks:
            block.edom = [everything, everything]
        self.root.edom = [0, 0]
        for level in reversed(self.levels):
            for block in level:
                for side, succ in ((0, block.jt), (1, block.jf)):
                    block.edom[side] |= 1 << (side * count + block.id)
                    if succ is not None:
                        succ.edom[0] &= block.edom[side]
                        succ.edom[1] &= block.edom[side]

    def _find_uses(self) -> None:
        for level in self.levels:
            for block in level:
                defined = used = killed = 0
                for stmt in block.stmts:
                    if stmt.code == NOP:
                        continue
                    used |= _uses(stmt.code, stmt.k) & ~defined
                    atom = _defines(stmt.code, stmt.k)
                    if atom >= 0:
                        bit = 1 << atom
                        killed |= bit & ~used
                        defined |= bit
                if block.code & 7 == BPF_JMP:
                    used |= _uses(block.code, block.k) & ~defined
                block.kill, block.in_use, block.out_use = killed, used, 0
        for level in self.levels[1:]:
            for block in level:
                assert block.jt is not None
                assert block.jf is not None
                block.out_use |= block.jt.in_use | block.jf.in_use
                block.in_use |= block.out_use & ~block.kill

    def _find_inedges(self) -> None:
        for block in self.blocks:
            block.in_edges = []
        for level in reversed(self.levels[1:]):
            for block in level:
                assert block.jt is not None
                assert block.jf is not None
                block.jt.in_edges.append((block, True))
                block.jf.in_edges.append((block, False))
        # The last edge found comes first: order matters to the pull-ups.
        for block in self.blocks:
            block.in_edges.reverse()

    # -- value numbers

    def _value(self, code: int, v0: int, v1: int) -> int:
        key = (code, v0, v1)
        number = self.values.get(key)
        if number is None:
            number = self.values[key] = len(self.values) + 1
            if code in (_LDI, _LDXI):
                self.const[number] = v0
        return number

    def _k(self, value: int) -> int:
        return self._value(_LDI, value, 0)

    @staticmethod
    def _store(stmt: Stmt, val: list[int], atom: int, number: int, alter: bool) -> None:
        if alter and number != 0 and val[atom] == number:
            stmt.code = NOP  # it is there already
        else:
            val[atom] = number

    def _fold(self, stmt: Stmt, v0: int, v1: int) -> None:
        """Compute an operation on constants."""
        a, b = self.const[v0], self.const[v1]
        op = stmt.code & 0xF0
        if b == 0 and op in (BPF_DIV, BPF_MOD):
            raise FilterError("division by zero" if op == BPF_DIV else "modulus by zero")
        match op:
            case 0x00:  # BPF_ADD
                a += b
            case 0x10:  # BPF_SUB
                a -= b
            case 0x20:  # BPF_MUL
                a *= b
            case 0x30:  # BPF_DIV
                a //= b
            case 0x40:  # BPF_OR
                a |= b
            case 0x50:  # BPF_AND
                a &= b
            case 0x60:  # BPF_LSH
                a = a << b if b < 32 else 0
            case 0x70:  # BPF_RSH
                a = a >> b if b < 32 else 0
            case 0x90:  # BPF_MOD
                a %= b
            case _:  # BPF_XOR
                a ^= b
        stmt.k = a & U32
        stmt.code = _LDI
        self._changed()

    # -- one statement

    def _stmt(self, stmt: Stmt, val: list[int], alter: bool) -> None:
        """Follow what *stmt* does to the values; if *alter*, simplify it."""
        code = stmt.code
        if code == NOP:
            return
        match code & 7:
            case 0 | 1:
                self._load(stmt, val, alter)
            case 2:
                self._store(stmt, val, stmt.k, val[A_ATOM], alter)
            case 3:
                self._store(stmt, val, stmt.k, val[X_ATOM], alter)
            case 4:
                if code == _NEG:
                    known = self.const.get(val[A_ATOM])
                    if alter and known is not None:
                        stmt.code = _LDI
                        stmt.k = -known & U32
                        val[A_ATOM] = self._k(stmt.k)
                    else:
                        val[A_ATOM] = self._value(code, val[A_ATOM], 0)
                elif code & BPF_X:
                    self._alu_x(stmt, val, alter)
                else:
                    self._alu_k(stmt, val, alter)
            case 7:
                if code == _TXA:
                    self._store(stmt, val, A_ATOM, val[X_ATOM], alter)
                else:
                    self._store(stmt, val, X_ATOM, val[A_ATOM], alter)
            case _:
                return  # a jump inside the block: the optimiser is not run on those

    def _load(self, stmt: Stmt, val: list[int], alter: bool) -> None:
        code = stmt.code
        atom = A_ATOM if code & 7 == BPF_LD else X_ATOM
        mode = code & 0xE0
        if mode == BPF_MEM:
            number = val[stmt.k]
            known = self.const.get(number)
            if alter and known is not None:
                stmt.code = _LDI if atom == A_ATOM else _LDXI
                stmt.k = known
                self._changed()
        elif mode == BPF_IND:
            number = val[X_ATOM]
            known = self.const.get(number)
            if alter and known is not None:
                stmt.code = BPF_LD | BPF_ABS | code & 0x18
                stmt.k = stmt.k + known & U32
                number = self._value(stmt.code, stmt.k, 0)
                self._changed()
            else:
                number = self._value(code, stmt.k, number)
        elif mode == BPF_LEN:
            number = self._value(code, 0, 0)
        elif mode == BPF_IMM:
            number = self._k(stmt.k)
        else:
            number = self._value(code, stmt.k, 0)
        self._store(stmt, val, atom, number, alter)

    def _alu_k(self, stmt: Stmt, val: list[int], alter: bool) -> None:
        op = stmt.code & 0xF0
        if alter:
            if stmt.k == 0:
                # `sub #0` stays: the comparison after it may still take it in.
                if op in (BPF_ADD, BPF_LSH, BPF_RSH, BPF_OR, BPF_XOR):
                    stmt.code = NOP
                    return
                if op in (BPF_MUL, BPF_AND):
                    stmt.code = _LDI
                    val[A_ATOM] = self._k(0)
                    return
                if op in (BPF_DIV, BPF_MOD):
                    raise FilterError("division by zero" if op == BPF_DIV else "modulus by zero")
            if val[A_ATOM] in self.const:
                self._fold(stmt, val[A_ATOM], self._k(stmt.k))
                val[A_ATOM] = self._k(stmt.k)
                return
        val[A_ATOM] = self._value(stmt.code, val[A_ATOM], self._k(stmt.k))

    def _alu_x(self, stmt: Stmt, val: list[int], alter: bool) -> None:
        op = stmt.code & 0xF0
        if alter and val[X_ATOM] in self.const:
            if val[A_ATOM] in self.const:
                self._fold(stmt, val[A_ATOM], val[X_ATOM])
                val[A_ATOM] = self._k(stmt.k)
            else:
                stmt.code = BPF_ALU | op
                stmt.k = self.const[val[X_ATOM]]
                if op in (BPF_LSH, BPF_RSH) and stmt.k > 31:
                    raise FilterError("shift by more than 31 bits")
                self._changed()
                val[A_ATOM] = self._value(stmt.code, val[A_ATOM], self._k(stmt.k))
            return
        if alter and self.const.get(val[A_ATOM]) == 0:
            if op in (BPF_ADD, BPF_OR, BPF_XOR):
                stmt.code = _TXA
                self._store(stmt, val, A_ATOM, val[X_ATOM], alter)
                return
            if op in (BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND, BPF_LSH, BPF_RSH):
                stmt.code = _LDI
                stmt.k = 0
                self._store(stmt, val, A_ATOM, self._k(0), alter)
                return
        val[A_ATOM] = self._value(stmt.code, val[A_ATOM], val[X_ATOM])

    # -- one block

    def _block(self, block: Block, alter: bool) -> None:
        edges = block.in_edges
        if not edges:
            val = [0] * ATOMS
        else:
            val = edges[0][0].val[:]
            for pred, _sense in edges[1:]:
                theirs = pred.val
                for atom in range(ATOMS):
                    if val[atom] != theirs[atom]:
                        val[atom] = 0
        block.val = val
        a_before, x_before = val[A_ATOM], val[X_ATOM]
        for stmt in block.stmts:
            self._stmt(stmt, val, alter)
        idle = (
            block.out_use == 0
            and a_before != 0
            and val[A_ATOM] == a_before
            and x_before != 0
            and val[X_ATOM] == x_before
        )
        if alter and (idle or block.code & 7 == BPF_RET):
            if block.stmts:
                block.stmts = []
                self._changed()
        else:
            self._peephole(block)
            self._dead_stores(block)
        if block.code & BPF_X:
            block.oval = val[X_ATOM]
        else:
            block.oval = self._k(block.k)

    def _peephole(self, block: Block) -> None:
        stmts = block.stmts
        if not stmts:
            return
        last = self._pairs(block)
        if block.code == _JEQ_K and not block.out_use & _A:
            self._before_jeq(block, last)
        if block.code == _JSET_K:
            if block.k == 0:
                block.jt = block.jf
            if block.k == U32:
                block.jf = block.jt
        known = self.const.get(block.val[X_ATOM])
        if known is not None and block.code & BPF_X:
            block.code &= ~BPF_X
            block.k = known
        known = self.const.get(block.val[A_ATOM])
        if known is not None and not block.code & BPF_X:
            match block.code & 0xF0:
                case 0x10:  # BPF_JEQ
                    holds = known == block.k
                case 0x20:  # BPF_JGT
                    holds = known > block.k
                case 0x30:  # BPF_JGE
                    holds = known >= block.k
                case _:  # BPF_JSET
                    holds = known & block.k != 0
            if block.jf is not block.jt:
                self._changed()
            if holds:
                block.jf = block.jt
            else:
                block.jt = block.jf

    def _pairs(self, block: Block) -> Stmt:
        """Simplify neighbouring statements; return the last real one that was looked at."""
        stmts = block.stmts
        last = stmts[0]
        count = len(stmts)

        def real(at: int) -> int:
            while at < count and stmts[at].code == NOP:
                at += 1
            return at

        at = 0
        while True:
            at = real(at)
            if at >= count:
                return last
            after = real(at + 1)
            if after >= count:
                return last
            here, following = stmts[at], stmts[after]
            last = following
            if here.code == BPF_ST and following.code == _LDXM and here.k == following.k:
                self._changed()
                following.code = _TAX
            if here.code == _LDI and following.code == _TAX:
                here.code = _LDXI
                following.code = _TXA
                self._changed()
            if here.code == _LDI and not block.out_use & _X:
                # proto[constant]: the constant goes into the load's own offset.
                add = real(after + 1) if following.code == _MSH else after
                tax = real(add + 1)
                load = real(tax + 1)
                if (
                    load < count
                    and stmts[add].code == _ADDX
                    and stmts[tax].code == _TAX
                    and stmts[load].code & 7 == BPF_LD
                    and stmts[load].code & 0xE0 == BPF_IND
                ):
                    stmts[load].k = stmts[load].k + here.k & U32
                    here.code = stmts[add].code = stmts[tax].code = NOP
                    self._changed()
            at = after

    def _before_jeq(self, block: Block, last: Stmt) -> None:
        """Take the operation before an equality test into the test."""
        if last.code == BPF_ALU | BPF_SUB | BPF_X:
            known = self.const.get(block.val[X_ATOM])
            if known is not None:
                block.k = block.k + known & U32
                last.code = NOP
                self._changed()
            elif block.k == 0:
                last.code = NOP
                block.code = BPF_JMP | BPF_JEQ | BPF_X
                self._changed()
        elif last.code == BPF_ALU | BPF_SUB:
            last.code = NOP
            block.k = block.k + last.k & U32
            self._changed()
        elif last.code == BPF_ALU | BPF_AND and block.k == 0:
            block.k = last.k
            block.code = _JSET_K
            last.code = NOP
            self._changed()
            self._swap_sides(block)

    def _swap_sides(self, block: Block) -> None:
        """Exchange true and false; what its false side dominated its true side dominates now."""
        block.jt, block.jf = block.jf, block.jt
        true, false = 1 << block.id, 1 << len(self.blocks) + block.id
        for other in self.blocks:
            if other is block:
                continue
            for side, dominators in enumerate(other.edom):
                if bool(dominators & true) != bool(dominators & false):
                    other.edom[side] = dominators ^ (true | false)

    def _dead_stores(self, block: Block) -> None:
        last: dict[int, Stmt] = {}
        for stmt in block.stmts:
            for atom in [atom for atom in last if _uses(stmt.code, stmt.k) >> atom & 1]:
                del last[atom]
            atom = _defines(stmt.code, stmt.k)
            if atom >= 0:
                dead = last.get(atom)
                if dead is not None:
                    self._changed()
                    dead.code = NOP
                last[atom] = stmt
        used = _uses(block.code, block.k)
        for atom in [atom for atom in last if used >> atom & 1]:
            del last[atom]
        for atom, stmt in last.items():
            if not block.out_use >> atom & 1:
                stmt.code = NOP
                # What is not stored is not there for blocks after this one.
                block.val[atom] = 0
                self._changed()

    # -- branches

    def _sweep(self, alter: bool) -> None:
        self.values = {}
        self.const = {}
        self._find_inedges()
        for level in reversed(self.levels):
            for block in level:
                self._block(block, alter)
        if alter:
            return
        self._index_tests()
        for level in self.levels[1:]:
            for block in level:
                self._thread(block, True)
                self._thread(block, False)
        self._find_inedges()
        for level in self.levels[1:]:
            for block in level:
                self._pullup(block, "jt", "jf")
                self._pullup(block, "jf", "jt")

    @staticmethod
    def _conflict(block: Block, succ: Block) -> bool:
        """Tell whether an atom that is used after *succ* differs after *block*."""
        use = succ.out_use
        return use != 0 and any(
            use >> atom & 1 and block.val[atom] != succ.val[atom] for atom in range(ATOMS)
        )

    def _index_tests(self) -> None:
        """Note which edges leave a test of the same sort and of the same value of A."""
        count = len(self.blocks)
        self.tests = {}
        for level in self.levels[1:]:
            for block in level:
                key = (block.code, block.val[A_ATOM])
                both = 1 << block.id | 1 << count + block.id
                self.tests[key] = self.tests.get(key, 0) | both

    def _implied(self, child: Block, edge: int) -> Block | None:
        """Return where *child* goes if edge number *edge*, of a like test, was taken; None: unknown."""
        count = len(self.blocks)
        sense = edge < count
        pred = self.blocks[edge if sense else edge - count]
        if child.oval == pred.oval:
            return child.jt if sense else child.jf
        if sense and pred.code == _JEQ_K:
            return child.jf  # A equals another constant
        return None

    def _thread(self, block: Block, sense: bool) -> None:
        """Let an edge pass over tests whose outcome is known when it is taken."""
        succ = block.jt if sense else block.jf
        assert succ is not None
        if succ.jt is None:
            return
        if succ.jt is succ.jf and not self._conflict(block, succ.jt):
            self._changed()
            succ = succ.jt
        dominators = block.edom[0 if sense else 1]
        moved = True
        while moved and succ.jt is not None:
            moved = False
            # Edges that are taken whenever this one is, lowest number first.
            edges = dominators & self.tests.get((succ.code, succ.val[A_ATOM]), 0)
            while edges:
                low = edges & -edges
                edges ^= low
                target = self._implied(succ, low.bit_length() - 1)
                if target is not None and not self._conflict(block, target):
                    self.done = False
                    succ = target
                    moved = True
                    break
        if sense:
            block.jt = succ
        else:
            block.jf = succ

    def _pullup(self, block: Block, same: str, chain: str) -> None:
        """Move a test of the value *block* looks at up past tests of others.

        A chain of tests with one common successor (*same*) is an `or` (same jt) or an `and` (same jf).
        """
        edges = block.in_edges
        if not edges:
            return
        value = edges[0][0].val[A_ATOM]
        if any(pred.val[A_ATOM] != value for pred, _sense in edges[1:]):
            return
        goal = getattr(block, same)
        bit = 1 << block.id
        first = edges[0][0]
        # A pointer into the graph is an object and the name of its successor.
        holder, field = first, "jt" if first.jt is block else "jf"
        at_top = True
        while True:
            other = getattr(holder, field)
            if other is None or getattr(other, same) is not goal or not other.dom & bit:
                return
            if other.val[A_ATOM] != value:
                break
            holder, field = other, chain
            at_top = False
        diff_holder, diff_field = holder, field
        holder, field = getattr(holder, field), chain
        while True:
            other = getattr(holder, field)
            if other is None or getattr(other, same) is not goal or not other.dom & bit:
                return
            if other.val[A_ATOM] == value:
                break
            holder, field = other, chain
        pull = getattr(holder, field)
        setattr(holder, field, getattr(pull, chain))
        setattr(pull, chain, getattr(diff_holder, diff_field))
        if at_top:
            for pred, _sense in edges:
                if pred.jt is block:
                    pred.jt = pull
                else:
                    pred.jf = pull
        else:
            setattr(diff_holder, diff_field, pull)
        self.done = False

    # -- the end

    def _intern(self) -> None:
        """Make one of blocks that do the same."""
        blocks = self.blocks
        again = True
        while again:
            again = False
            for block in blocks:
                block.link = None
            alive = {id(block) for block in preorder(self.root)}
            # Equal blocks have equal keys; a block is linked to the first later one of its key.
            later: dict[object, Block] = {}
            for block in reversed(blocks):
                if id(block) not in alive:
                    continue
                key = (
                    block.code,
                    block.k,
                    id(block.jt),
                    id(block.jf),
                    tuple((s.code, s.k) for s in block.stmts if s.code != NOP),
                )
                twin = later.get(key)
                if twin is not None:
                    block.link = twin.link or twin
                later[key] = block
            for block in blocks:
                if block.jt is None or block.jf is None:
                    continue
                if block.jt.link is not None:
                    block.jt = block.jt.link
                    again = True
                if block.jf.link is not None:
                    block.jf = block.jf.link
                    again = True

    def _skip_root(self) -> None:
        """Start at the first test that decides something."""
        root = self.root
        stmts = root.stmts
        root.stmts = []
        while root.code & 7 == BPF_JMP and root.jt is root.jf:
            assert root.jt is not None
            root = root.jt
        root.stmts = stmts + root.stmts
        if root.code & 7 == BPF_RET:
            root.stmts = []
        self.root = root
