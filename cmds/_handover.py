"""Programs whose names the host has too: stepping aside for the host's own.

Two rules. mount, umount and hostname look at what they are asked for. The others (ping, arp, route,
netstat, sysctl, tcpdump, …) ask not_ours(): a shell in which neither IOPKT_BOX nor IOPKT_WORLD is
set, on a machine where no stack runs in the default box, is not using us.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx

EXTRA_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")


def in_process(ctx: Ctx) -> bool:
    """Tell whether *ctx* is this process's own, so that replacing the process is allowed."""
    return ctx.environ is os.environ and ctx.services is None


def not_ours(ctx: Ctx) -> bool:
    """Tell whether nothing says that the caller means a box: no variable, and no stack running."""
    if not in_process(ctx) or any(ctx.environ.get(k) for k in ("IOPKT_BOX", "IOPKT_WORLD", "SOCK")):
        return False
    if not os.path.exists(ctx.box.socket()):
        return True
    try:
        ctx.control("").close()
    except NetError:
        return True  # the socket of a stack that was killed
    return False


def _is_ours(path: str) -> bool:
    """Tell whether the program at *path* is a start script of this package."""
    try:
        if os.path.exists(sys.argv[0]) and os.path.samefile(path, sys.argv[0]):
            return True
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return False
    return head.startswith(b"#!") and b"from cmds." in head


def find_next(name: str, path: str) -> str | None:
    """Return the first program *name* on *path*, or in the usual places, that is not ours."""
    for directory in (*path.split(":"), *EXTRA_PATH):
        candidate = os.path.join(directory or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK) and not _is_ours(candidate):
            return candidate
    return None


def handover(ctx: Ctx, argv: Sequence[str]) -> NoReturn:
    """Become the host's own program of this name. Exits with 127 where there is none."""
    found = find_next(ctx.prog, ctx.environ.get("PATH", "")) if in_process(ctx) else None
    if found is None:
        ctx.stderr.write(f"{ctx.prog}: not for the stack, and the host has no {ctx.prog} to ask\n")
        raise SystemExit(127)
    env = dict(ctx.environ)
    if env.get("LD_LIBRARY_PATH") == "/lib/dll":
        del env["LD_LIBRARY_PATH"]  # ours, not the host's
    ctx.stdout.flush()
    ctx.stderr.flush()
    os.execve(found, [ctx.prog, *argv], env)
