"""route(8): change and show the routing table, or watch it."""

from __future__ import annotations

from collections.abc import Sequence

from cmds._bsd import command, err_of, flag, operands, program
from cmds.route.addrs import BadValue, Request, UsageError
from cmds.route.session import Options, Session
from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx

USAGE = "Usage: route [ -fnqSsv ] cmd [[ -<qualifers> ] args ]"


def entry(argv: Sequence[str], ctx: Ctx) -> int:
    """Run, or step aside for the host's own route."""
    from cmds._handover import handover, not_ours

    if not_ours(ctx):
        handover(ctx, argv)
    return run.run(argv, ctx)


@command(usage=USAGE)
@flag("-d", "debugonly")
@flag("-f", "flush")
@flag("-n", "numeric")
@flag("-q", "quiet")
@flag("-S", "spaced")
@flag("-s", "short")
@flag("-t", "null")
@flag("-v", "verbose")
@operands
def run(
    ctx: Ctx,
    debugonly: bool,
    flush: bool,
    numeric: bool,
    quiet: bool,
    spaced: bool,
    short: bool,
    null: bool,
    verbose: bool,
    operands: tuple[str, ...],
) -> int:
    """Do one command."""
    err = err_of(ctx)
    options = Options(
        debugonly=debugonly,
        numeric=numeric,
        quiet=quiet,
        spaced=spaced,
        short=short,
        null=null,
        verbose=verbose,
    )
    if not operands and not (flush or any(vars_of(options))):
        return usage(ctx, None)
    try:
        session = Session(ctx, options)
    except NetError as exc:
        err.err(exc, "socket")
    try:
        return dispatch(session, list(operands), flush)
    except UsageError as exc:
        return usage(ctx, exc.word)
    except BadValue as exc:
        err.errx(str(exc))
    finally:
        session.close()


main = program("route", entry)


def vars_of(options: Options) -> list[bool]:
    """Return the option letters that were given."""
    return [getattr(options, name) for name in Options.__slots__]


def usage(ctx: Ctx, word: str | None) -> int:
    """Complain about *word*, print the usage; return the exit status."""
    if word is not None:
        err_of(ctx).warnx(f"botched keyword: {word}")
    return run.usage(ctx)


def dispatch(session: Session, words: list[str], flush: bool) -> int:
    """Do the command that *words* are. Raises UsageError, BadValue."""
    command = words[0] if words else "flush" if flush else ""
    if command in ("get", "change", "add", "delete"):
        if flush and session.flush([], doall=False):
            return 1
        request = Request(command, session.names, quiet=session.options.quiet, warn=session.warnx)
        request.parse(words[1:])
        return session.newroute(request)
    if command == "show":
        return session.show(words[1:])
    if command == "monitor":
        return session.monitor()
    if command in ("flush", "flushall"):
        return session.flush(words[1:], doall=command == "flushall")
    raise UsageError(command if words else None)
