"""MAC access lists of an access point (IEEE80211_MACCMD; NetBSD ieee80211_acl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_var import ACL_ALLOW, ACL_DENY, ACL_OPEN, MSG_ACL
from libnet.errors import NetError

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

ACL_MAX: Final = 1024  # addresses


class Acl:
    """The access list of one interface.

    policy  ACL_OPEN lets all in, ACL_ALLOW those listed, ACL_DENY all but those listed
    macs    the list
    """

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self.policy = ACL_OPEN
        self.macs: dict[bytes, None] = {}

    def check(self, mac: bytes) -> bool:
        """Tell whether *mac* may come in (acl_check)."""
        if self.policy == ACL_ALLOW:
            return mac in self.macs
        return self.policy != ACL_DENY or mac not in self.macs

    def add(self, mac: bytes) -> None:
        """Add an address. Raises EEXIST, ENOSPC, EINVAL for one that is none station's."""
        if len(mac) != 6 or mac[0] & 1:
            raise NetError("EINVAL")
        if mac in self.macs:
            self.ic.dprintf(MSG_ACL, f"ACL: add {ether_ntoa(mac)} failed, already present")
            raise NetError("EEXIST")
        if len(self.macs) >= ACL_MAX:
            raise NetError("ENOSPC")
        self.macs[mac] = None
        self.ic.dprintf(MSG_ACL, f"ACL: add {ether_ntoa(mac)}")

    def remove(self, mac: bytes) -> None:
        """Take an address off. Raises ENOENT."""
        if mac not in self.macs:
            raise NetError("ENOENT")
        del self.macs[mac]
        self.ic.dprintf(MSG_ACL, f"ACL: remove {ether_ntoa(mac)}")

    def flush(self) -> None:
        """Empty the list."""
        self.ic.dprintf(MSG_ACL, "ACL: free all")
        self.macs.clear()

    def set_policy(self, policy: int) -> None:
        """Choose ACL_OPEN, ACL_ALLOW or ACL_DENY. Raises EINVAL."""
        if policy not in (ACL_OPEN, ACL_ALLOW, ACL_DENY):
            raise NetError("EINVAL")
        self.ic.dprintf(MSG_ACL, f"ACL: set policy to {policy}")
        self.policy = policy

    def detach(self) -> None:
        """Be as if there had never been a list."""
        self.policy = ACL_OPEN
        self.macs.clear()
