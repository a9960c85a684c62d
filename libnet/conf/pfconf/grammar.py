"""The statements of pf.conf(5) put together: text in, a Conf out.

The grammar is that of OpenBSD 4.2 (dialect 42); dialect 37 is OpenBSD 3.7's, which QNX 6.6 documents.
Not in either: include, match, divert-to, address ranges, nat-to and rdr-to.
"""

from __future__ import annotations

from libnet.conf.pfconf.base import Conf, Recover, Settings, TooDeep
from libnet.conf.pfconf.env import Env
from libnet.conf.pfconf.filter import FilterStatements
from libnet.conf.pfconf.fp import Fingerprints
from libnet.conf.pfconf.lex import EOF, NEWLINE, STRING, Macros
from libnet.conf.pfconf.nodes import Anchor
from libnet.ioctl.pf import PfAltq


class Parser(FilterStatements):
    """Reads one file."""

    def __init__(
        self,
        text: str,
        filename: str,
        env: Env,
        fps: Fingerprints,
        settings: Settings,
        macros: Macros,
    ) -> None:
        super().__init__(text, filename, env, fps, settings, macros)
        self.section = 0
        self.require_order = True
        self.blockpolicy = self.default_statelock = 0
        self.queue_names = []
        self.shown_altq = PfAltq()
        self.anchors: dict[str, Anchor] = {}
        self.stack = [self.conf.anchor, None]
        self.depth = self.brace_count = self.rule_nr = 0
        self.current = self.conf.anchor
        self.last_anchor = None

    def parse(self) -> Conf:
        """Read all statements. Raises Fatal."""
        while True:
            kind = self.peek()
            if kind == NEWLINE:
                self.shift()
                continue
            if kind == EOF:
                break
            try:
                self._statement(kind)
                self.expect(NEWLINE)
            except Recover:
                self.conf.failed = True
                # yacc has nowhere to recover to when the very first token fits nothing.
                lost = not (self.old or self.shifted or kind in _BEGINNINGS)
                if lost or not self.recover():
                    break
            except TooDeep:
                break
        if self.settings.verbose > 1:
            for name in self.macros.unused():
                self.say(f"warning: macro '{name}' not used")
        return self.conf

    def _statement(self, kind: str) -> None:
        method = _STATEMENTS.get(kind)
        if method is not None:
            method(self)
            return
        no = kind == "no"
        if no:
            self.shift()
            kind = self.peek()
        if kind == "scrub":
            self.scrub(no=no)
        elif kind in ("nat", "rdr"):
            self.translation(no=no)
        elif kind == "binat":
            self.binat(no=no)
        else:
            self.syntax_error()


_STATEMENTS = {
    "pass": Parser.filter_rule,
    "block": Parser.filter_rule,
    "anchor": Parser.anchor,
    "nat-anchor": Parser.nat_anchor,
    "rdr-anchor": Parser.nat_anchor,
    "binat-anchor": Parser.nat_anchor,
    "load": Parser.load_anchor,
    "antispoof": Parser.antispoof,
    "set": Parser.option,
    "table": Parser.table,
    "altq": Parser.altq,
    "queue": Parser.queue,
    STRING: Parser.macro,
}


_BEGINNINGS = frozenset(_STATEMENTS) | {"no", "scrub", "nat", "rdr", "binat"}


def parse(
    text: str,
    filename: str,
    env: Env,
    *,
    settings: Settings | None = None,
    fps: Fingerprints | None = None,
    macros: Macros | None = None,
) -> Conf:
    """Read pf.conf(5) text; errors are in the Conf. Raises Fatal for a label that grows too long.

    filename  what errors begin with
    """
    return Parser(
        text,
        filename,
        env,
        fps or Fingerprints(),
        settings or Settings(),
        macros or Macros(),
    ).parse()
