"""The router of these tests."""

from __future__ import annotations

import pytest

from tests.engine.pf.pflab import PfLab


@pytest.fixture
def lab():
    """Return a router with pf enabled and no rules."""
    return PfLab()
