"""dhcpcd: the name under which the guide calls the client, and by a slip the server too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cmds._bsd import program
from libnet.libsocket.ctx import Ctx

# Words that only the server has.
_SERVER_WORDS: Final = frozenset(("-cf", "-lf", "-pf", "-tf"))


def _run(argv: Sequence[str], ctx: Ctx) -> int:
    """Be the server when a word of *argv* is one of its file options, the client otherwise."""
    if _SERVER_WORDS.isdisjoint(argv):
        from cmds.dhcp_client import main as client

        return client(argv, ctx)
    from cmds.dhcpd import main as server

    return server(argv, ctx)


main = program("dhcpcd", _run)
