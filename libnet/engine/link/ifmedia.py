"""ifmedia(9): what media an interface has, which is chosen, which is in use."""

from __future__ import annotations

from collections.abc import Callable

from libnet.errors import NetError
from libnet.ioctl.ifflags import IFM_IMASK, IFM_MMASK, IFM_NMASK, IFM_OMASK, IFM_TMASK
from libnet.ioctl.sockio import IfMediaReq

_MATCH = IFM_NMASK | IFM_TMASK | IFM_OMASK | IFM_MMASK | IFM_IMASK | 0x0FF00000


class Ifmedia:
    """The media of one interface.

    words    supported media words, in the order they are listed
    cur      the chosen word
    mask     bits that need not match
    change   called with the new word; raises NetError to refuse
    status   returns (status bits, active word)
    """

    def __init__(
        self,
        words: list[int],
        cur: int,
        change: Callable[[int], None],
        status: Callable[[], tuple[int, int]],
        *,
        mask: int = 0,
    ) -> None:
        self.words = words
        self.cur = cur
        self.change = change
        self.status = status
        self.mask = mask

    def set(self, word: int) -> None:
        """Choose *word* (SIOCSIFMEDIA). Raises ENXIO when the interface has no such medium."""
        care = _MATCH & ~self.mask
        for have in self.words:
            if have & care == word & care:
                break
        else:
            raise NetError("ENXIO")
        if word == self.cur:
            return
        old, self.cur = self.cur, word
        try:
            self.change(word)
        except NetError:
            self.cur = old
            raise

    def get(self, req: IfMediaReq) -> IfMediaReq:
        """Answer SIOCGIFMEDIA; the list only when the caller has room for it (count not 0)."""
        status, active = self.status()
        count = len(self.words)
        return IfMediaReq(
            req.name,
            self.cur,
            self.mask,
            status,
            active,
            count,
            list(self.words[: req.count]) if req.count else [],
        )
