"""The checker, and the two machines: they agree on every checked program and every packet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.bpf.translate import MAX_REACH
from libnet.engine.bpf.filter import VALID, bpf_filter, bpf_validate, goes_back, translate
from libnet.ioctl.bpf import BPF_MAXINSNS

RET_K, RET_A = 0x06, 0x16
LD_IMM, LDX_IMM, LD_LEN = 0x00, 0x01, 0x80
LDB, LDH, LDW = 0x30, 0x28, 0x20
LDB_X, LDH_X = 0x50, 0x48
MSH = 0xB1
JA, JEQ, JGT, JGE, JSET = 0x05, 0x15, 0x25, 0x35, 0x45
TAX, TXA = 0x07, 0x87
ACCEPT = (RET_K, 0, 0, 0xFFFF)

PACKET = bytes(range(64))


def both(code, packet, wirelen=None):
    """Run a program on both machines; they must agree."""
    assert bpf_validate(code)
    wirelen = len(packet) if wirelen is None else wirelen
    plain = bpf_filter(code, packet, wirelen)
    made = translate(code)
    assert made(packet, wirelen) == plain
    assert made(packet, wirelen) == plain, "a second time, when the careful form exists"
    return plain


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ([ACCEPT], 0xFFFF),
        ([(RET_A, 0, 0, 0)], 0),
        ([(LDB, 0, 0, 5), (RET_A, 0, 0, 0)], 5),
        ([(LDH, 0, 0, 5), (RET_A, 0, 0, 0)], 0x0506),
        ([(LDW, 0, 0, 60), (RET_A, 0, 0, 0)], 0x3C3D3E3F),
        ([(LDW, 0, 0, 61), (RET_A, 0, 0, 0)], 0),
        ([(LDB, 0, 0, 64), ACCEPT], 0),
        ([(LDB, 0, 0, 0xFFFFFFFF), ACCEPT], 0),
        ([(LDX_IMM, 0, 0, 0xFFFFFFFF), (LDB_X, 0, 0, 2), ACCEPT], 0),
        ([(MSH, 0, 0, 63), (LDB_X, 0, 0, 3), (RET_A, 0, 0, 0)], 63),
        ([(LD_LEN, 0, 0, 0), (RET_A, 0, 0, 0)], 64),
        # A load that fails ends the program even if nobody reads what it loads.
        ([(LDB, 0, 0, 99), (LDB, 0, 0, 1), ACCEPT], 0),
        ([(LDX_IMM, 0, 0, 99), (LDB_X, 0, 0, 0), (LDB, 0, 0, 1), ACCEPT], 0),
        # Division by an X of zero returns 0; shifts of 32 and more give 0.
        ([(LD_IMM, 0, 0, 7), (0x3C, 0, 0, 0), ACCEPT], 0),
        ([(LD_IMM, 0, 0, 7), (0x9C, 0, 0, 0), ACCEPT], 0),
        ([(LD_IMM, 0, 0, 7), (0x64, 0, 0, 32), (RET_A, 0, 0, 0)], 0),
        ([(LD_IMM, 0, 0, 7), (LDX_IMM, 0, 0, 40), (0x7C, 0, 0, 0), (RET_A, 0, 0, 0)], 0),
        # Arithmetic is on 32 bits.
        ([(LD_IMM, 0, 0, 0xFFFFFFFF), (0x04, 0, 0, 2), (RET_A, 0, 0, 0)], 1),
        ([(LD_IMM, 0, 0, 1), (0x14, 0, 0, 2), (RET_A, 0, 0, 0)], 0xFFFFFFFF),
        ([(LD_IMM, 0, 0, 1), (0x84, 0, 0, 0), (RET_A, 0, 0, 0)], 0xFFFFFFFF),
        ([(LD_IMM, 0, 0, 0x10000), (0x24, 0, 0, 0x10001), (RET_A, 0, 0, 0)], 0x10000),
        # X keeps what A was, whatever becomes of A.
        (
            [(LDB, 0, 0, 9), (TAX, 0, 0, 0), (0x04, 0, 0, 1), (0x0C, 0, 0, 0), (RET_A, 0, 0, 0)],
            19,
        ),
        ([(LDB, 0, 0, 9), (0x02, 0, 0, 3), (LDB, 0, 0, 1), (0x60, 0, 0, 3), (RET_A, 0, 0, 0)], 9),
        # A jump over the bound of the program's own octets, and one that goes nowhere.
        ([(JA, 0, 0, 1), (RET_K, 0, 0, 1), (RET_K, 0, 0, 2)], 2),
        ([(LDB, 0, 0, 2), (JEQ, 0, 0, 2), (RET_A, 0, 0, 0)], 2),
    ],
)
def test_programs(code, kept):
    assert both(code, PACKET) == kept


@pytest.mark.parametrize(
    "code",
    [
        [],
        [(LD_IMM, 0, 0, 1)],
        [(JEQ, 1, 0, 0), ACCEPT],
        [(JEQ, 0, 1, 0), ACCEPT],
        [(JA, 0, 0, 1), ACCEPT],
        [(JA, 0, 0, 0xFFFFFFFF), ACCEPT],
        [(0x02, 0, 0, 16), ACCEPT],
        [(0x61, 0, 0, 16), ACCEPT],
        [(0x34, 0, 0, 0), ACCEPT],
        [(0x94, 0, 0, 0), ACCEPT],
        [(0xFF, 0, 0, 0), ACCEPT],
        [(0x18, 0, 0, 0), ACCEPT],
        [(LD_IMM, 0, 0, 0)] * BPF_MAXINSNS + [ACCEPT],
    ],
    ids=str,
)
def test_the_checker_refuses(code):
    assert not bpf_validate(code)


def test_a_full_program_is_taken():
    assert bpf_validate([(LD_IMM, 0, 0, 0)] * (BPF_MAXINSNS - 1) + [ACCEPT])


def test_a_loop_ends_and_only_passes_where_it_is_allowed():
    forever = [(JA, 0, 0, 0xFFFFFFFF), ACCEPT]
    assert not bpf_validate(forever)
    assert bpf_validate(forever, loops=True)
    assert goes_back(forever)
    assert translate(forever)(PACKET, 64) == 0


def test_a_field_far_out_gets_the_careful_form_only():
    code = [(LDB, 0, 0, MAX_REACH), ACCEPT]
    assert both(code, bytes(MAX_REACH + 1)) == 0xFFFF
    assert both(code, PACKET) == 0


SMALL = st.sampled_from([0, 1, 2, 3, 5, 13, 14, 15, 31, 32, 63, 64, 255, 256, 0x800, 0xFFFFFFFF])


@st.composite
def programs(draw):
    """Checked programs: any instructions, jumps forward and in reach."""
    size = draw(st.integers(1, 24))
    codes = sorted(VALID)
    out = []
    for at in range(size):
        left = size - at - 1
        op = draw(st.sampled_from(codes))
        k = draw(SMALL)
        jt = jf = 0
        if op in (0x60, 0x61, 0x02, 0x03):
            k %= 16
        elif op in (0x34, 0x94):
            k = k or 1
        elif op == JA:
            k = draw(st.integers(0, left))
        elif op & 7 == 5:
            jt, jf = draw(st.integers(0, left)), draw(st.integers(0, left))
        elif op & 7 == 0 and op & 0xE0 in (0x20, 0x40):
            k = draw(st.integers(0, 40))
        out.append((op, jt, jf, k))
    out.append(draw(st.sampled_from([(RET_A, 0, 0, 0), (RET_K, 0, 0, 96), (RET_K, 0, 0, 0)])))
    return out


@settings(max_examples=400, deadline=None)
@given(programs(), st.binary(max_size=48), st.integers(0, 70000))
def test_both_machines_agree(code, packet, wirelen):
    both(code, packet, wirelen)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(sorted(VALID)), st.integers(0, 0xFFFF)),
            st.integers(0, 255),
            st.integers(0, 255),
            st.integers(0, 0xFFFFFFFF),
        ),
        max_size=20,
    ),
    st.binary(max_size=32),
)
def test_anything_is_refused_or_runs(code, packet):
    if bpf_validate(code):
        both(code, packet)
