"""pfctl -t T -T command, -s Tables and -F Tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmds.pfctl.load import table_strerror
from cmds.pfctl.session import Session
from cmds.pfctl.show import ctime
from libnet.addr import AF_INET6
from libnet.conf.pfconf.addr6 import ntop
from libnet.conf.pfconf.hosts import (
    BadAddress,
    HostReader,
    packed,
    split_modifiers,
    table_words,
)
from libnet.errors import NetError, from_host
from libnet.ioctl.pf import (
    DIOCRADDADDRS,
    DIOCRADDTABLES,
    DIOCRCLRADDRS,
    DIOCRCLRTABLES,
    DIOCRCLRTSTATS,
    DIOCRDELADDRS,
    DIOCRDELTABLES,
    DIOCRGETADDRS,
    DIOCRGETASTATS,
    DIOCRGETTABLES,
    DIOCRGETTSTATS,
    DIOCRSETADDRS,
    DIOCRTSTADDRS,
    PF_RESERVED_ANCHOR,
    PF_TABLE_NAME_SIZE,
    PFR_FB_MATCH,
    PFR_FB_NONE,
    PFR_FLAG_ADDRSTOO,
    PFR_FLAG_ALLRSETS,
    PFR_FLAG_DUMMY,
    PFR_FLAG_FEEDBACK,
    PFR_FLAG_REPLACE,
    PFR_TFLAG_ACTIVE,
    PFR_TFLAG_PERSIST,
    PfIocTable,
    PfrAddr,
    PfrTable,
    PfrTstats,
    unpack_addrs,
    unpack_astats,
)
from libnet.ioctl.registry import Ioctl

FEEDBACK = " MADCZX Y"
_FLAGS = "cpairh"
_FLAG_BITS = (0x02, 0x01, 0x04, 0x08, 0x10, 0x20)
# How many addresses go in one call; more are sent in parts where that does no harm.
CHUNK = 100000


class Usage(Exception):
    """The command line makes no sense."""


class TableError(Exception):
    """A call failed; why has been told."""


class Tables:
    """Table commands of one run."""

    def __init__(self, session: Session, name: str, anchor: str) -> None:
        self.session, self.opts = session, session.opts
        self.table = PfrTable(anchor, name)
        self.flags = PFR_FLAG_DUMMY if self.opts.noaction else 0

    # -- calling

    def _call(self, row: Ioctl, **fields: Any) -> PfIocTable:
        """Make a call, if there is a device; tell an error and raise TableError."""
        io = PfIocTable(table=self.table.copy(), flags=fields.pop("flags", self.flags), **fields)
        if self.opts.noaction and not self.opts.dummy:
            return io
        try:
            got = self.session.ioctl(row, io)
        except NetError as exc:
            self._perror(exc)
            raise TableError from None
        assert isinstance(got, PfIocTable)
        return got

    def _perror(self, exc: NetError) -> None:
        self.session.ctx.stderr.write(f"{self.session.ctx.prog}: {table_strerror(exc.symbol)}.\n")

    def _note(self, text: str) -> None:
        tail = " (dummy)." if self.opts.dummy else " (syntax only)." if self.opts.noaction else "."
        self.session.note(text + tail)

    def _feedback(self) -> int:
        return self.flags | (PFR_FLAG_FEEDBACK if self.opts.verbose else 0)

    # -- addresses

    def _addresses(self, words: Sequence[str], file: str | None, *, test: bool) -> list[bytes]:
        """Return the packed addresses of words and a file. Raises TableError after a message."""
        reader = HostReader(self.session.env, self.session.complain)
        found: list[bytes] = []
        for word in words:
            try:
                got = reader.append(word, test=test)
            except BadAddress:
                self.session.err.warn("EINVAL", f"cannot decode {word}")
                raise TableError from None
            if not got:
                raise TableError
            found += got
        if file is not None:
            found += self._file(reader, file, test=test)
        return found

    def _file(self, reader: HostReader, file: str, *, test: bool) -> list[bytes]:
        try:
            text = self.session.env.read(file)
        except OSError as exc:
            self.session.err.warn(from_host(exc), f"cannot load {file}")
            raise TableError from None
        found: list[bytes] = []
        for word in table_words(text):
            try:
                got = reader.append(word, test=test)
            except BadAddress:
                self.session.err.warn("EINVAL", f"cannot load {file}")
                raise TableError from None
            if not got:
                self.session.err.warnx(f"cannot load {file}: Unknown error: 0")
                raise TableError
            found += got
        return found

    def _in_parts(self, row: Ioctl, addrs: list[bytes]) -> tuple[list[PfIocTable], int]:
        """Send addresses in parts; return the answers and how many addresses there were."""
        answers = []
        for at in range(0, len(addrs), CHUNK) if addrs else (0,):
            part = addrs[at : at + CHUNK]
            answers.append(
                self._call(row, addrs=b"".join(part), size=len(part), flags=self._feedback())
            )
        return answers, len(addrs)

    def _print_changed(self, octets: bytes) -> None:
        if not self.opts.verbose:
            return
        for addr in unpack_addrs(octets):
            if self.opts.verbose > 1 or addr[4] != PFR_FB_NONE:
                self.session.out(self._addr(addr))

    def _addr(self, addr: PfrAddr, matched: PfrAddr | None = None) -> str:
        af, value, net, neg, fback = addr
        if matched is not None:
            fback = matched[4]
        letter = FEEDBACK[fback] if fback < len(FEEDBACK) else "?"
        text = f"{letter} {'!' if neg else ' '}{_prefix(af, value, net)}"
        if matched is not None:
            if fback == PFR_FB_NONE:
                text += "\t nomatch"
            else:
                sign = "!" if matched[3] else " "
                text += f"\t{sign}{_prefix(matched[0], matched[1], matched[2])}"
        if self.opts.usedns and net == (128 if af == AF_INET6 else 32):
            name = self.session.env.hostname(af, value)
            if name:
                text += f"\t({name})"
        return text + "\n"

    # -- commands

    def run(self, command: str, words: Sequence[str], file: str | None) -> int:
        """Do one command; return the exit status. Raises Usage."""
        if not self.table.name or len(self.table.name) >= PF_TABLE_NAME_SIZE:
            raise Usage
        alone = command in ("kill", "flush", "show", "zero")
        if (alone and (words or file is not None)) or (command == "expire" and file is not None):
            raise Usage
        if command == "expire" and len(words) != 1:
            raise Usage
        try:
            return {
                "kill": self._kill,
                "flush": self._flush,
                "add": self._add,
                "delete": self._delete,
                "replace": self._replace,
                "show": self._show,
                "test": self._test,
                "zero": self._zero,
                "expire": self._expire,
            }[command](words, file)
        except TableError:
            return 255

    def _kill(self, _words: Sequence[str], _file: str | None) -> int:
        got = self._call(DIOCRDELTABLES, tables=[self.table])
        self._note(f"{got.ndel} table deleted")
        return 0

    def _flush(self, _words: Sequence[str], _file: str | None) -> int:
        got = self._call(DIOCRCLRADDRS)
        self._note(f"{got.ndel} addresses deleted")
        return 0

    def _create(self) -> bool:
        """Make the table if it is not there; tell whether that is all there is to do."""
        wanted = PfrTable(self.table.anchor, self.table.name, PFR_TFLAG_PERSIST)
        try:
            got = self.session.ioctl(
                DIOCRADDTABLES, PfIocTable(tables=[wanted], flags=self.flags)
            ) if not self.opts.noaction or self.opts.dummy else PfIocTable()  # fmt: skip
        except NetError as exc:
            if exc.symbol != "EPERM":
                self._perror(exc)
                raise TableError from None
            return False
        if not got.nadd:
            return False
        if not self.opts.noaction:
            warn_collision(self.session, self.table.name)
        self._note(f"{got.nadd} table created")
        return self.opts.noaction

    def _add(self, words: Sequence[str], file: str | None) -> int:
        addrs = self._addresses(words, file, test=False)
        if self._create():
            return 0
        answers, total = self._in_parts(DIOCRADDADDRS, addrs)
        self._note(f"{sum(one.nadd for one in answers)}/{total} addresses added")
        for one in answers:
            self._print_changed(one.addrs)
        return 0

    def _delete(self, words: Sequence[str], file: str | None) -> int:
        addrs = self._addresses(words, file, test=False)
        answers, total = self._in_parts(DIOCRDELADDRS, addrs)
        self._note(f"{sum(one.ndel for one in answers)}/{total} addresses deleted")
        for one in answers:
            self._print_changed(one.addrs)
        return 0

    def _replace(self, words: Sequence[str], file: str | None) -> int:
        addrs = self._addresses(words, file, test=False)
        if self._create():
            return 0
        got = self._call(
            DIOCRSETADDRS, addrs=b"".join(addrs), size=len(addrs), flags=self._feedback()
        )
        for count, what in (
            (got.nadd, "added"),
            (got.ndel, "deleted"),
            (got.nchange, "changed"),
        ):
            if count:
                self._note(f"{count} addresses {what}")
        if not (got.nadd or got.ndel or got.nchange):
            self._note("no changes")
        self._print_changed(got.addrs)
        return 0

    def _astats(self) -> list[tuple[PfrAddr, list[int], list[int], int]]:
        found: list[tuple[PfrAddr, list[int], list[int], int]] = []
        while True:
            got = self._call(DIOCRGETASTATS, first=len(found))
            part = unpack_astats(got.astats)
            found += part
            if not part or len(found) >= got.size:
                return found

    def _expire(self, words: Sequence[str], _file: str | None) -> int:
        text = words[0]
        if not (text.isascii() and text.isdigit()):
            self.session.fatal("expiry time: invalid")
        if int(text) > 0xFFFFFFFF:
            self.session.fatal("expiry time: too large")
        now = int(self.session.ctx.wall())
        from libnet.ioctl.pf import pack_addr

        old = [
            pack_addr(*addr[:4])
            for addr, _packets, _octets, tzero in self._astats()
            if now - tzero > int(text)
        ]
        answers, total = self._in_parts(DIOCRDELADDRS, old)
        self._note(f"{sum(one.ndel for one in answers)}/{total} addresses expired")
        for one in answers:
            self._print_changed(one.addrs)
        return 0

    def _show(self, _words: Sequence[str], _file: str | None) -> int:
        if not self.opts.verbose:
            got = self._call(DIOCRGETADDRS)
            addrs = unpack_addrs(got.addrs)
            if self.session.env.fixture and self.table.anchor == PF_RESERVED_ANCHOR:
                addrs = self._fixture_addrs()
            for addr in addrs:
                self.session.out(self._addr(addr))
            return 0
        for addr, packets, octets, tzero in self._astats():
            text = self._addr(addr) + f"\tCleared:     {ctime(tzero)}"
            at = 0
            for way in ("In", "Out"):
                for what in ("Block", "Pass"):
                    text += _counters(f"{way}/{what}:", packets[at], octets[at])
                    at += 1
            self.session.out(text)
        return 0

    def _fixture_addrs(self) -> list[PfrAddr]:
        """Return the addresses of a dynamic table in the fixture: the only source of interfaces."""
        word, _, length = self.table.name.partition("/")
        split = split_modifiers(word)
        reader = HostReader(self.session.env, self.session.complain)
        hosts = [] if split is None else reader.lookup(*split)
        for one in hosts:
            if length:
                one.set_ipmask(int(length))
        return sorted(set(unpack_addrs(b"".join(packed(hosts)))))

    def _test(self, words: Sequence[str], file: str | None) -> int:
        addrs = self._addresses(words, file, test=True)
        flags = self.flags | (PFR_FLAG_REPLACE if self.opts.verbose > 1 else 0)
        got = self._call(DIOCRTSTADDRS, addrs=b"".join(addrs), size=len(addrs), flags=flags)
        self._note(f"{got.nadd}/{len(addrs)} addresses match")
        answered = unpack_addrs(got.addrs)
        if self.opts.verbose > 1:
            for asked, answer in zip(unpack_addrs(b"".join(addrs)), answered, strict=False):
                self.session.out(self._addr(asked, answer))
        elif self.opts.verbose:
            for addr in answered:
                if addr[4] == PFR_FB_MATCH:
                    self.session.out(self._addr(addr))
        return 2 if got.nadd < len(addrs) else 0

    def _zero(self, _words: Sequence[str], _file: str | None) -> int:
        got = self._call(DIOCRCLRTSTATS, tables=[self.table], flags=self.flags | PFR_FLAG_ADDRSTOO)
        self._note(f"{got.nadd} table/stats cleared")
        return 0

    # -- all tables

    def clear_all(self) -> int:
        """Delete the tables of the anchor."""
        try:
            got = self._call(DIOCRCLRTABLES)
        except TableError:
            return 255
        self._note(f"{got.ndel} tables deleted")
        return 0

    def show_all(self) -> int:
        """List the tables of the anchor."""
        try:
            rows: list[tuple[PfrTable, PfrTstats | None]]
            if self.opts.verbose > 1:
                rows = [(one.t, one) for one in self._call(DIOCRGETTSTATS).tstats]
            else:
                rows = [(one, None) for one in self._call(DIOCRGETTABLES).tables]
        except TableError:
            return 255
        if self.opts.showall and rows:
            self.session.title("TABLES:")
        for table, stats_ in rows:
            if self.opts.debug or table.flags & PFR_TFLAG_ACTIVE:
                text = table_text(table, verbose=bool(self.opts.verbose))
                self.session.out(text + (tstats_text(stats_) if stats_ else ""))
        return 0


def _prefix(af: int, addr: int, net: int) -> str:
    text = ntop(af, addr)
    return text if net >= (128 if af == AF_INET6 else 32) else f"{text}/{net}"


def _counters(name: str, packets: int, octets: int) -> str:
    return f"\t{name:<12} [ Packets: {packets:<18} Bytes: {octets:<18} ]\n"


def table_text(table: PfrTable, *, verbose: bool) -> str:
    """Return the line of one table: its name, with -v its flags and anchor too."""
    if not verbose:
        return f"{table.name}\n"
    flags = "".join(
        letter if table.flags & bit else "-" for letter, bit in zip(_FLAGS, _FLAG_BITS, strict=True)
    )
    return f"{flags}\t{table.name}" + (f"\t{table.anchor}" if table.anchor else "") + "\n"


def tstats_text(stats: PfrTstats) -> str:
    """Return the lines that -vv adds to a table."""
    rules, anchors = stats.refcnt
    text = (
        f"\tAddresses:   {stats.cnt}\n"
        f"\tCleared:     {ctime(stats.tzero)}"
        f"\tReferences:  [ Anchors: {anchors:<18} Rules: {rules:<18} ]\n"
        f"\tEvaluations: [ NoMatch: {stats.nomatch:<18} Match: {stats.match:<18} ]\n"
    )
    at = 0
    for way in ("In", "Out"):
        for what in ("Block", "Pass", "XPass"):
            text += _counters(f"{way}/{what}:", stats.packets[at], stats.bytes[at])
            at += 1
    return text


def warn_collision(session: Session, only: str | None = None) -> None:
    """Warn of tables of anchors that hide one of the main ruleset."""
    try:
        got = session.ioctl(DIOCRGETTABLES, PfIocTable(flags=PFR_FLAG_ALLRSETS))
    except NetError as exc:
        session.err.err(exc, "pfr_get_tables")
    main = set()
    hidden = []
    for table in sorted(got.tables, key=lambda one: (one.name, one.anchor)):
        if not table.flags & PFR_TFLAG_ACTIVE or (only is not None and table.name != only):
            continue
        if not table.anchor:
            main.add(table.name)
        elif table.name in main:
            main.discard(table.name)
            hidden.append(table.name)
    if len(hidden) == 1:
        session.err.warnx(f"warning: namespace collision with <{hidden[0]}> global table.")
    elif hidden:
        session.err.warnx(f"warning: namespace collisions with {len(hidden)} global tables.")
