"""waitfor: wait until a path exists."""

from __future__ import annotations

import errno
import os
import re
import stat

from cmds._bsd import command, err_of, operands, program
from libnet.errors import ERRNO
from libnet.libsocket.ctx import Ctx

USAGE = "usage: waitfor pathname [wait_time [poll_ms]]"

WAIT_S = 5.0
POLL_MS = 100


@command(usage=USAGE)
@operands
def run(ctx: Ctx, operands: tuple[str, ...]) -> int:
    """Poll until the path is there or the time is over."""
    if not 1 <= len(operands) <= 3:
        return run.usage(ctx)
    wait = WAIT_S if len(operands) < 2 else seconds(ctx, operands[1])
    poll = POLL_MS if len(operands) < 3 else milliseconds(ctx, operands[2])
    path = operands[0]
    limit = ctx.now() + wait
    while True:
        problem = missing(ctx.file(path))
        if not problem:
            return 0
        left = limit - ctx.now()
        if left <= 0:
            number = ERRNO.get(problem, (5, ""))[0]
            ctx.stderr.write(f'Unable to access "{path}" ({number})\n')
            return 1
        ctx.sleep(min(poll / 1000, left))


main = program("waitfor", run)


def seconds(ctx: Ctx, word: str) -> float:
    """Return a wait time: seconds, with one decimal digit at most."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]?)?", word):
        err_of(ctx).errx(f"{word}: invalid wait time")
    return float(word)


def milliseconds(ctx: Ctx, word: str) -> int:
    """Return a poll interval."""
    if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) == 0:
        err_of(ctx).errx(f"{word}: invalid poll time")
    return int(word)


def missing(path: str) -> str:
    """Return why *path* is not there, as an error symbol, or "" if it is.

    A device of a process that was killed leaves its socket behind; on the original the name goes
    with the process, so a socket at which nobody listens is not there.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as exc:
        return errno.errorcode.get(exc.errno or 0, "EIO")
    except ValueError:
        return "EINVAL"  # a NUL in the name
    return "ENOENT" if stat.S_ISSOCK(mode) and deserted(path) else ""


def deserted(path: str) -> bool:
    """Tell whether the Unix socket at *path* has no process any more."""
    import socket

    from libnet.sunaddr import unix_address

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        fd = None
        try:
            address, fd = unix_address(path)
            probe.connect(address)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False  # of another kind, or full: somebody is there
        finally:
            if fd is not None:
                os.close(fd)
    return False
