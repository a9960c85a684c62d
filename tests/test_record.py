"""Records: declared like dataclasses, checked like structs."""

from __future__ import annotations

import pytest

from libnet.record import Struct, struct_named


class RecordUnderTest(Struct):
    """A sample."""

    name: str
    value: int = 3
    items: list[int] = []


def test_fields_come_by_place_by_name_and_by_default():
    got = RecordUnderTest("a", items=[1])
    assert (got.name, got.value, got.items) == ("a", 3, [1])
    assert got == RecordUnderTest("a", 3, [1])
    assert got != RecordUnderTest("b", 3, [1])
    assert struct_named("RecordUnderTest") is RecordUnderTest


def test_a_default_list_is_not_shared():
    RecordUnderTest("a").items.append(1)
    assert RecordUnderTest("b").items == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: RecordUnderTest(),
        lambda: RecordUnderTest("a", 1, [], 4),
        lambda: RecordUnderTest("a", colour=1),
    ],
)
def test_what_does_not_fit_is_refused(make):
    with pytest.raises(TypeError):
        make()
