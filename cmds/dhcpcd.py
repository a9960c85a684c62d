"""dhcpcd: the name under which the guide calls the client, and by a slip the server too."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from cmds._bsd import program
from cmds.dhcp_client import main as client_main
from libnet.libsocket.ctx import Ctx

SERVER: Final = "cmds.dhcpd"
# Words that only the server has.
_SERVER_WORDS: Final = frozenset(("-cf", "-lf", "-pf", "-tf"))


def _run(argv: Sequence[str], ctx: Ctx) -> int:
    """Be the server when a word of *argv* is one of its file options, the client otherwise."""
    if _SERVER_WORDS.isdisjoint(argv):
        return client_main(argv, ctx)
    if find_spec(SERVER) is None:
        ctx.stderr.write(f"{ctx.prog}: this installation has no DHCP server\n")
        return 1
    status: int = import_module(SERVER).main(argv, ctx)
    return status


main = program("dhcpcd", _run)
