"""ksh: a Korn shell for start-up scripts, made of what the host has."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cmds._bsd import program
from libnet.libsocket.ctx import Ctx


def run(argv: Sequence[str], ctx: Ctx) -> int:
    """Become the shell of the host that comes nearest."""
    if ctx.services is not None:
        return in_memory(argv, ctx)
    from libnet.lab.boot import HOST_PATH
    from libnet.lab.ksh import shell_argv
    from libnet.lab.view import host_program

    path = ":".join((ctx.environ.get("PATH", ""), HOST_PATH))
    words = shell_argv(argv, path, host_program)
    ctx.stdout.flush()
    ctx.stderr.flush()
    try:
        os.execve(words[0], words, dict(ctx.environ))
    except OSError as exc:
        ctx.stderr.write(f"{ctx.prog}: {words[0]}: {exc.strerror}\n")
        return 126
    except ValueError:
        ctx.stderr.write(f"{ctx.prog}: Invalid argument\n")  # a NUL in a word
        return 126


def in_memory(argv: Sequence[str], ctx: Ctx) -> int:
    """Run a script, -c, or standard input by the shell of a box in memory; return the status."""
    from libnet.errors import from_host

    words = list(argv)
    if words[:1] == ["-c"] and len(words) > 1:
        text, words = words[1], words[2:] or [ctx.prog]
    elif words and words[0][:1] in ("-", "+"):
        ctx.stderr.write(f"{ctx.prog}: {words[0]}: a box in memory has a shell without options\n")
        return 2
    elif words:
        try:
            text = ctx.services.read(words[0])
        except (OSError, ValueError) as exc:
            why = from_host(exc).strerror if isinstance(exc, OSError) else "Invalid argument"
            ctx.stderr.write(f"{ctx.prog}: {words[0]}: {why}\n")
            return 127
    else:
        text, words = ctx.stdin.read(), [ctx.prog]
    return script(ctx, text, words)


def script(ctx: Ctx, text: str, words: Sequence[str]) -> int:
    """Run *text* by the shell of a box in memory; its $0, $1, … are *words*."""
    from libnet.lab.memory import Shell

    shell = Shell(ctx.services, b"", ctx.stdout, ctx.stderr)
    shell.variables |= {str(number): word for number, word in enumerate(words[:10])}
    shell.variables["#"] = str(len(words) - 1)
    return shell.run(text)


main = program("ksh", run)
