"""What the filter compiler returns: instructions, and the three listings of them."""

from __future__ import annotations

from typing import Final, NamedTuple

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
    BPF_K,
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
    BPF_STX,
    BPF_SUB,
    BPF_TAX,
    BPF_TXA,
    BPF_W,
    BPF_X,
    BPF_XOR,
    INSN,
)


class FilterError(ValueError):
    """A filter expression that cannot be compiled; the text is what the compiler says of it."""


class Insn(NamedTuple):
    """One instruction: code, relative targets of a jump when true and when false, constant."""

    code: int
    jt: int
    jf: int
    k: int


_ALU_K: Final = {
    BPF_ADD: ("add", "#%d"),
    BPF_SUB: ("sub", "#%d"),
    BPF_MUL: ("mul", "#%d"),
    BPF_DIV: ("div", "#%d"),
    BPF_MOD: ("mod", "#%d"),
    BPF_AND: ("and", "#0x%x"),
    BPF_OR: ("or", "#0x%x"),
    BPF_XOR: ("xor", "#0x%x"),
    BPF_LSH: ("lsh", "#%d"),
    BPF_RSH: ("rsh", "#%d"),
}
_JUMPS: Final = {BPF_JEQ: "jeq", BPF_JGT: "jgt", BPF_JGE: "jge", BPF_JSET: "jset"}

# Mnemonic and operand by code; the operand takes k.
_FORMS: Final[dict[int, tuple[str, str]]] = {
    BPF_RET | BPF_K: ("ret", "#%d"),
    BPF_RET | BPF_A: ("ret", ""),
    BPF_LD | BPF_W | BPF_ABS: ("ld", "[%d]"),
    BPF_LD | BPF_H | BPF_ABS: ("ldh", "[%d]"),
    BPF_LD | BPF_B | BPF_ABS: ("ldb", "[%d]"),
    BPF_LD | BPF_W | BPF_LEN: ("ld", "#pktlen"),
    BPF_LD | BPF_W | BPF_IND: ("ld", "[x + %d]"),
    BPF_LD | BPF_H | BPF_IND: ("ldh", "[x + %d]"),
    BPF_LD | BPF_B | BPF_IND: ("ldb", "[x + %d]"),
    BPF_LD | BPF_IMM: ("ld", "#0x%x"),
    BPF_LDX | BPF_IMM: ("ldx", "#0x%x"),
    BPF_LDX | BPF_MSH | BPF_B: ("ldxb", "4*([%d]&0xf)"),
    BPF_LDX | BPF_W | BPF_LEN: ("ldx", "#pktlen"),
    BPF_LD | BPF_MEM: ("ld", "M[%d]"),
    BPF_LDX | BPF_MEM: ("ldx", "M[%d]"),
    BPF_ST: ("st", "M[%d]"),
    BPF_STX: ("stx", "M[%d]"),
    BPF_JMP | BPF_JA: ("ja", "%d"),
    BPF_ALU | BPF_NEG: ("neg", ""),
    BPF_MISC | BPF_TAX: ("tax", ""),
    BPF_MISC | BPF_TXA: ("txa", ""),
    **{BPF_JMP | op | BPF_K: (word, "#0x%x") for op, word in _JUMPS.items()},
    **{BPF_JMP | op | BPF_X: (word, "x") for op, word in _JUMPS.items()},
    **{BPF_ALU | op | BPF_K: form for op, form in _ALU_K.items()},
    **{BPF_ALU | op | BPF_X: (form[0], "x") for op, form in _ALU_K.items()},
}
# Offsets into the packet are printed signed: extensions lie at negative ones.
_SIGNED: Final = frozenset(
    (BPF_LD | size | mode) for size in (BPF_W, BPF_H, BPF_B) for mode in (BPF_ABS, BPF_IND)
) | {BPF_RET | BPF_K}


def _signed(k: int) -> int:
    return k - (1 << 32) if k & 0x80000000 else k


def bpf_image(insn: Insn, number: int) -> str:
    r"""Return the line of one instruction in a listing, without its newline.

    >>> bpf_image(Insn(0x15, 0, 1, 0x800), 1)
    '(001) jeq      #0x800           jt 2\tjf 3'
    """
    form = _FORMS.get(insn.code)
    if form is None:
        mnemonic, operand = "unimp", f"0x{insn.code:x}"
    else:
        mnemonic, operand = form
        if insn.code == BPF_JMP | BPF_JA:
            operand = str(number + 1 + _signed(insn.k))
        elif "%" in operand:
            hexadecimal = "%x" in operand
            operand %= insn.k if hexadecimal else _signed(insn.k)
    if insn.code & 7 == BPF_JMP and insn.code & 0xF0 != BPF_JA:
        return (
            f"({number:03d}) {mnemonic:<8} {operand:<16} "
            f"jt {number + 1 + insn.jt}\tjf {number + 1 + insn.jf}"
        )
    return f"({number:03d}) {mnemonic:<8} {operand}"


class Program:
    """A compiled filter.

    insns  its instructions
    """

    def __init__(self, insns: list[Insn]) -> None:
        self.insns = insns

    def dump(self, mode: int) -> str:
        """Return the listing of -d (1), -dd (2) or -ddd (3)."""
        if mode <= 1:
            return "".join(f"{bpf_image(one, at)}\n" for at, one in enumerate(self.insns))
        if mode == 2:
            return "".join(
                f"{{ 0x{one.code:x}, {one.jt}, {one.jf}, 0x{one.k:08x} }},\n" for one in self.insns
            )
        lines = [str(len(self.insns))]
        lines += [f"{one.code} {one.jt} {one.jf} {one.k}" for one in self.insns]
        return "\n".join(lines) + "\n"

    def pack(self) -> bytes:
        """Return the instructions as BIOCSETF wants them."""
        return b"".join(INSN.pack(*one) for one in self.insns)

    def __len__(self) -> int:
        return len(self.insns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.insns == other.insns

    __hash__ = None  # type: ignore[assignment]


def unpack(octets: bytes) -> Program:
    """Return the program that pack() made. Raises ValueError for a length that is no multiple."""
    if len(octets) % INSN.size:
        raise ValueError("not a whole number of instructions")
    return Program([Insn(*fields) for fields in INSN.iter_unpack(octets)])
