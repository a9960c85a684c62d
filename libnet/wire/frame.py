"""An Ethernet frame that its sender has not finished: offload marks as virtio-net's header has them.

Plain `bytes` are always complete frames, destination address to payload, without FCS.
"""

from __future__ import annotations

from typing import Final

CSUM_IP4: Final = 0x01  # IPv4 header checksum undone
CSUM_L4: Final = 0x02  # transport checksum undone: the field holds the pseudo-header sum


class Frame(bytes):
    """An Ethernet frame with offload marks.

    csum      CSUM_* bits of what is undone
    gso_size  octets of payload per segment when it is to be cut (TCP over IPv4), else 0
    """

    csum: int = 0
    gso_size: int = 0
