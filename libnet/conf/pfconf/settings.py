"""Options, macros and tables of pf.conf(5)."""

from __future__ import annotations

from typing import NoReturn

from libnet.conf.pfconf.base import (
    LOAD_OPTIONS,
    LOAD_TABLES,
    OPTIMIZE_BASIC,
    OPTIMIZE_NONE,
    OPTIMIZE_PROFILE,
    Recover,
)
from libnet.conf.pfconf.expand import Expander
from libnet.conf.pfconf.fp import parse_pf_os
from libnet.conf.pfconf.hosts import BadAddress, packed, table_words
from libnet.conf.pfconf.lex import NEWLINE, STRING
from libnet.conf.pfconf.names import DEBUG_LEVELS, HINTS, LIMITS, TIMEOUT_INDEX
from libnet.conf.pfconf.nodes import Host
from libnet.conf.pfconf.printer import addr_text
from libnet.errors import from_host
from libnet.ioctl.pf import (
    PF_ADDR_DYNIFTL,
    PF_ADDR_NOROUTE,
    PF_ADDR_TABLE,
    PF_ADDR_URPFFAILED,
    PF_QNAME_SIZE,
    PF_TABLE_NAME_SIZE,
    PF_TAG_NAME_SIZE,
    PFR_TFLAG_CONST,
    PFR_TFLAG_PERSIST,
    PFRULE_DROP,
    PFRULE_GRBOUND,
    PFRULE_IFBOUND,
    PFRULE_RETURN,
)

OLD_NAME_SIZE = 16  # of tags and queues in the older dialect

# Sections of a file, in the order that they must have.
SECTION_OPTION, SECTION_SCRUB, SECTION_QUEUE, SECTION_NAT, SECTION_FILTER = range(1, 6)

# What may follow a rule in braces.
_AFTER_INLINE = frozenset({"}", "pass", "block", "anchor"})
_OPTIMIZERS = {
    "none": OPTIMIZE_NONE,
    "basic": OPTIMIZE_BASIC,
    "profile": OPTIMIZE_BASIC | OPTIMIZE_PROFILE,
}


class OptionStatements(Expander):
    """set, macro and table statements."""

    section: int
    require_order: bool
    blockpolicy: int
    default_statelock: int

    def in_order(self, section: int) -> bool:
        """Note that a statement of *section* comes; tell and return False if it is too late."""
        if self.require_order and self.section > section:
            self.error(
                "Rules must be in order: options, normalization, queueing, translation, filtering"
            )
            return False
        self.section = section
        return True

    def end_of_rule(self) -> None:
        """Make sure that nothing is left of a rule before it does anything."""
        kind = self.peek()
        if kind != NEWLINE and not (self.depth and kind in _AFTER_INLINE):
            self.syntax_error()

    def must_be_in_order(self, section: int) -> None:
        """Give up the statement if it comes too late."""
        if not self.in_order(section):
            self._raise()

    @property
    def qname_size(self) -> int:
        """How long a queue's name may be, and one."""
        return OLD_NAME_SIZE if self.old else PF_QNAME_SIZE

    def _raise(self) -> NoReturn:
        raise Recover

    def checked_tag(self, tag: str) -> str:
        """Return *tag*, or give up if it is too long."""
        size = OLD_NAME_SIZE if self.old else PF_TAG_NAME_SIZE
        if len(tag) >= size:
            self.give_up(f"tag too long, max {size - 1} chars")
        return tag

    def _verbose_out(self, text: str) -> None:
        if self.settings.verbose:
            self.out(text)

    # -- macros

    def macro(self) -> None:
        """Take `name = words`."""
        name = self.shift()
        self.expect("=")
        value = self.words()
        self.end_of_rule()
        self._verbose_out(f'{name} = "{value}"\n')
        self.macros.set(name, value)

    # -- options

    def option(self) -> None:
        """Take what follows set."""
        self.shift()
        kind = self.peek()
        method = _OPTIONS.get(kind)
        if method is None:
            self.syntax_error()
        self.shift()
        method(self)

    def _set_optimization(self) -> None:
        word = self.word()
        self.must_be_in_order(SECTION_OPTION)
        if not self.settings.load & LOAD_OPTIONS:
            return
        hints = HINTS.get(word.lower())
        if hints is None:
            self.warnx("Bad hint name." if self.old else "invalid state timeouts optimization")
            self.give_up(f"unknown optimization {word}")
        for name, seconds in hints:
            self._timeout(name, seconds)
        self._verbose_out(f"set optimization {word}\n")

    def _set_ruleset_optimization(self) -> None:
        word = self.words()
        level = _OPTIMIZERS.get(word)
        if level is None:
            self.give_up(f"unknown ruleset-optimization {word}")
        if self.settings.optimize is None and self.conf.optimize is None:
            self.conf.optimize = level

    def _timeout(self, name: str, seconds: int) -> bool:
        index = TIMEOUT_INDEX.get(name.lower())
        if index is None:
            self.warnx("Bad timeout name.")
            return False
        self.conf.timeouts[index] = seconds
        self.conf.timeouts_set.add(index)
        return True

    def _set_timeout(self) -> None:
        self.one_or_list(self._timeout_spec)

    def _timeout_spec(self) -> None:
        name = self.word()
        seconds = self.number()
        self.must_be_in_order(SECTION_OPTION)
        if not self.settings.load & LOAD_OPTIONS:
            return
        if not self._timeout(name, seconds):
            self.give_up(f"unknown timeout {name}")
        self._verbose_out(f"set timeout {name} {_signed(seconds)}\n")

    def _set_limit(self) -> None:
        self.one_or_list(self._limit_spec)

    def _limit_spec(self) -> None:
        name = self.word()
        limit = self.number()
        self.must_be_in_order(SECTION_OPTION)
        rows = dict(LIMITS[:3] if self.old else LIMITS)
        index = rows.get(name.lower())
        if index is None:
            self.warnx("Bad pool name.")
            self.give_up(f"unable to set limit {name} {limit}")
        self.conf.limits[index] = limit
        self.conf.limits_set.add(index)
        self._verbose_out(f"set limit {name} {_signed(limit)}\n")

    def _set_loginterface(self) -> None:
        name = self.word()
        self.must_be_in_order(SECTION_OPTION)
        if not self.settings.load & LOAD_OPTIONS:
            return
        self.conf.ifname = "" if name == "none" else name
        self._verbose_out(f"set loginterface {name}\n")

    def _set_hostid(self) -> None:
        number = self.number()
        if number == 0:
            self.give_up("hostid must be non-zero")
        if not self.settings.load & LOAD_OPTIONS:
            return
        self.conf.hostid = number
        self._verbose_out(f"set hostid 0x{number:08x}\n")

    def _set_block_policy(self) -> None:
        kind = self.peek()
        if kind not in ("drop", "return"):
            self.syntax_error()
        self.shift()
        self._verbose_out(f"set block-policy {kind}\n")
        self.must_be_in_order(SECTION_OPTION)
        self.blockpolicy = PFRULE_DROP if kind == "drop" else PFRULE_RETURN

    def _set_require_order(self) -> None:
        if self.accept("no"):
            value = False
        else:
            word = self.word()
            if word != "yes":
                self.give_up(f"invalid value '{word}', expected 'yes' or 'no'")
            value = True
        self._verbose_out(f"set require-order {'yes' if value else 'no'}\n")
        self.require_order = value

    def _set_fingerprints(self) -> None:
        name = self.word()
        shown = name if self.old else f'"{name}"'
        self._verbose_out(f"set fingerprints {shown}\n")
        self.must_be_in_order(SECTION_OPTION)
        if self.settings.anchor:
            return
        self.fps.flush()
        try:
            text = self.env.read(name)
        except OSError as exc:
            self.warnx(f"{name}: {from_host(exc).strerror}")
            self.give_up(f"error loading fingerprints {name}")
        found = []
        for one in parse_pf_os(text, name, self.say):
            self.fps.add(one)
            found.append(one)
        self.conf.events.append(("osfp", found))
        if self.settings.verbose > 1:
            self.out(f"Loaded {self.fps.count} passive OS fingerprints\n")

    def statelock(self) -> int | None:
        """Take if-bound, floating (or the older group-bound); None if it is none of them."""
        kind = self.peek()
        if kind == "if-bound":
            self.shift()
            return PFRULE_IFBOUND
        if kind == "floating":
            self.shift()
            return 0
        if kind == "group-bound":
            self.shift()
            return PFRULE_GRBOUND
        return None

    def _set_state_policy(self) -> None:
        word = self.peek()
        lock = self.statelock()
        if lock is None:
            self.syntax_error()
        self._verbose_out(f"set state-policy {word}\n")
        self.default_statelock = lock

    def _set_debug(self) -> None:
        word = self.word()
        self.must_be_in_order(SECTION_OPTION)
        if not self.settings.load & LOAD_OPTIONS:
            return
        if word not in DEBUG_LEVELS:
            self.warnx(f'unknown debug level "{word}"')
            self.give_up(f"error setting debuglevel {word}")
        self.conf.debug = DEBUG_LEVELS.index(word)
        self._verbose_out(f"set debug {word}\n")

    def _set_skip(self) -> None:
        ifaces = self.interface()
        load = self.settings.load & LOAD_OPTIONS
        if not ifaces and self.peek() != NEWLINE:
            self.syntax_error()
        if not ifaces or (len(ifaces) == 1 and not ifaces[0].neg and ifaces[0].name == "none"):
            self._verbose_out("set skip on none\n")
            if load:
                self.conf.events.append(("skip", "", False))
            return
        text = "set skip on {"
        failed = False
        for one in ifaces:
            text += f" {one.name}"
            if one.neg:
                self.error("skip on ! <interface> is not supported")
                failed = True
            elif load:
                self.conf.events.append(("skip", one.name, True))
        self._verbose_out(text + " }\n")
        if failed:
            self.give_up("error setting skip interface(s)")

    # -- tables

    def table(self) -> None:
        """Take a table statement; the event is ("table", name, flags, addresses, whether given)."""
        self.shift()
        self.expect("<")
        name = self.word()
        self.expect(">")
        flags = 0
        given = False
        parts: list[str | list[Host]] = []
        while True:
            kind = self.peek()
            if kind == STRING:
                word = self.shift()
                if word not in ("const", "persist"):
                    self.give_up(f"invalid table option '{word}'")
                flags |= PFR_TFLAG_CONST if word == "const" else PFR_TFLAG_PERSIST
            elif kind == "{":
                self.shift()
                given = True
                if not self.accept("}"):
                    parts.append(self._table_hosts())
            elif kind == "file":
                self.shift()
                parts.append(self.word())
                given = True
            else:
                break
        self.end_of_rule()
        if len(name) >= PF_TABLE_NAME_SIZE:
            self.give_up(f"table name too long, max {PF_TABLE_NAME_SIZE - 1} chars")
        if self.settings.load & LOAD_TABLES:
            self._define(name, flags, given, parts)

    def _table_hosts(self) -> list[Host]:
        hosts = self.host_list()
        for one in hosts:
            if one.type == PF_ADDR_DYNIFTL:
                self.give_up("dynamic addresses are not permitted inside tables")
            if one.type == PF_ADDR_TABLE:
                self.give_up("tables cannot contain tables")
            if one.type == PF_ADDR_NOROUTE:
                self.give_up('"no-route" is not permitted inside tables')
            if one.type == PF_ADDR_URPFFAILED:
                self.give_up('"urpf-failed" is not permitted inside tables')
            if one.type:
                self.give_up(f"unknown address type {one.type}")
        return hosts

    def _define(self, name: str, flags: int, given: bool, parts: list[str | list[Host]]) -> None:
        addrs: list[bytes] = []
        for part in parts:
            if isinstance(part, str):
                addrs += self._table_file(part)
                continue
            try:
                addrs += packed(part)
            except BadAddress:
                self.give_up("cannot create address buffer: Invalid argument")
        self._verbose_out(tabledef_text(name, flags, given, parts))
        line = self.lex.line
        self.conf.events.append(("table", name, flags, addrs, given, line))

    def _table_file(self, name: str) -> list[bytes]:
        try:
            text = self.env.read(name)
        except OSError as exc:
            self.give_up(f'cannot load "{name}": {from_host(exc).strerror}')
        addrs: list[bytes] = []
        for word in table_words(text):
            try:
                found = self.hosts.append(word, test=False)
            except BadAddress:
                self.give_up(f'cannot load "{name}": Invalid argument')
            if not found:
                self.give_up(f'file "{name}" contains bad data')
            addrs += found
        return addrs


def _signed(value: int) -> int:
    """Return an unsigned number as C's %d prints it."""
    return value - (1 << 32) if value >= 1 << 31 else value


def tabledef_text(name: str, flags: int, given: bool, parts: list[str | list[Host]]) -> str:
    """Return a table statement as -v prints it, lists that stand together as one."""
    text = f"table <{name}>"
    if flags & PFR_TFLAG_CONST:
        text += " const"
    if flags & PFR_TFLAG_PERSIST:
        text += " persist"
    inside = False
    for part in parts:
        if isinstance(part, str):
            text += (" }" if inside else "") + f' file "{part}"'
            inside = False
            continue
        text += "" if inside else " {"
        inside = True
        for one in part:
            text += (" !" if one.neg else " ") + addr_text(one.wrap(one.af), one.af, False)
    if inside:
        text += " }"
    if given and not parts:
        text += " { }"
    return text + "\n"


_OPTIONS = {
    "optimization": OptionStatements._set_optimization,
    "ruleset-optimization": OptionStatements._set_ruleset_optimization,
    "timeout": OptionStatements._set_timeout,
    "limit": OptionStatements._set_limit,
    "loginterface": OptionStatements._set_loginterface,
    "hostid": OptionStatements._set_hostid,
    "block-policy": OptionStatements._set_block_policy,
    "require-order": OptionStatements._set_require_order,
    "fingerprints": OptionStatements._set_fingerprints,
    "state-policy": OptionStatements._set_state_policy,
    "debug": OptionStatements._set_debug,
    "skip": OptionStatements._set_skip,
}
