"""netpy: run an unmodified Python program whose sockets are those of the box."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType, TracebackType
from typing import Any, Final, NoReturn

from cmds._bsd import process_ctx, program
from libnet.libsocket.ctx import Ctx

USAGE: Final = """\
usage: netpy [option ...] [-c command | -m module | file | -] [argument ...]
       The options are those of python3.
"""
# Options of the interpreter that take a value; the others are letters that may be joined.
_VALUED: Final = "WX"
_PLAIN: Final = "bBdEiIOPqRsSuvx"
_LONG_VALUED: Final = ("--check-hash-based-pycs",)
_TELLING: Final = (
    "-h",
    "-?",
    "--help",
    "-V",
    "--version",
    "--help-env",
    "--help-xoptions",
    "--help-all",
)
# What the interpreter runs in our place when it needs options of its own.
_BOOT: Final = "import sys;sys.path.insert(0,{root!r});from cmds.netpy import boot;boot()"


class Line:
    """A command line of python3, taken apart.

    options  of the interpreter     how   "-c", "-m", "file", "stdin" or "tell" (--version, …)
    what     code, module or file   rest  sys.argv[1:] of the program
    """

    def __init__(self, options: list[str], how: str, what: str, rest: list[str]) -> None:
        self.options, self.how, self.what, self.rest = options, how, what, rest


class BadLine(ValueError):
    """The command line is none; the message says why."""


def parse(argv: Sequence[str]) -> Line:
    """Take *argv* (without the program's name) apart as python3 does. Raises BadLine.

    >>> line = parse(["-uB", "-m", "http.server", "-b", "0.0.0.0"])
    >>> line.options, line.how, line.what, line.rest
    (['-uB'], '-m', 'http.server', ['-b', '0.0.0.0'])
    """
    options: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "-" or not word.startswith("-"):
            return Line(options, "stdin" if word == "-" else "file", word, words)
        if word in _TELLING or (word.startswith("-V") and set(word[1:]) == {"V"}):
            return Line([*options, word], "tell", "", words)
        if word in _LONG_VALUED:
            if not words:
                raise BadLine(f"argument expected for the {word} option")
            options += [word, words.pop(0)]
            continue
        if word == "--":
            if not words:
                break
            return Line(options, "file", words[0], words[1:])
        if word.startswith("--"):
            raise BadLine(f"unknown option {word}")
        found = _letters(word, words, options)
        if found is not None:
            how, what = found
            return Line(options, how, what, words)
    return Line(options, "stdin", "-", [])


def _letters(word: str, words: list[str], options: list[str]) -> tuple[str, str] | None:
    """Take one word of joined options; return (-c or -m, its value) when it has one."""
    plain = ""
    for at, letter in enumerate(word[1:], 1):
        if letter in _PLAIN:
            plain += letter
            continue
        if letter not in "cm" + _VALUED:
            raise BadLine(f"unknown option -{letter}")
        value = word[at + 1 :]
        if not value:
            if not words:
                raise BadLine(f"argument expected for the -{letter} option")
            value = words.pop(0)
        if plain:
            options.append(f"-{plain}")
        if letter in "cm":
            return f"-{letter}", value
        options += [f"-{letter}", value]
        return None
    if plain:
        options.append(f"-{plain}")
    return None


def run(argv: Sequence[str], ctx: Ctx) -> int:
    """Run a program, or become the interpreter that will."""
    try:
        line = parse(argv)
    except BadLine as exc:
        ctx.stderr.write(f"{ctx.prog}: {exc}\n{USAGE}")
        return 2
    if ctx.services is not None:
        # One interpreter has one module `socket`; in a world in memory it is the caller's own.
        ctx.stderr.write(f"{ctx.prog}: a program needs a process of its own: see box run\n")
        return 1
    if line.options or line.how == "tell":
        become(line, list(argv))
    return start(line, ctx.environ)


main = program("netpy", run)


def become(line: Line, argv: list[str]) -> NoReturn:
    """Turn this process into an interpreter with options, which then comes back to boot()."""
    sys.stdout.flush()
    sys.stderr.flush()
    head = [sys.executable, *line.options]
    if line.how == "tell":
        os.execv(sys.executable, head)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    os.execv(sys.executable, [*head, "-c", _BOOT.format(root=root), *argv])


def boot() -> None:
    """Go on in an interpreter that has the options already; exit with the program's status."""
    sys.path.pop(0)  # what become() has put there to find us
    line = parse(sys.argv[1:])
    sys.argv = ["netpy", *sys.argv[1:]]
    sys.exit(start(line, os.environ))


def start(line: Line, environ: Any) -> int:
    """Replace the sockets, then run the program; return its exit status."""
    from libnet.libsocket.pysocket import install, module
    from libnet.libsocket.resolver import Resolver

    ctx = process_ctx("netpy")
    install(module(ctx.box, environ.get("SOCK", ""), resolver=Resolver(ctx)))
    # Names of ours must not be found in place of the program's.
    for name in [name for name in sys.modules if name.partition(".")[0] == "cmds"]:
        if name != __name__:
            del sys.modules[name]
    safe = bool(getattr(sys.flags, "safe_path", False)) or bool(sys.flags.isolated)
    if line.how == "-c":
        return _guard(lambda: _command(line, safe=safe))
    if line.how == "-m":
        return _guard(lambda: _module(line, safe=safe))
    if line.how == "file":
        return _guard(lambda: _file(line, safe=safe))
    return _guard(lambda: _stdin(line, safe=safe))


def _guard(func: Any) -> int:
    """Run *func*; show what it raises as the interpreter would, without our own frames."""
    try:
        func()
    except SystemExit:
        raise
    except BaseException as exc:
        exc.__traceback__ = _trim(exc.__traceback__)
        sys.excepthook(type(exc), exc, exc.__traceback__)
        return 130 if isinstance(exc, KeyboardInterrupt) else 1
    return 0


def _trim(trace: TracebackType | None) -> TracebackType | None:
    """Return *trace* from the program's first frame on."""
    own = (__file__, "<frozen runpy>")
    rest = trace
    while rest is not None and rest.tb_frame.f_code.co_filename in own:
        rest = rest.tb_next
    return rest or trace


def _path(first: str, *, safe: bool) -> None:
    """Put *first* where the interpreter puts the program's directory: in place of ours."""
    own = os.path.dirname(os.path.abspath(sys.argv[0])) if os.sep in sys.argv[0] else ""
    if sys.path and sys.path[0] in (own, ""):
        sys.path.pop(0)
    if not safe:
        sys.path.insert(0, first)


def _main_module() -> ModuleType:
    """Return a new, empty __main__."""
    made = ModuleType("__main__")
    made.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = made
    return made


def _execute(source: str | bytes, name: str) -> None:
    made = _main_module()
    if name != "<string>" and name != "<stdin>":
        made.__dict__["__file__"] = name
        made.__dict__["__cached__"] = None
    exec(compile(source, name, "exec", dont_inherit=True), made.__dict__)


def _command(line: Line, *, safe: bool) -> None:
    _path("", safe=safe)
    sys.argv = ["-c", *line.rest]
    _execute(line.what + "\n", "<string>")


def _module(line: Line, *, safe: bool) -> None:
    import runpy

    _path(os.getcwd(), safe=safe)
    sys.argv = [line.what, *line.rest]
    try:
        runpy.run_module(line.what, run_name="__main__", alter_sys=True)
    except ImportError as exc:
        if exc.name is not None or not str(exc).startswith("No module named"):
            raise
        sys.exit(f"netpy: {exc}")  # runpy's own words for a module that is not there


def _file(line: Line, *, safe: bool) -> None:
    name = line.what
    if os.path.isdir(name) or name.endswith((".zip", ".pyz", ".pyc")):
        import runpy

        _path("", safe=True)
        sys.argv = [name, *line.rest]
        runpy.run_path(name, run_name="__main__")
        return
    try:
        with open(name, "rb") as file:
            source = file.read()
    except OSError as exc:
        text = f"can't open file {os.path.abspath(name)!r}: [Errno {exc.errno}] {exc.strerror}"
        sys.stderr.write(f"netpy: {text}\n")
        sys.exit(2)
    _path(os.path.dirname(os.path.realpath(name)), safe=safe)
    sys.argv = [name, *line.rest]
    _execute(source, name)


def _stdin(line: Line, *, safe: bool) -> None:
    _path("", safe=safe)
    sys.argv = [line.what if line.what == "-" and line.rest else "", *line.rest]
    if sys.stdin is not None and sys.stdin.isatty():
        import code

        made = _main_module()
        code.interact(f"Python {sys.version} in a box", local=made.__dict__, exitmsg="")
        return
    _execute(sys.stdin.buffer.read(), "<stdin>")
