"""sysctl(8): get or set the stack's state by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._handover import handover, not_ours
from libnet.errors import NetError, from_host, strerror
from libnet.ioctl.sysctl import (
    CTL_CREATE,
    CTL_DESCRIBE,
    CTL_DESTROY,
    CTL_MAXNAME,
    CTL_QUERY,
    CTLFLAG_HEX,
    CTLFLAG_HIDDEN,
    CTLFLAG_READWRITE,
    CTLTYPE_INT,
    CTLTYPE_NODE,
    CTLTYPE_QUAD,
    CTLTYPE_STRING,
    CTLTYPE_STRUCT,
    SysctlNode,
)
from libnet.libsocket.ctx import Ctx

USAGE: Final = """\
usage:\tsysctl [-dne] [-x[x]|-r] variable ...
\tsysctl [-ne] [-q] -w variable=value ...
\tsysctl [-dne] -a
\tsysctl [-dne] -A
\tsysctl [-ne] -M
\tsysctl [-dne] [-q] -f file
"""

MAX_FILE: Final = 1 << 20  # characters of a -f file

_LEVELS: Final = (
    "top",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
_TYPES: Final = {
    CTLTYPE_NODE: "NODE",
    CTLTYPE_INT: "INT",
    CTLTYPE_STRING: "STRING",
    CTLTYPE_QUAD: "QUAD",
    CTLTYPE_STRUCT: "STRUCT",
}
# A flag's mask, the bits under it, and the word -M prints for them.
_FLAGS: Final = (
    (0x70, 0x00, "READONLY"),
    (0x70, 0x70, "READWRITE"),
    (0x80, 0x80, "ANYWRITE"),
    (0x100, 0x100, "PRIVATE"),
    (0x200, 0x200, "PERMANENT"),
    (0x400, 0x400, "OWNDATA"),
    (0x800, 0x800, "IMMEDIATE"),
    (0x1000, 0x1000, "HEX"),
    (0x2000, 0x2000, "ROOT"),
    (0x4000, 0x4000, "ANYNUMBER"),
    (0x8000, 0x8000, "HIDDEN"),
    (0x10000, 0x10000, "ALIAS"),
)
# Whose output shows what this program does not take apart.
_OTHERS: Final = (
    ("/net/inet6?/tcp6?/ident", "identd"),
    ("/net/inet6/icmp6/nd6_[dp]rlist", "ndp"),
    ("/net/key/dumps[ap]", "setkey"),
    ("/net/link/ieee80211/nodes", "wlanctl"),
    ("/net/[^/]+/[^/]+/pcblist", "netstat' or 'sockstat"),
    ("/net/inet6?/[^/]+/stats", "netstat"),
    ("/net/inet/multicast", "netstat"),
    ("/net/inet/mroute/.*", "netstat"),
    ("/net/route/(stats|rtable)", "netstat"),
    ("/net/link/bridge/stats", "netstat"),
    ("/net/bpf/(stats|peers)", "netstat"),
    ("/net/inet.*/tcp.*/deb.*", "trpt"),
    ("/kern/mbuf/stats", "netstat"),
    ("/kern/file2", "sockstat"),
)
# When there is nothing below such a node.
_EMPTY: Final = (
    ("/net/[^/]+", "use 'netstat' to view this information"),
    ("/debug", "missing 'options DEBUG' from kernel?"),
    ("/vendor", "no vendor extensions installed"),
)

# What sysctl(2) says when a node exists but has nothing to show now.
_SOFT: Final = frozenset(
    ("ENOENT", "ENOPROTOOPT", "ENOTDIR", "EINVAL", "EOPNOTSUPP", "EPROTONOSUPPORT")
)

_NUMBER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


class _NextAssignmentError(Exception):
    """A statement failed: with -f the next one is read, otherwise the program ends."""


def join_words(words: list[str]) -> list[str]:
    """Return the operands with `name = value`, `name= value` and `name =value` made one word each.

    >>> join_words(["a", "=", "1", "b=", "2", "c", "=3", "d=4", "e"])
    ['a=1', 'b=2', 'c=3', 'd=4', 'e']
    """
    out: list[str] = []
    open_ = False  # the last word of *out* still wants its value
    for word in words:
        if open_ and "=" not in word:
            out[-1] += word
            open_ = False
        elif word.startswith("=") and out and "=" not in out[-1]:
            out[-1] += word
            open_ = word == "="
        else:
            out.append(word)
            open_ = word.endswith("=") and word.count("=") == 1
    return out


def parse_file(text: str) -> list[tuple[int, str]]:
    """Return (line number, statement) of each statement in a -f file, as fparseln(3) reads it.

    A backslash at the end of a line joins the next one; `#` starts a comment unless a backslash is
    before it. The number is that of the statement's last line.
    """
    out: list[tuple[int, str]] = []
    held, lines = "", text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        cut = _unescaped(line, "#")
        if cut >= 0:
            line = line[:cut]
        elif line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2:
            held += line[:-1]
            if number < len(lines):
                continue
            line = ""
        statement, held = held + line, ""
        if statement.strip():
            out.append((number, statement))
    return out


def _unescaped(line: str, mark: str) -> int:
    at = line.find(mark)
    while at > 0:
        before = line[:at]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            break
        at = line.find(mark, at + 1)
    return at


def parse_number(text: str) -> int:
    """Return what strtouq(3) reads: an unsigned 64-bit number; a minus sign wraps round.

    Raises ValueError if *text* is no number, OverflowError if it is too large.
    """
    match = _NUMBER.match(text)
    if match is None or match.end() != len(text):
        raise ValueError(text)
    sign, digits = match.groups()
    if len(digits) > 80:
        raise OverflowError(text)
    if digits[:2] in ("0x", "0X"):
        value = int(digits, 16)
    else:
        value = int(digits, 8 if digits[0] == "0" else 10)
    if value >> 64:
        raise OverflowError(text)
    return -value % (1 << 64) if sign == "-" else value


def flag_words(flags: int) -> str:
    """Return the words of a node's flags, what has no word in hexadecimal.

    >>> flag_words(0x270)
    'READWRITE,PERMANENT'
    """
    words = []
    for mask, bits, word in _FLAGS:
        if flags & mask == bits and (bits or not flags & CTLFLAG_READWRITE):
            words.append(word)
    rest = flags & ~0x1FFF0
    if rest:
        words.append(f"{rest:x}")
    return ",".join(words)


def hex_dump(data: bytes) -> str:
    """Return the dump of -xx: offset, sixteen octets, the same as text, and the size."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        text = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in part)
        lines.append(f"{at:07d}  {part.hex(' '):<48} | {text:<17}|")
    return "\n".join([*lines, f"{len(data):07d} bytes\n"])


class Sysctl:
    """One run of the program."""

    def __init__(
        self,
        ctx: Ctx,
        *,
        all_hints: bool = False,
        describe: bool = False,
        tree: bool = False,
        numeric: int = 0,
        quiet: bool = False,
        raw: bool = False,
        write: bool = False,
        hex_: int = 0,
        eq: str = " = ",
        file: str | None = None,
    ) -> None:
        self.ctx = ctx
        self.all_hints, self.describe, self.tree = all_hints, describe, tree
        self.numeric, self.quiet, self.raw, self.write = numeric, quiet, raw, write
        self.hex, self.eq, self.file = hex_, eq, file
        self.line = 0
        self.asked = False  # a name was given: say why there is nothing to show
        self.sep = "."
        self._known: dict[tuple[int, ...], list[SysctlNode]] = {}
        try:
            self._control = ctx.control()
        except NetError as exc:
            err_of(ctx).err(exc, "socket")

    # -- the stack

    def sysctl(self, mib: list[int], new: Any = None) -> Any:
        """sysctl(3)."""
        return self._control.call("sysctl", mib, new)

    def children(self, mib: list[int]) -> list[SysctlNode]:
        """Return what is below a node, in ascending number."""
        key = tuple(mib)
        got = self._known.get(key)
        if got is None:
            try:
                got = self.sysctl([*mib, CTL_QUERY])
            except NetError as exc:
                if exc.symbol not in _SOFT:
                    raise
                got = []
            self._known[key] = got
        return got

    def descriptions(self, mib: list[int]) -> dict[int, str]:
        """Return the descriptions of the nodes below a node."""
        try:
            return dict(self.sysctl([*mib, CTL_DESCRIBE]))
        except NetError:
            return {}

    # -- messages

    def complain(self, text: str) -> None:
        """Print a message with the place in the -f file."""
        place = f"{self.file}#{self.line}: " if self.file is not None else ""
        self.ctx.stderr.write(f"{self.ctx.prog}: {place}{text}\n")

    def fail(self, text: str) -> None:
        """Print a message and give the statement up."""
        self.complain(text)
        raise _NextAssignmentError

    def soft(self, name: str, exc: NetError) -> None:
        """Say that a value could not be read; nothing when it was only met on the way."""
        if exc.symbol not in _SOFT:
            self.complain(f"{name}: sysctl() failed with {strerror(exc.symbol)}")
        elif self.all_hints or self.asked:
            self.complain(f"{name}: the value is not available")

    # -- names

    def lookup(self, key: str, full: str) -> tuple[list[int], str, SysctlNode]:
        """Return (numbers, full name, node) of a name; parts may be numbers."""
        parts = key.split(self.sep)
        if parts[0] == "" and len(parts) > 1:
            parts = parts[1:]
        mib: list[int] = []
        names: list[str] = []
        node: SysctlNode | None = None
        for level, part in enumerate(parts):
            below = [] if node is not None and node.type != CTLTYPE_NODE else self.children(mib)
            node = next((n for n in below if n.name == part), None)
            if node is None and part.isascii() and part.isdigit() and len(part) < 11:
                node = next((n for n in below if n.num == int(part)), None)
            if node is None:
                word = _LEVELS[min(level, CTL_MAXNAME - 1)]
                self.fail(f"{word} level name '{part}' in '{full}' is invalid")
                raise AssertionError
            mib.append(node.num)
            names.append(node.name)
        assert node is not None
        return mib, self.sep.join(names), node

    # -- statements

    def parse(self, word: str) -> None:
        """Carry out one `name` or `name=value`. Raises _NextAssignmentError after a message."""
        self.asked = True
        key, has_value, value = word.partition("=")
        if self.file is not None:
            key = key.strip()
        match = re.search("[./]", key)
        self.sep = match.group() if match else "."
        if key.startswith(self.sep * 2):
            self.request(word.strip() if self.file is not None else word)
            return
        mib, name, node = self.lookup(key, key)
        if not has_value:
            self.print_tree(mib, name, node, met=False)
            return
        if self.file is not None:
            value = value.lstrip()
        if not self.write:
            self.complain("Must specify -w to set variables")
            raise SystemExit(1)
        if node.type in (CTLTYPE_INT, CTLTYPE_QUAD):
            self.write_number(mib, name, node, value)
        elif node.type == CTLTYPE_STRING:
            self.write_string(mib, name, node, value)
        else:
            self.print_tree(mib, name, node, met=False)

    def request(self, word: str) -> None:
        """Carry out `//describe=name`, `//create=…` or `//destroy=…`."""
        sep = re.escape(self.sep)
        match = re.match(f"{sep}{sep}(create|destroy|describe)(?:=|{sep})(.*)", word, re.DOTALL)
        if match is None:
            self.complain(f"unable to parse '{word}'")
            return
        what, rest = match.groups()
        name, has_value, text = rest.partition("=" if what == "describe" else ",")
        if what == "describe" and not has_value:
            self.sep = "/" if "/" in name else "."
            mib, name, node = self.lookup(name, name)
            described, self.describe = self.describe, True
            self.print_tree(mib, name, node, met=False)
            self.describe = described
            return
        plural = {"create": "create nodes", "destroy": "destroy nodes"}
        if not self.write:
            self.complain(f"Must specify -w to {plural.get(what, 'set descriptions')}")
            raise SystemExit(1)
        self.sep = "/" if "/" in name else "."
        above, _, last = name.rpartition(self.sep)
        if what == "create":
            mib = self.lookup(above, above)[0] if above else []
            self.ask(name, [*mib, CTL_CREATE], [last, text])
        else:
            mib = self.lookup(name, name)[0]
            last_num = CTL_DESTROY if what == "destroy" else CTL_DESCRIBE
            self.ask(name, [*mib[:-1], last_num], mib[-1:] + ([text] if text else []))

    def ask(self, name: str, mib: list[int], arg: list[Any]) -> None:
        """Have the tree itself changed, which this stack refuses, and say what came of it."""
        word = {CTL_CREATE: "CTL_CREATE", CTL_DESTROY: "CTL_DESTROY", CTL_DESCRIBE: "CTL_DESCRIBE"}
        try:
            self.sysctl(mib, arg)
        except NetError as exc:
            self.fail(f"{name}: {word[mib[-1]]} failed: {strerror(exc.symbol)}")
        self._known.clear()

    def write_number(self, mib: list[int], name: str, node: SysctlNode, value: str) -> None:
        """Set an INT or a QUAD."""
        if self.file is not None:
            value = value.strip()
        try:
            number = parse_number(value)
        except ValueError:
            self.fail(f"{value}: not a number")
        except OverflowError:
            self.fail(f"{value}: {strerror('ERANGE')}")
        if node.type == CTLTYPE_INT:
            if number >> 32 not in (0, 0xFFFFFFFF):
                self.fail(f"{value}: {strerror('ERANGE')}")
            number &= 0xFFFFFFFF
            if number >> 31:
                number -= 1 << 32
        self.store(mib, name, node, number)

    def write_string(self, mib: list[int], name: str, node: SysctlNode, value: str) -> None:
        """Set a STRING."""
        if node.size and len(value.encode(errors="surrogateescape")) + 1 > node.size:
            self.fail(f"{value}: string too long")
        self.store(mib, name, node, value)

    def store(self, mib: list[int], name: str, node: SysctlNode, new: int | str) -> None:
        """Set a value and print the old and the new one."""
        try:
            old = self.sysctl(mib, new)
        except NetError as exc:
            self.fail(f"{name}: sysctl() failed with {strerror(exc.symbol)}")
        if self.quiet:
            return
        if self.raw:
            self.put(self.octets(node, new))
            return
        out = self.ctx.stdout
        if not self.numeric:
            out.write(f"{name}: ")
        if self.hex > 1:
            out.write("\n" + hex_dump(self.octets(node, old)))
            out.write(hex_dump(self.octets(node, new)))
            return
        out.write(f"{self.shown(node, old)} -> {self.shown(node, new)}\n")

    # -- printing

    def print_tree(
        self, mib: list[int], name: str, node: SysctlNode | None, *, met: bool = True
    ) -> None:
        """Print a node, and what is below it in ascending number.

        node  None for the root          met  whether it was met on the way and not named
        """
        if self.tree and node is not None:
            self.print_node(mib, name, node)
        if node is None or node.type == CTLTYPE_NODE:
            if self.describe and node is not None and self.all_hints:
                self.print_description(name, self.descriptions(mib[:-1]).get(node.num, ""))
            self.print_below(mib, name, node)
            return
        if self.tree:
            return
        if self.describe:
            text = self.descriptions(mib[:-1]).get(node.num, "")
            if text or self.all_hints or not met:
                self.print_description(name, text)
            return
        self.print_leaf(mib, name, node)

    def print_below(self, mib: list[int], name: str, node: SysctlNode | None) -> None:
        """Print what is below a node, or why there is nothing."""
        below = self.children(mib)
        if not below and node is not None:
            if self.describe or self.tree or not (self.all_hints or self.asked):
                return
            path = "/" + name.replace(self.sep, "/")
            for pattern, hint in _OTHERS:
                if re.fullmatch(pattern, path):
                    self.complain(f"{name}: use '{hint}' to view this information")
                    return
            for pattern, hint in _EMPTY:
                if re.fullmatch(pattern, path):
                    self.complain(f"{name}: {hint}")
                    return
            self.ctx.stdout.write(f"{name}: no children\n")
            return
        asked, self.asked = self.asked, False
        texts = self.descriptions(mib) if self.describe else {}
        for child in below:
            if child.flags & CTLFLAG_HIDDEN and not self.all_hints:
                continue
            at = [*mib, child.num]
            path = f"{name}{self.sep}{child.name}" if name else child.name
            if self.describe and child.type != CTLTYPE_NODE and not self.tree:
                # One request a level, not one a leaf.
                if texts.get(child.num) or self.all_hints:
                    self.print_description(path, texts.get(child.num, ""))
                continue
            self.print_tree(at, path, child)
        self.asked = asked

    def print_description(self, name: str, text: str) -> None:
        """Print the line of -d."""
        head = "" if self.numeric else f"{name}: "
        self.ctx.stdout.write(f"{head}{text or '(no description)'}\n")

    def print_node(self, mib: list[int], name: str, node: SysctlNode) -> None:
        """Print the line of -M."""
        numbers = ".".join(map(str, mib))
        head = numbers if self.numeric else f"{name} ({numbers})"
        kind = _TYPES.get(node.type, "???")
        below = f", children {node.children}/{node.children}" if node.type == CTLTYPE_NODE else ""
        self.ctx.stdout.write(
            f"{head}: CTLTYPE_{kind}{below}, size {node.size}, "
            f"flags 0x{node.flags:x}<{flag_words(node.flags)}>\n"
        )

    def print_leaf(self, mib: list[int], name: str, node: SysctlNode) -> None:
        """Print a value as its name and type ask for."""
        path = "/" + name.replace(self.sep, "/")
        hint = None
        if node.type == CTLTYPE_STRUCT:
            hint = next((h for pattern, h in _OTHERS if re.fullmatch(pattern, path)), None)
            if hint is not None and not (self.all_hints or self.asked):
                return
            if hint is not None and not (self.hex or self.raw):
                self.complain(f"{name}: use '{hint}' to view this information")
                return
        try:
            value = self.sysctl(mib)
        except NetError as exc:
            self.soft(name, exc)
            return
        if self.quiet:
            return
        if self.raw:
            self.put(self.octets(node, value))
            return
        out = self.ctx.stdout
        head = "" if self.numeric else f"{name}{self.eq}"
        if self.hex > 1:
            out.write(f"{head}\n" + hex_dump(self.octets(node, value)))
        elif node.type != CTLTYPE_STRUCT:
            out.write(f"{head}{self.shown(node, value)}\n")
        elif self.hex:
            data = self.octets(node, value)
            more = f"...({len(data) - 16} more bytes)" if len(data) > 16 else ""
            out.write(f"{head}{data[:16].hex()}{more}\n")
        elif path == "/kern/clockrate":
            head = "" if self.numeric else f"{name}: "
            words = ("tick", "tickadj", "hz", "profhz", "stathz")
            out.write(head + ", ".join(f"{word} = {value.get(word, 0)}" for word in words) + "\n")
        elif path == "/kern/boottime":
            out.write(head + self.boottime(value))
        elif self.all_hints or self.asked:
            self.complain(f"{name}: this type is unknown to this program")

    def boottime(self, value: dict[str, int]) -> str:
        """Return a date, with -n seconds since 1970, with -nn also microseconds."""
        sec, usec = value.get("sec", 0), value.get("usec", 0)
        if self.numeric > 1:
            return f"{sec}.{usec:06d}\n"
        if self.numeric:
            return f"{sec}\n"
        from time import ctime

        return f"{ctime(sec)}\n"

    def shown(self, node: SysctlNode, value: Any) -> str:
        """Return the text of a number or a string."""
        if node.type == CTLTYPE_STRING:
            text = str(value)
            if self.hex:
                return self.octets(node, value).hex()
            if node.flags & CTLFLAG_HEX:
                return "".join(f"\\x{octet:02x}" for octet in text.encode(errors="replace"))
            return text
        number = int(value)
        size = 4 if node.type == CTLTYPE_INT else 8
        if self.hex:
            return f"0x{number % (1 << 8 * size):0{size * 2}x}"
        if node.flags & CTLFLAG_HEX:
            return f"{number % (1 << 8 * size):#x}" if number else "0"
        return str(number)

    def octets(self, node: SysctlNode, value: Any) -> bytes:
        """Return the C value in little-endian order; a structure of counters as 64-bit numbers.

        The counters are in the order of their names; other structures are as the RPC carries them.
        """
        if node.type == CTLTYPE_INT:
            return (int(value) % (1 << 32)).to_bytes(4, "little")
        if node.type == CTLTYPE_QUAD:
            return (int(value) % (1 << 64)).to_bytes(8, "little")
        if node.type == CTLTYPE_STRING:
            return str(value).encode(errors="replace") + b"\0"
        if isinstance(value, bytes):
            return value
        if isinstance(value, dict) and all(type(number) is int for number in value.values()):
            return b"".join(
                (value[name] % (1 << 64)).to_bytes(8, "little") for name in sorted(value)
            )
        from libnet.rpc.codec import encode

        return encode(value)

    def put(self, data: bytes) -> None:
        """Write octets to the standard output."""
        out = self.ctx.stdout
        out.flush()
        below = getattr(out, "buffer", None)
        if below is None:
            out.write(data.decode("latin-1"))
        else:
            below.write(data)
            below.flush()


@command(usage=USAGE)
@flag("-A", "all_hints")
@flag("-a", "all_")
@flag("-b", "raw_too")
@flag("-d", "describe")
@flag("-e", "tight")
@option("-f", "file")
@flag("-M", "tree")
@option("-n", "numeric", count=True)
@flag("-q", "quiet")
@flag("-r", "raw")
@flag("-w", "write")
@option("-x", "hex_", count=True)
@operands
def run(
    ctx: Ctx,
    all_hints: bool,
    all_: bool,
    raw_too: bool,
    describe: bool,
    tight: bool,
    file: str | None,
    tree: bool,
    numeric: int,
    quiet: bool,
    raw: bool,
    write: bool,
    hex_: int,
    operands: tuple[str, ...],
) -> int:
    """Get or set the stack's state."""
    raw = raw or raw_too
    write = write or file is not None
    if (quiet and not write) or (hex_ and raw):
        return run.usage(ctx)
    if (all_hints or tree or describe) and not operands and file is None:
        all_ = True
    if not (all_ or operands or file is not None):
        return run.usage(ctx)
    text = "" if file is None or all_ else _read(ctx, file)
    this = Sysctl(
        ctx,
        all_hints=all_hints,
        describe=describe,
        tree=tree,
        numeric=numeric,
        quiet=quiet,
        raw=raw,
        write=write,
        hex_=hex_,
        eq="=" if tight else " = ",
        file=None if all_ else file,
    )
    try:
        if all_:
            this.print_tree([], "", None)
        elif file is not None:
            for this.line, statement in parse_file(text):
                try:
                    this.parse(statement)
                except _NextAssignmentError:
                    continue
        else:
            for word in join_words(list(operands)):
                this.parse(word)
    except _NextAssignmentError:
        return 1
    except NetError as exc:
        err_of(ctx).err(exc, "sysctl")
    return 0


def _read(ctx: Ctx, path: str) -> str:
    try:
        with open(ctx.operand(path), encoding="utf-8", errors="replace", newline="\n") as file:
            return file.read(MAX_FILE)
    except (OSError, ValueError) as exc:
        err_of(ctx).err(from_host(exc) if isinstance(exc, OSError) else "EINVAL", path)


def _start(argv: Sequence[str], ctx: Ctx) -> int:
    if not_ours(ctx):
        handover(ctx, argv)
    return run.run(argv, ctx)


main = program("sysctl", _start)
