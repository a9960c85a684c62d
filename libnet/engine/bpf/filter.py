"""The filter machine as bpf(4) uses it; capture programs use the same one (libnet.bpf)."""

from __future__ import annotations

from libnet.bpf.machine import (
    VALID,
    Code,
    Filter,
    bpf_filter,
    bpf_validate,
    goes_back,
    translate,
)

__all__ = ["VALID", "Code", "Filter", "bpf_filter", "bpf_validate", "goes_back", "translate"]
