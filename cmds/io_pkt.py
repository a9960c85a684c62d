"""io-pkt-v4, io-pkt-v4-hc, io-pkt-v6-hc: start a network stack.

The command line is not click's: an option's word may be followed by the word of its own options.
"""

from __future__ import annotations

from collections.abc import Sequence

from cmds._bsd import program
from libnet.libsocket.ctx import Ctx


def _run(variant: str, argv: Sequence[str], ctx: Ctx) -> int:
    if ctx.services is not None:
        status: int = ctx.services.start_stack(variant, list(argv), ctx)
        return status
    from libnet.lab.process import main

    return main(variant, argv, ctx.environ)


main_v4 = program("io-pkt-v4", lambda argv, ctx: _run("v4", argv, ctx))
main_v4_hc = program("io-pkt-v4-hc", lambda argv, ctx: _run("v4-hc", argv, ctx))
main_v6_hc = program("io-pkt-v6-hc", lambda argv, ctx: _run("v6-hc", argv, ctx))
