"""Every option and keyword is in the manual page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cmds.ifconfig.keywords import KEYWORDS

MAN = Path(__file__).parents[2] / "man" / "man8"


def words(page):
    return set(re.findall(r"[-\w]+", (MAN / page).read_text()))


def test_every_keyword_is_documented():
    known = words("ifconfig.8")
    # The page gives one rule for the capability words: - before, -rx or -tx after.
    plain = {
        re.sub(r"(-[rt]x)?$", "", word).removeprefix("-") if "csum" in word else word
        for word in KEYWORDS
    }
    assert plain - known == set()


@pytest.mark.parametrize(
    ("page", "options"),
    [("ifconfig.8", "AaCbdhLlmsuvz"), ("nicinfo.8", "rs"), ("if_up.8", "6ailmprs")],
)
def test_every_option_is_documented(page, options):
    text = (MAN / page).read_text()
    assert [o for o in options if f".It Fl {o}\n" not in text and f".It Fl {o} " not in text] == []
