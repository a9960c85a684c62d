"""For all tests.

Hypothesis is derandomized in CI, so that a run is what the sources make of it. Tests that start processes
or real peers mostly wait: they come first, so that the others have the processor meanwhile.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

PATIENCE_S = 300  # for one that waits for processes, on a machine that is busy

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("default", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_modifyitems(items):
    slow = {item for item in items if any(item.iter_markers("processes"))}
    slow |= {item for item in items if any(item.iter_markers("interop"))}
    for item in slow:
        item.add_marker(pytest.mark.timeout(PATIENCE_S))
    items.sort(key=lambda item: item not in slow)
