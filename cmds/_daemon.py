"""How a daemon goes into the background (daemon(3)); in the simulator as a job of its box."""

from __future__ import annotations

import os
from collections.abc import Callable

from libnet.libsocket.ctx import Ctx


def fork(ctx: Ctx) -> bool:
    """Return True in a child that leads a session of its own, False in the parent, whose work is done."""
    ctx.stdout.flush()
    ctx.stderr.flush()
    if os.fork():
        return False
    os.setsid()
    return True


def detach() -> None:
    """Let go of the terminal: the standard streams lead nowhere from now on."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)


def background(ctx: Ctx, serve: Callable[[], int]) -> int:
    """Have *serve()* go on where nobody waits for it; return the exit status of who started it."""
    if ctx.services is not None:
        # In the simulator there is one process: the rest of the program is a job of the box.
        ctx.services.start_job(ctx.prog, lambda _out, _err: serve())
        return 0
    if not fork(ctx):
        return 0
    detach()
    return serve()
