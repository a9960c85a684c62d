"""The filter machine of bpf(4): the checker and the plain interpreter (NetBSD bpf_filter).

McCanne and Jacobson, "The BSD Packet Filter" (1993). The fast way, a program as a Python function,
is libnet.bpf.translate; this one says what it has to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from libnet.ioctl.bpf import (
    BPF_A,
    BPF_ABS,
    BPF_ADD,
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_DIV,
    BPF_H,
    BPF_IMM,
    BPF_IND,
    BPF_JA,
    BPF_JEQ,
    BPF_JGE,
    BPF_JGT,
    BPF_JMP,
    BPF_JSET,
    BPF_LD,
    BPF_LDX,
    BPF_LEN,
    BPF_LSH,
    BPF_MAXINSNS,
    BPF_MEM,
    BPF_MEMWORDS,
    BPF_MISC,
    BPF_MOD,
    BPF_MSH,
    BPF_MUL,
    BPF_NEG,
    BPF_OR,
    BPF_RET,
    BPF_RSH,
    BPF_ST,
    BPF_STX,
    BPF_SUB,
    BPF_TAX,
    BPF_TXA,
    BPF_W,
    BPF_X,
    BPF_XOR,
)

# One instruction: code, jt, jf, k.
Code = Sequence[tuple[int, int, int, int]]
Filter = Callable[[bytes, int], int]


class Insns(Protocol):
    """What has the instructions of a program."""

    @property
    def insns(self) -> Code:
        """Return them."""


U32: Final = 0xFFFFFFFF
# Instructions executed of a program that jumps back (only `protochain` does) before it is given up.
MAX_STEPS: Final = 100_000

SIZES: Final = {BPF_W: 4, BPF_H: 2, BPF_B: 1}
_ALU: Final = (
    BPF_ADD,
    BPF_SUB,
    BPF_MUL,
    BPF_DIV,
    BPF_OR,
    BPF_AND,
    BPF_LSH,
    BPF_RSH,
    BPF_MOD,
    BPF_XOR,
)
_JUMPS: Final = (BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET)
VALID: Final = frozenset(
    [BPF_LD | size | mode for size in SIZES for mode in (BPF_ABS, BPF_IND)]
    + [BPF_LD | BPF_W | mode for mode in (BPF_IMM, BPF_LEN, BPF_MEM)]
    + [BPF_LDX | BPF_W | mode for mode in (BPF_IMM, BPF_LEN, BPF_MEM)]
    + [BPF_LDX | BPF_B | BPF_MSH, BPF_ST, BPF_STX]
    + [BPF_ALU | op | source for op in _ALU for source in (0, BPF_X)]
    + [BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA]
    + [BPF_JMP | op | source for op in _JUMPS for source in (0, BPF_X)]
    + [BPF_RET, BPF_RET | BPF_A, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA]
)
_MEMORY: Final = frozenset((BPF_LD | BPF_W | BPF_MEM, BPF_LDX | BPF_W | BPF_MEM, BPF_ST, BPF_STX))
_BY_ZERO: Final = frozenset((BPF_ALU | BPF_DIV, BPF_ALU | BPF_MOD))


def bpf_validate(code: Code, limit: int = BPF_MAXINSNS, *, loops: bool = False) -> bool:
    """Tell whether *code* is safe: it ends, and touches only the packet and its own memory.

    All instructions are known, all jumps go forward to an instruction of the program, memory is
    addressed inside its 16 words, no constant divisor is zero, and the last instruction returns.

    loops  allow `ja` to go back, as the compiler's programs for `protochain` do
    """
    size = len(code)
    if not 0 < size <= limit:
        return False
    for at, (op, jt, jf, k) in enumerate(code):
        if op not in VALID:
            return False
        if op in _MEMORY and k >= BPF_MEMWORDS:
            return False
        if op in _BY_ZERO and k == 0:
            return False
        if op & 7 == BPF_JMP:
            if op == BPF_JMP | BPF_JA:
                target = at + 1 + k
                if loops and k & 0x80000000:
                    target -= 1 << 32
                if not 0 <= target < size:
                    return False
            elif at + 1 + jt >= size or at + 1 + jf >= size:
                return False
    return code[-1][0] & 7 == BPF_RET


def bpf_filter(code: Code, packet: bytes, wirelen: int) -> int:
    """Run a checked program over *packet*; return how many octets to keep, 0 for none.

    packet   what was captured, from the link header
    wirelen  its length on the wire
    """
    a = x = 0
    memory = [0] * BPF_MEMWORDS
    size = len(packet)
    pc = 0
    for _ in range(MAX_STEPS):
        op, jt, jf, k = code[pc]
        pc += 1
        match op & 7:
            case 0:  # BPF_LD
                mode = op & 0xE0
                if mode in (BPF_ABS, BPF_IND):
                    width = SIZES[op & 0x18]
                    at = k if mode == BPF_ABS else x + k
                    if at + width > size:
                        return 0
                    a = int.from_bytes(packet[at : at + width], "big")
                elif mode == BPF_IMM:
                    a = k
                elif mode == BPF_LEN:
                    a = wirelen
                else:
                    a = memory[k]
            case 1:  # BPF_LDX
                mode = op & 0xE0
                if mode == BPF_MSH:
                    if k >= size:
                        return 0
                    x = (packet[k] & 15) << 2
                elif mode == BPF_IMM:
                    x = k
                elif mode == BPF_LEN:
                    x = wirelen
                else:
                    x = memory[k]
            case 2:  # BPF_ST
                memory[k] = a
            case 3:  # BPF_STX
                memory[k] = x
            case 4:  # BPF_ALU
                operand = x if op & BPF_X else k
                match op & 0xF0:
                    case 0x00:  # BPF_ADD
                        a = a + operand & U32
                    case 0x10:  # BPF_SUB
                        a = a - operand & U32
                    case 0x20:  # BPF_MUL
                        a = a * operand & U32
                    case 0x30:  # BPF_DIV
                        if operand == 0:
                            return 0
                        a //= operand
                    case 0x40:  # BPF_OR
                        a |= operand
                    case 0x50:  # BPF_AND
                        a &= operand
                    case 0x60:  # BPF_LSH
                        a = a << operand & U32 if operand < 32 else 0
                    case 0x70:  # BPF_RSH
                        a = a >> operand if operand < 32 else 0
                    case 0x80:  # BPF_NEG
                        a = -a & U32
                    case 0x90:  # BPF_MOD
                        if operand == 0:
                            return 0
                        a %= operand
                    case _:  # BPF_XOR
                        a ^= operand
            case 5:  # BPF_JMP
                if op == BPF_JMP | BPF_JA:
                    pc += k - (1 << 32) if k & 0x80000000 else k
                    continue
                operand = x if op & BPF_X else k
                match op & 0xF0:
                    case 0x10:  # BPF_JEQ
                        true = a == operand
                    case 0x20:  # BPF_JGT
                        true = a > operand
                    case 0x30:  # BPF_JGE
                        true = a >= operand
                    case _:  # BPF_JSET
                        true = a & operand != 0
                pc += jt if true else jf
            case 6:  # BPF_RET
                return a if op & BPF_A else k
            case _:  # BPF_MISC
                if op & BPF_TXA:
                    a = x
                else:
                    x = a
    return 0


def goes_back(code: Code) -> bool:
    """Tell whether a jump of *code* goes back."""
    return any(op == BPF_JMP | BPF_JA and k & 0x80000000 for op, _jt, _jf, k in code)


def translate(program: Code | Insns) -> Filter:
    """Return a checked program as a function of (packet, length on the wire), compiled once.

    program  instructions, or an object that has them as `insns`
    """
    from libnet.bpf.translate import function

    code = program if isinstance(program, Sequence) else program.insns
    if goes_back(code):
        return lambda packet, wirelen: bpf_filter(code, packet, wirelen)
    return function(code)
