"""pfctl(8): control the packet filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds.pfctl.session import DIALECT, OLD_DIALECT, Opts, Session
from libnet.conf.pfconf.base import (
    LOAD_ALL,
    LOAD_ALTQ,
    LOAD_FILTER,
    LOAD_NAT,
    LOAD_OPTIONS,
    LOAD_TABLES,
    OPTIMIZE_BASIC,
    OPTIMIZE_NONE,
    OPTIMIZE_PROFILE,
)
from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx

if TYPE_CHECKING:
    from cmds.pfctl.tables import Tables

USAGE: Final = """\
usage: pfctl [-AdeghmNnOqRrvz] [-a anchor] [-D macro=value] [-F modifier]
\t[-f file] [-i interface] [-K host | network] [-k host | network]
\t[-o level] [-p device] [-s modifier]
\t[-t table -T command [address ...]] [-x level]
"""
# Which dialect a file is in, when the stack does not say.
ENV_DIALECT: Final = "IOPKT_PF_DIALECT"

_FLUSH = ("nat", "queue", "rules", "Sources", "states", "info", "Tables", "osfp", "all")
_SHOW = ("nat", "queue", "rules", "Anchors", "Sources", "states", "info", "Interfaces", "labels",
         "timeouts", "memory", "Tables", "osfp", "all")  # fmt: skip
_TABLE = ("kill", "flush", "add", "delete", "load", "replace", "show", "test", "zero", "expire")
_DEBUG = ("none", "urgent", "misc", "loud")
_LEVELS = ("none", "basic", "profile")
_WITH_VALUE = "aDFfiKkopstTx"


def spell_out(argv: Sequence[str]) -> list[str]:
    """Return the options one by one, with an empty level for a -o that has none.

    The older pfctl has -o without argument, and scripts of both ages are about: -o takes the next
    word unless that begins with a dash or is not there.

    >>> spell_out(["-nof", "x"]), spell_out(["-o", "none", "-e"]), spell_out(["-o", "-f", "x"])
    (['-n', '-of', 'x'], ['-o', 'none', '-e'], ['-o', '', '-f', 'x'])
    """
    out: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--" or not word.startswith("-") or word == "-":
            return [*out, word, *rest]
        at = 1
        while at < len(word):
            letter = word[at]
            at += 1
            if letter not in _WITH_VALUE:
                out.append(f"-{letter}")
            elif at < len(word):
                out.append(f"-{letter}{word[at:]}")
                break
            elif letter == "o" and (not rest or rest[0].startswith("-")):
                out += ["-o", ""]
            else:
                out.append(f"-{letter}")
                if rest:
                    out.append(rest.pop(0))
    return out


def _lookup(word: str, words: Sequence[str]) -> str | None:
    """Return the first of *words* that *word* abbreviates."""
    return next((one for one in words if word and one.startswith(word)), None)


@command(usage=USAGE)
@flag("-A", "altq")
@flag("-d", "disable")
@flag("-e", "enable")
@flag("-g", "debug")
@flag("-h", "help_")
@flag("-m", "merge")
@flag("-N", "nat")
@flag("-n", "noaction")
@flag("-O", "options")
@flag("-q", "quiet")
@flag("-R", "rules")
@flag("-r", "usedns")
@flag("-z", "zero")
@option("-v", "verbose", count=True)
@option("-a", "anchor")
@option("-D", "macros", multiple=True)
@option("-F", "flush")
@option("-f", "file")
@option("-i", "interface")
@option("-K", "source_kill", multiple=True)
@option("-k", "state_kill", multiple=True)
@option("-o", "level")
@option("-p", "device")
@option("-s", "show")
@option("-T", "table_command")
@option("-t", "table")
@option("-x", "debug_level")
@operands
def run(ctx: Ctx, **given: object) -> int:
    """Do what the options ask, in the order that pfctl(8) has."""
    return Run(ctx, given).run()


class Run:
    """One run: checks the options, opens the device, does the work."""

    def __init__(self, ctx: Ctx, given: dict[str, object]) -> None:
        self.ctx, self.given = ctx, given
        self.err = err_of(ctx)
        self.opts = Opts()
        self.session = Session(ctx, self.opts)

    def _text(self, name: str) -> str | None:
        value = self.given[name]
        return value if isinstance(value, str) else None

    def _words(self, name: str) -> list[str]:
        value = self.given[name]
        return [str(one) for one in value] if isinstance(value, tuple) else []

    def _usage(self) -> int:
        return run.usage(self.ctx)

    def run(self) -> int:
        """Return the exit status."""
        if self.given["help_"] or not self._set_macros():
            return self._usage()
        words = {}
        for name, table, what in (
            ("flush", _FLUSH, "flush modifier"),
            ("show", _SHOW, "show modifier"),
            ("table_command", _TABLE, "table command"),
            ("debug_level", _DEBUG, "debug level"),
        ):
            given = self._text(name)
            if given is not None:
                word = words[name] = _lookup(given, table) or ""
                if not word:
                    self.err.warnx(f"Unknown {what} '{given}'")
                    return self._usage()
        for name, letter in (("state_kill", "k"), ("source_kill", "K")):
            if len(self._words(name)) > 2:
                self.err.warnx(f"can only specify -{letter} twice")
                return self._usage()
        if not self._set_level():
            return self._usage()
        rest = self._words("operands")
        if rest and "table_command" not in words:
            self.err.warnx(f"unknown command line argument: {rest[0]} ...")
            return self._usage()
        self._set_options(words)
        if not self._open(words):
            return 1
        return self._work(words, rest)

    def _set_macros(self) -> bool:
        for text in self._words("macros"):
            name, equal, value = text.rpartition("=")
            if equal:
                self.session.macros.set(name, value, persist=True)
            else:
                self.err.warnx(f"could not parse macro definition {text}")
        return True

    def _set_level(self) -> bool:
        level = self._text("level")
        if level is None:
            return True
        if level == "":
            self.opts.optimize = OPTIMIZE_BASIC
            return True
        word = _lookup(level, _LEVELS)
        if word is None:
            self.err.warnx(f"Unknown optimization '{level}'")
            return False
        self.opts.optimize = {
            "none": OPTIMIZE_NONE,
            "basic": OPTIMIZE_BASIC,
            "profile": OPTIMIZE_BASIC | OPTIMIZE_PROFILE,
        }[word]
        return True

    def _set_options(self, words: dict[str, str]) -> None:
        opts, given = self.opts, self.given
        opts.quiet, opts.noaction = bool(given["quiet"]), bool(given["noaction"])
        opts.debug, opts.merge = bool(given["debug"]), bool(given["merge"])
        opts.usedns, opts.clear_counters = bool(given["usedns"]), bool(given["zero"])
        verbose = given["verbose"]
        opts.verbose = min(verbose, 2) if isinstance(verbose, int) else 0
        opts.interface = self._text("interface")
        opts.device = self._text("device") or opts.device
        load = 0
        for name, bit in (
            ("altq", LOAD_ALTQ),
            ("nat", LOAD_NAT),
            ("rules", LOAD_FILTER),
            ("options", LOAD_OPTIONS),
        ):
            load |= bit if given[name] else 0
        if words.get("table_command") == "load":
            load |= LOAD_TABLES
            del words["table_command"]
        opts.load = load or LOAD_ALL
        anchor = self._text("anchor")
        if anchor:
            if anchor.endswith("*"):
                anchor = anchor[:-1].removesuffix("/")
                opts.recurse = True
            if len(anchor) >= 1024:
                self.err.errx(f"anchor name '{anchor}' too long")
            opts.anchor = anchor
            opts.load &= LOAD_FILTER | LOAD_NAT | LOAD_TABLES
        if opts.noaction:
            for name in ("flush", "show", "debug_level"):
                words.pop(name, None)

    # -- the device

    def _open(self, words: dict[str, str]) -> bool:
        session, opts = self.session, self.opts
        dialect = self.ctx.environ.get(ENV_DIALECT, "")
        try:
            session.dev = self.ctx.open(opts.device, writing=self._writes(words))
        except NetError as exc:
            if not opts.noaction:
                self.err.warn(exc, opts.device)
                return False
        if session.dev is not None:
            opts.dummy = opts.noaction
            if not dialect:
                session.dialect = self._stack_dialect()
            if not opts.noaction:
                session.altq = self._test_altq()
        if dialect in ("37", "42"):
            session.dialect = int(dialect)
        return True

    def _writes(self, words: dict[str, str]) -> bool:
        """Tell whether the device is to be opened for writing: by what the options ask for."""
        if self.opts.noaction:
            return False
        command = words.get("table_command")
        if command is not None:  # it decides alone, whatever else is asked for
            return command not in ("show", "test")
        changing = ("flush", "file", "state_kill", "source_kill", "debug_level")
        return bool(
            self.given["disable"]
            or self.given["enable"]
            or self.given["zero"]
            or any(self.given[name] for name in changing)
        )

    def _stack_dialect(self) -> int:
        from libnet.ioctl.pf import DIOCGETSTATUS, PfStatus

        try:
            status = self.session.ioctl(DIOCGETSTATUS, PfStatus())
        except NetError:
            return DIALECT
        return OLD_DIALECT if status.dialect == OLD_DIALECT else DIALECT

    def _test_altq(self) -> bool:
        from libnet.ioctl.pf import DIOCGETALTQS, PfIocAltq

        try:
            self.session.ioctl(DIOCGETALTQS, PfIocAltq())
        except NetError as exc:
            if exc.symbol != "ENODEV":
                self.err.err(exc, "DIOCGETALTQS")
            self.session.note("No ALTQ support in kernel\nALTQ related functions disabled")
            return False
        return True

    # -- the work

    def _work(self, words: dict[str, str], rest: list[str]) -> int:
        session, opts = self.session, self.opts
        acting = not opts.noaction
        status = 0
        if self.given["disable"] and acting:
            from cmds.pfctl import flush

            flush.disable(session)
        show = words.get("show")
        if show:
            self._show(show)
        if opts.clear_counters:
            self._clear_counters(showing=bool(show))
        if words.get("flush"):
            self._flush(words["flush"])
        self._kill()
        file = self._text("file")
        if "table_command" in words:
            status = self._table(words["table_command"], rest, file)
            file = None
        if file is not None and self._load(file):
            status = 1
        if self.given["enable"] and acting:
            from cmds.pfctl import flush

            flush.enable(session)
        level = words.get("debug_level")
        if level:
            from cmds.pfctl import flush

            flush.set_debug(session, level, _DEBUG.index(level))
        return status

    def _show(self, what: str) -> None:
        from cmds.pfctl import show

        session, opts = self.session, self.opts
        lister = show.RuleLister(session)
        if what in ("rules", "labels", "nat", "osfp", "all"):
            show.learn_fingerprints(session)
        if what == "all":
            opts.showall = True
            self._show_all(lister)
        elif what == "rules":
            lister.rules(opts.anchor, show.SHOW_RULES)
        elif what == "labels":
            lister.rules(opts.anchor, show.SHOW_LABELS)
        elif what == "nat":
            lister.nat(opts.anchor)
        elif what == "Anchors":
            show.show_anchors(session, opts.anchor)
        elif what == "Sources":
            show.show_sources(session)
        elif what == "Tables":
            self._tables().show_all()
        elif what == "queue":
            from cmds.pfctl.queues import Queues

            Queues(session).show()
        else:
            {
                "states": show.show_states,
                "info": show.show_status,
                "Interfaces": show.show_interfaces,
                "timeouts": show.show_timeouts,
                "memory": show.show_limits,
                "osfp": show.show_fingerprints,
            }[what](session)

    def _show_all(self, lister: object) -> None:
        from cmds.pfctl import show
        from cmds.pfctl.queues import Queues

        assert isinstance(lister, show.RuleLister)
        session, anchor = self.session, self.opts.anchor
        lister.nat(anchor)
        lister.rules(anchor, show.SHOW_RULES)
        Queues(session).show()
        show.show_states(session)
        show.show_sources(session)
        show.show_status(session)
        lister.rules(anchor, show.SHOW_LABELS)
        show.show_timeouts(session)
        show.show_limits(session)
        self._tables().show_all()
        show.show_fingerprints(session)

    def _clear_counters(self, *, showing: bool) -> None:
        session = self.session
        if session.dialect == OLD_DIALECT:
            from libnet.ioctl.pf import DIOCCLRRULECTRS

            session.must(DIOCCLRRULECTRS)
            session.note("pf: rule counters cleared")
        elif not showing:
            from cmds.pfctl.show import SHOW_NOTHING, RuleLister

            RuleLister(session).rules(self.opts.anchor, SHOW_NOTHING)

    def _refuse_reserved(self) -> None:
        anchor = self.opts.anchor
        if anchor.startswith("_") or "/_" in anchor:
            self.err.errx(
                "anchor names beginning with '_' cannot be modified from the command line"
            )

    def _flush(self, what: str) -> None:
        from cmds.pfctl import flush

        session, anchor = self.session, self.opts.anchor
        self._refuse_reserved()
        if what in ("rules", "all"):
            flush.clear_rules(session, anchor)
        if what in ("nat", "all"):
            flush.clear_nat(session, anchor)
        if what in ("Tables", "all"):
            self._tables().clear_all()
        everything = what == "all" and not anchor
        if what == "queue" or everything:
            flush.clear_altq(session)
        if what == "states" or everything:
            flush.clear_states(session)
        if what == "Sources" or everything:
            flush.clear_sources(session)
        if what == "info" or everything:
            flush.clear_status(session)
        if what == "osfp" or everything:
            flush.clear_fingerprints(session)
        if everything:
            flush.clear_interface_flags(session)

    def _kill(self) -> None:
        for name in ("state_kill", "source_kill"):
            words = self._words(name)
            if not words:
                continue
            from cmds.pfctl import flush

            if name == "state_kill":
                flush.kill_states(self.session, words)
            else:
                flush.kill_sources(self.session, words)

    def _tables(self, name: str = "") -> Tables:
        from cmds.pfctl.tables import Tables

        return Tables(self.session, name, self.opts.anchor)

    def _table(self, what: str, rest: list[str], file: str | None) -> int:
        from cmds.pfctl.tables import Usage

        try:
            return self._tables(self._text("table") or "").run(what, rest, file)
        except Usage:
            return self._usage()

    def _load(self, file: str) -> bool:
        """Load rules; tell whether something failed."""
        from cmds.pfctl import load

        session, opts = self.session, self.opts
        name = "stdin" if file == "-" else file
        try:
            text = session.env.read(file)
        except OSError as exc:
            self.err.err(exc, file)
        main = not opts.anchor and bool(opts.load & LOAD_OPTIONS)
        failed = False
        if main and not opts.merge and not opts.noaction:
            failed = not load.load_fingerprint_file(session, load.PF_OS)
        self._refuse_reserved()
        try:
            load.Loader(session, opts.anchor).run(text, name)
        except load.NotLoaded:
            raise SystemExit(1) from None
        if not opts.noaction and opts.load & LOAD_TABLES:
            from cmds.pfctl.tables import warn_collision

            warn_collision(session)
        return failed


def _start(argv: Sequence[str], ctx: Ctx) -> int:
    if not argv:
        return run.usage(ctx)
    return run.run(spell_out(argv), ctx)


main = program("pfctl", _start)
