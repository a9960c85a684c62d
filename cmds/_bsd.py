"""Click bent to getopt(3): options before operands, usage on standard error, exit 1.

A program is a function `run(ctx, …)` decorated as a click command and wrapped by `program()`; the
result is called with no arguments as a process (console_scripts) or with (argv, ctx) in a simulator.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import click

from libnet.libsocket.ctx import Ctx
from libnet.text.err import Err


class BsdCommand(click.Command):
    """A click.Command whose `usage` is the whole usage text and whose operands are left alone.

    usage      text printed after a wrong option, with its first word "usage: "
    bad_status exit status of a usage error
    """

    def __init__(
        self,
        *args: Any,
        usage: str = "",
        bad_status: int = 1,
        interspersed: bool = False,
        **kw: Any,
    ) -> None:
        kw.setdefault("add_help_option", False)
        kw.setdefault("context_settings", {"allow_interspersed_args": interspersed})
        super().__init__(*args, **kw)
        self.usage_text = usage
        self.bad_status = bad_status

    def run(self, argv: Sequence[str], ctx: Ctx) -> int:
        """Run with *argv* (no program name); return the exit status."""
        # Not click's own main(): it turns an interrupt into an Abort and an empty line.
        try:
            with self.make_context(ctx.prog, list(argv), obj=ctx) as run:
                result = self.invoke(run)
        except click.NoSuchOption as exc:
            name = exc.option_name
            word = name.lstrip("-") if name.startswith("--") else name[1:]
            ctx.stderr.write(f"{ctx.prog}: unknown option -- {word[:1] or '-'}\n")
            return self.usage(ctx)
        except click.BadOptionUsage as exc:
            word = exc.option_name.lstrip("-")
            ctx.stderr.write(f"{ctx.prog}: option requires an argument -- {word[:1]}\n")
            return self.usage(ctx)
        except click.UsageError as exc:
            ctx.stderr.write(f"{ctx.prog}: {exc.format_message()}\n")
            return self.usage(ctx)
        return result if type(result) is int else 0

    def usage(self, ctx: Ctx) -> int:
        """Print the usage text on standard error; return the exit status for it."""
        if self.usage_text:
            ctx.stderr.write(self.usage_text.rstrip("\n") + "\n")
        return self.bad_status


def command(usage: str, **kw: Any) -> Callable[[Callable[..., Any]], BsdCommand]:
    """Decorate `run(ctx, …)` as a BsdCommand; the function gets the Ctx first."""

    def wrap(func: Callable[..., Any]) -> BsdCommand:
        made = click.command(cls=BsdCommand, usage=usage, **kw)(click.pass_obj(func))
        assert isinstance(made, BsdCommand)
        return made

    return wrap


def flag(*names: str, **kw: Any) -> Callable[[Any], Any]:
    """Declare an option without argument; `flag("-a", "all_")` binds the parameter all_."""
    return click.option(*names, is_flag=True, **kw)


option = click.option
operands = click.argument("operands", nargs=-1, type=click.UNPROCESSED)


class Program:
    """A program by its name: callable as an entry point, or with (argv, ctx)."""

    def __init__(self, name: str, run: BsdCommand | Callable[[Sequence[str], Ctx], int]) -> None:
        self.name = name
        self._run = run.run if isinstance(run, BsdCommand) else run

    def __call__(self, argv: Sequence[str] | None = None, ctx: Ctx | None = None) -> int:
        """Run; return the exit status."""
        if ctx is None:
            return self._process()
        try:
            return self._run(list(argv or ()), ctx)
        except SystemExit as exc:
            return _status(exc, ctx.stderr)

    def _process(self) -> int:
        ctx = process_ctx(self.name)
        try:
            status = self._run(sys.argv[1:], ctx)
        except SystemExit as exc:
            status = _status(exc, sys.stderr)
        except KeyboardInterrupt:
            status = 130
        except BrokenPipeError:
            # The reader of our output has gone: say nothing more, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 141
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 141
        return status


def _status(exc: SystemExit, stderr: TextIO) -> int:
    if exc.code is None:
        return 0
    if isinstance(exc.code, int):
        return exc.code
    stderr.write(f"{exc.code}\n")
    return 1


def process_ctx(name: str) -> Ctx:
    """Return the Ctx of this process."""
    from libnet.loop.host import RealHost

    return Ctx(
        name,
        stdin=sys.stdin,
        stdout=sys.stdout,
        stderr=sys.stderr,
        environ=os.environ,
        host=RealHost(),
    )


def program(name: str, run: BsdCommand | Callable[[Sequence[str], Ctx], int]) -> Program:
    """Return the Program *name* that does *run*."""
    return Program(name, run)


def err_of(ctx: Ctx) -> Err:
    """Return err, errx, warn and warnx of the running program."""
    return Err(ctx.prog, ctx.stderr)
