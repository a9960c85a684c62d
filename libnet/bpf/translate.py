"""A checked filter program as a Python function.

Theory of operation. The program's jumps all go forward, so its basic blocks form a tree but for the
places where branches meet again. Each such place, and the start, begins a region; a region is written
as nested `if`s that end in `return` or go on to a later region by setting `pc`. Inside a block nothing
is stored that nobody reads: A is an expression until it is needed.

There are two forms of one program. The fast one is for packets that hold every octet at a fixed offset
the program may ask for: those loads cannot fail, so an equality test may compare octets one by one. The
careful one makes each load where the machine makes it, and a load past the end raises IndexError,
which is the machine's "return 0". The careful form is compiled when the first short packet comes.
"""

from __future__ import annotations

from typing import Any, Final

from libnet.bpf.machine import SIZES, U32, Code, Filter
from libnet.ioctl.bpf import BPF_A, BPF_ABS, BPF_IND, BPF_JA, BPF_JMP, BPF_MSH, BPF_X

_A: Final = 16
_X: Final = 17
# Longest fixed reach for which the fast form is worth having.
MAX_REACH: Final = 1 << 16
# Characters of an expression after which it is written to a variable: each use may repeat it.
_LONG: Final = 200


class _Value:
    """What a register holds: an expression, its largest value, whether computing it may fail.

    fixed  (offset, size) when it is just that field of the packet
    """

    __slots__ = ("atom", "fails", "fixed", "most", "reads", "text")

    def __init__(
        self,
        text: str,
        most: int = U32,
        *,
        fails: bool = False,
        atom: bool = False,
        reads: int = 0,
        fixed: tuple[int, int] | None = None,
    ) -> None:
        self.text, self.most, self.fails, self.atom = text, most, fails, atom
        self.reads, self.fixed = reads, fixed

    def grouped(self) -> str:
        """Return the text as an operand."""
        return self.text if self.atom else f"({self.text})"


def function(code: Code) -> Filter:
    """Return *code*, checked and without backward jumps, as a function."""
    reach = _reach(code)
    careful = _Careful(code)
    if reach == 0 or reach > MAX_REACH:
        return careful.build()
    text = _Writer(code, fast=True).source(
        "filter", f"if len(p) < {reach}: return slow(p, wirelen)"
    )
    return _compile(text, slow=careful.run)


class _Careful:
    """The careful form, compiled when it is first needed."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._made: Filter | None = None

    def build(self) -> Filter:
        """Return the function."""
        if self._made is None:
            self._made = _compile(_Writer(self._code, fast=False).source("filter", ""))
        return self._made

    def run(self, packet: bytes, wirelen: int) -> int:
        """Run it."""
        return self.build()(packet, wirelen)


def _compile(text: str, **names: Any) -> Filter:
    space: dict[str, Any] = {"__builtins__": {"len": len}, "from_bytes": int.from_bytes, **names}
    space["IndexError"], space["ZeroDivisionError"] = IndexError, ZeroDivisionError
    exec(compile(text, "<bpf filter>", "exec"), space)
    made: Filter = space["filter"]
    return made


def _reach(code: Code) -> int:
    """Return how many octets a packet must have for no load at a fixed offset to fail."""
    reach = 0
    for op, _jt, _jf, k in code:
        if op & 7 == 0 and op & 0xE0 == BPF_ABS:
            reach = max(reach, k + SIZES[op & 0x18])
        elif op & 7 == 1 and op & 0xE0 == BPF_MSH:
            reach = max(reach, k + 1)
    return reach


class _Writer:
    """Writes one form of one program.

    fast  loads at fixed offsets cannot fail
    """

    def __init__(self, code: Code, *, fast: bool) -> None:
        self.code, self.fast = code, fast
        size = len(code)
        # Successors of each instruction that ends a block; where control meets.
        self.into = [0] * size
        self.into[0] = 2
        alive = [False] * size
        alive[0] = True
        for at in range(size):
            if alive[at]:
                for target in self._next(at):
                    alive[target] = True
                    self.into[target] += 1
        self.live = self._liveness(alive)
        self.regions = [
            at
            for at in range(size)
            if alive[at] and self.into[at] > 1 and (at == 0 or code[at][0] & 7 != 6)
        ]
        self.is_region = set(self.regions)
        self.weights: dict[int, int] = {}
        self._weigh(alive)
        self.lines: list[str] = []

    def _next(self, at: int) -> tuple[int, ...]:
        op, jt, jf, k = self.code[at]
        if op & 7 == 6:
            return ()
        if op == BPF_JMP | BPF_JA:
            return (at + 1 + k,)
        if op & 7 == BPF_JMP:
            return (at + 1 + jt, at + 1 + jf)
        return (at + 1,)

    def _liveness(self, alive: list[bool]) -> list[int]:
        """Return the set of registers and memory words that are read from each instruction on."""
        live = [0] * (len(self.code) + 1)
        for at in reversed(range(len(self.code))):
            if not alive[at]:
                continue
            op, _jt, _jf, k = self.code[at]
            after = 0
            for target in self._next(at):
                after |= live[target]
            uses = defines = 0
            match op & 7:
                case 0:
                    defines = 1 << _A
                    mode = op & 0xE0
                    uses = 1 << _X if mode == BPF_IND else 1 << k if mode == 0x60 else 0
                case 1:
                    defines = 1 << _X
                    uses = 1 << k if op & 0xE0 == 0x60 else 0
                case 2:
                    uses, defines = 1 << _A, 1 << k
                case 3:
                    uses, defines = 1 << _X, 1 << k
                case 4:
                    uses = 1 << _A | (1 << _X if op & BPF_X else 0)
                    defines = 1 << _A
                case 5:
                    if op != BPF_JMP | BPF_JA:
                        uses = 1 << _A | (1 << _X if op & BPF_X else 0)
                case 6:
                    uses = 1 << _A if op & BPF_A else 0
                case _:
                    uses, defines = (1 << _X, 1 << _A) if op & 0x80 else (1 << _A, 1 << _X)
            live[at] = uses | after & ~defines
        return live

    def _weigh(self, alive: list[bool]) -> None:
        """Count the instructions of the tree under each, regions excluded."""
        for at in reversed(range(len(self.code))):
            if alive[at]:
                self.weights[at] = 1 + sum(
                    self.weights[target]
                    for target in self._next(at)
                    if target not in self.is_region
                )

    # -- text

    def source(self, name: str, guard: str) -> str:
        """Return the text of the function."""
        self.lines = [f"def {name}(p, wirelen):"]
        if guard:
            self.put(1, guard)
        self.put(1, "try:")
        many = len(self.regions) > 1
        indent = 3 if many else 2
        names = [_name(number) for number in range(18) if self.live[0] >> number & 1]
        if names:
            self.put(2, f"{' = '.join(names)} = 0")  # the machine starts with zeros
        for number, region in enumerate(self.regions):
            if many:
                # A loop that never goes round: `break` goes on to the regions after this one.
                self.put(2, "while True:" if number == 0 else f"while pc == {region}:")
            self._tree(region, indent)
        self.put(1, "except (IndexError, ZeroDivisionError):")
        self.put(2, "return 0")
        return "\n".join(self.lines) + "\n"

    def put(self, indent: int, line: str) -> None:
        self.lines.append(" " * indent + line)

    def _tree(self, at: int, indent: int) -> None:
        """Write the block at *at* and what only it leads to."""
        while True:
            state = _State(self, indent)
            while True:
                op, jt, jf, k = self.code[at]
                if op & 7 in (5, 6):
                    break
                state.step(op, k)
                at += 1
                if at in self.is_region:
                    state.flush(self.live[at])
                    self._leave(at, indent)
                    return
            if op & 7 == 6:
                state.end(op, k)
                return
            if op == BPF_JMP | BPF_JA:
                target = at + 1 + k
                state.flush(self.live[target])
                if self._leaf(target, indent):
                    return
                at = target
                continue
            true, false = at + 1 + jt, at + 1 + jf
            if true == false:
                state.flush(self.live[true])
                if self._leaf(true, indent):
                    return
                at = true
                continue
            condition, opposite = state.condition(op, k, self.live[true] | self.live[false])
            # The smaller side goes inside the `if` and always ends there; the other one follows.
            if self._weight(true) <= self._weight(false):
                inside, after = true, false
            else:
                inside, after, condition = false, true, opposite
            self.put(indent, f"if {condition}:")
            if not self._leaf(inside, indent + 1):
                self._tree(inside, indent + 1)
            if self._leaf(after, indent):
                return
            at = after

    def _weight(self, at: int) -> int:
        return 1 if at in self.is_region else self.weights[at]

    def _leaf(self, at: int, indent: int) -> bool:
        """Write what ends a path, if *at* is that: another region, or a constant return."""
        if at in self.is_region:
            self._leave(at, indent)
            return True
        op, _jt, _jf, k = self.code[at]
        if op & 7 == 6 and not op & BPF_A:
            self.put(indent, f"return {k}")
            return True
        return False

    def _leave(self, region: int, indent: int) -> None:
        self.put(indent, f"pc = {region}")
        self.put(indent, "break")


def _name(number: int) -> str:
    return "a" if number == _A else "x" if number == _X else f"m{number}"


class _State:
    """Registers inside one block: X and memory are variables, A an expression until it is needed.

    a      what A holds            x_most  the largest value of X
    """

    def __init__(self, writer: _Writer, indent: int) -> None:
        self.writer, self.indent = writer, indent
        self.a = _Value("a", atom=True)
        self.x_most = U32

    def _put(self, line: str) -> None:
        self.writer.put(self.indent, line)

    # -- A

    def _settle(self) -> None:
        """Write A to its variable."""
        if self.a.text != "a":
            self._put(f"a = {self.a.text}")
            self.a = _Value("a", self.a.most, atom=True)

    def _replace(self, value: _Value) -> None:
        """Forget what A held; where computing it would have failed, the machine has failed here."""
        if self.a.fails:
            self._put(self.a.text)
        self.a = value

    def _spoil(self, number: int) -> None:
        """Write A if it is an expression of a variable that is about to change."""
        if self.a.reads >> number & 1:
            self._settle()

    def flush(self, live: int) -> None:
        """End the block: write A if it is in *live*, else see that what may fail is computed."""
        if live >> _A & 1:
            self._settle()
        elif self.a.fails:
            self._put(self.a.text)

    # -- instructions

    def step(self, op: int, k: int) -> None:
        """Follow one instruction that neither jumps nor returns."""
        match op & 7:
            case 0:
                self._replace(self._load(op, k))
            case 1:
                self._load_x(op, k)
            case 2:
                text = self.a.text
                self._put(f"m{k} = {text}")
                self.a = _Value(f"m{k}", self.a.most, atom=True, reads=1 << k)
            case 3:
                self._spoil(k)
                self._put(f"m{k} = x")
            case 4:
                self._alu(op, k)
            case _ if op & 0x80:
                self._replace(_Value("x", self.x_most, atom=True, reads=1 << _X))
            case _:
                if self.a.text != "x":
                    self._put(f"x = {self.a.text}")
                    self.x_most = self.a.most
                    self.a = _Value("x", self.x_most, atom=True, reads=1 << _X)

    def _load_x(self, op: int, k: int) -> None:
        self._spoil(_X)
        self.x_most = U32
        match op & 0xE0:
            case 0xA0:  # BPF_MSH
                text, self.x_most = f"(p[{k}] & 15) << 2", 60
            case 0x00:  # BPF_IMM
                text, self.x_most = str(k), k
            case 0x80:  # BPF_LEN
                text = "wirelen"
            case _:  # BPF_MEM
                text = f"m{k}"
        self._put(f"x = {text}")

    def _load(self, op: int, k: int) -> _Value:
        match op & 0xE0:
            case 0x20:  # BPF_ABS
                return self._fixed(k, SIZES[op & 0x18])
            case 0x40:  # BPF_IND
                return self._indexed(k, SIZES[op & 0x18])
            case 0x00:  # BPF_IMM
                return _Value(str(k), k, atom=True)
            case 0x80:  # BPF_LEN
                return _Value("wirelen", atom=True)
            case _:  # BPF_MEM
                return _Value(f"m{k}", atom=True, reads=1 << k)

    def _fixed(self, at: int, size: int) -> _Value:
        fails = not self.writer.fast
        if size == 4 and not fails:
            text = f'from_bytes(p[{at}:{at + 4}], "big")'
            return _Value(text, atom=True, fixed=(at, 4))
        text = _joined([f"p[{at + number}]" for number in range(size)])
        most = (1 << 8 * size) - 1
        return _Value(text, most, fails=fails, atom=size == 1, fixed=(at, size))

    def _indexed(self, at: int, size: int) -> _Value:
        octets = [f"p[x + {at + n}]" if at + n else "p[x]" for n in range(size)]
        most = (1 << 8 * size) - 1
        return _Value(_joined(octets), most, fails=True, atom=size == 1, reads=1 << _X)

    def _alu(self, op: int, k: int) -> None:
        a = self.a
        left, fails, reads = a.grouped(), a.fails, a.reads
        with_x = bool(op & BPF_X)
        right, most = ("x", self.x_most) if with_x else (str(k), k)
        if with_x:
            reads |= 1 << _X
        match op & 0xF0:
            case 0x00:  # BPF_ADD
                text, top = f"{left} + {right}", a.most + most
            case 0x10:  # BPF_SUB
                text, top = f"{left} - {right}", U32 + 1
            case 0x20:  # BPF_MUL
                text, top = f"{left} * {right}", a.most * most
            case 0x30:  # BPF_DIV
                text, top = f"{left} // {right}", a.most
                fails = fails or with_x
            case 0x40:  # BPF_OR
                text, top = f"{left} | {right}", _bits(a.most | most)
            case 0x50:  # BPF_AND
                text, top = f"{left} & {right}", min(a.most, most)
            case 0x60 | 0x70 if with_x:  # BPF_LSH, BPF_RSH
                # Shifted out altogether or not, the value is computed: that may fail.
                sign = "<<" if op & 0xF0 == 0x60 else ">>"
                text, top = f"{left} {sign} x if x < 32 else {left} & 0", U32 + 1
            case 0x60 | 0x70 if k > 31:
                text, top = f"{left} & 0", 0
            case 0x60:
                text, top = f"{left} << {k}", a.most << k
            case 0x70:
                text, top = f"{left} >> {k}", a.most >> k
            case 0x80:  # BPF_NEG
                text, top = f"-{left}", U32 + 1
            case 0x90:  # BPF_MOD
                text, top = f"{left} % {right}", a.most
                fails = fails or with_x
            case _:  # BPF_XOR
                text, top = f"{left} ^ {right}", _bits(a.most | most)
        if top > U32:
            text, top = f"({text}) & {U32}", U32
        self.a = _Value(text, top, fails=fails, reads=reads)
        if len(text) > _LONG:
            self._settle()

    # -- ends

    def end(self, op: int, k: int) -> None:
        """Write a return."""
        if op & BPF_A:
            self._put(f"return {self.a.text}")
            return
        self.flush(0)
        self._put(f"return {k}")

    def condition(self, op: int, k: int, live: int) -> tuple[str, str]:
        """Return the text of a jump's condition, and of its opposite; A is in *live* afterwards."""
        if live >> _A & 1:
            self._settle()
        a = self.a
        left = a.grouped()
        right = "x" if op & BPF_X else str(k)
        match op & 0xF0:
            case 0x10:  # BPF_JEQ
                if a.fixed is not None and self.writer.fast and not op & BPF_X:
                    return _same(a.fixed, k)
                return f"{left} == {right}", f"{left} != {right}"
            case 0x20:  # BPF_JGT
                return f"{left} > {right}", f"{left} <= {right}"
            case 0x30:  # BPF_JGE
                return f"{left} >= {right}", f"{left} < {right}"
            case _:  # BPF_JSET
                return f"{left} & {right}", f"not {left} & {right}"


def _joined(octets: list[str]) -> str:
    """Return the big-endian number of some octets."""
    last = len(octets) - 1
    parts = [f"{o} << {8 * (last - n)}" if n < last else o for n, o in enumerate(octets)]
    return " | ".join(parts)


def _bits(value: int) -> int:
    """Return the largest number with as many bits."""
    return (1 << value.bit_length()) - 1


def _same(fixed: tuple[int, int], k: int) -> tuple[str, str]:
    """Return the conditions that a field at a fixed place is *k*, and that it is not."""
    at, size = fixed
    if k >> 8 * size:
        return "0", "1"
    if size == 1:
        return f"p[{at}] == {k}", f"p[{at}] != {k}"
    if size == 2:
        high, low = k >> 8, k & 0xFF
        return (
            f"p[{at}] == {high} and p[{at + 1}] == {low}",
            f"p[{at}] != {high} or p[{at + 1}] != {low}",
        )
    octets = repr(k.to_bytes(4, "big"))
    return f"p[{at}:{at + 4}] == {octets}", f"p[{at}:{at + 4}] != {octets}"
