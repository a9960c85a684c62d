"""pidin: show the processes of the box, their threads, memory and interrupts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cmds._bsd import command, err_of, flag, operands, option, program
from libnet.errors import NetError
from libnet.lab.procs import Finder
from libnet.lab.world import stacks
from libnet.libsocket.ctx import Ctx

USAGE = """\
usage: pidin [-hkl] [-d delay] [-F formats] [-f formats] [-M formats]
             [-n node] [-o prio] [-P pid] [-p pid] [shorthand ...]"""

DEFAULT_FORMAT: Final = "%a %b %N %p %J %B"
MEMORY_FORMAT: Final = "%n @%a %s"
KB: Final = 1024
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICK: Final = os.sysconf("SC_CLK_TCK")

# Shorthands and the formats they stand for; those without one are printed by a function of their own.
SHORTHANDS: Final[dict[str, str]] = {
    "arg": "%a %A",
    "env": "%a %N %E",
    "fam": "%a %N %P %e",
    "fds": "%a %N %o",
    "flags": "%I %N %f",
    "irqs": "%I %N %Q",
    "map": "%a %b %N %p %J %M",
    "mem": "%a %b %N %p %J %c %d %m %M",
    "pmem": "%a %N %c %d %m",
    "rmasks": "%I %N %i",
    "sched": "%a %b %N %p %l %J",
    "sess": "%a %N %P %z",
    "sig": "%I %N %s %S",
    "threads": "%a %N %h %J %B",
    "times": "%a %N %t",
    "ttimes": "%I %N %u",
    "user": "%a %N %U",
}
SPECIAL: Final = ("info", "net")
# What the original's kernel tells and a process of the host does not have.
ABSENT: Final = ("backtrace", "channels", "extsched", "rc", "regs", "syspage", "timers")
ABSENT_CODES: Final = "qRHKk["

# How the host's sleeping threads would be seen by the original's kernel.
WAITS: Final[tuple[tuple[str, str, str], ...]] = (
    ("hrtimer_nanosleep", "NANOSLEEP", ""),
    ("poll_schedule", "SIGWAITINFO", ""),
    ("do_poll", "SIGWAITINFO", ""),
    ("do_select", "SIGWAITINFO", ""),
    ("ep_poll", "SIGWAITINFO", ""),
    ("sigtimedwait", "SIGWAITINFO", ""),
    ("sigsuspend", "SIGSUSPEND", ""),
    ("futex", "CONDVAR", "address"),
)


class Thread(NamedTuple):
    """One thread. blocked: what it waits for, as text."""

    tid: int
    name: str
    priority: str
    state: str
    blocked: str = ""
    cpu: int = 0
    stack: int = 0
    times: tuple[float, float] = (0.0, 0.0)


class Row(NamedTuple):
    """One process, whoever told us about it.

    irqs     (interrupt line, interface) of each NIC it serves
    modules  the files of the drivers and protocols it has loaded
    """

    pid: int
    ppid: int
    name: str
    argv: list[str]
    threads: list[Thread]
    code: int
    data: int
    irqs: list[tuple[int, str]]
    modules: list[str]


@command(usage=USAGE)
@flag("-h", "help_")
@flag("-k", "keep")
@flag("-l", "loop")
@option("-d", "delay")
@option("-F", "formats", multiple=True)
@option("-f", "letters", multiple=True)
@option("-M", "memory")
@option("-n", "node")
@option("-o", "priority")
@option("-P", "family")
@option("-p", "only")
@operands
def run(
    ctx: Ctx,
    help_: bool,
    keep: bool,
    loop: bool,
    delay: str | None,
    formats: tuple[str, ...],
    letters: tuple[str, ...],
    memory: str | None,
    node: str | None,
    priority: str | None,
    family: str | None,
    only: str | None,
    operands: tuple[str, ...],
) -> int:
    """Print what the shorthands ask for, once or again and again."""
    err = err_of(ctx)
    if help_:
        ctx.stdout.write(USAGE + "\n")
        return 0
    tenths = 10 if delay is None else number(ctx, "-d", delay)
    if priority is not None:
        lower(ctx, number(ctx, "-o", priority))
    if node is not None and node not in (ctx.box.name, f"/net/{ctx.box.name}"):
        err.errx(f"-n {node}: no such node")
    wanted = [shorthand(ctx, word) for word in operands]
    explicit = [*formats, *("".join(f"%{c} " for c in word).strip() for word in letters)]
    views = [*explicit, *wanted] or [DEFAULT_FORMAT]
    regions = memory_format(ctx, memory or MEMORY_FORMAT)
    plans = [view if view in SPECIAL else parse_format(ctx, view, regions) for view in views]
    while True:
        rows = select(gather(ctx), only, family)
        if not rows and (only or family):
            if loop and keep:
                err.warnx(f"{only or family}: no such process")
            else:
                err.errx(f"{only or family}: no such process")
        for plan in plans:
            ctx.stdout.write(table(rows, plan) if isinstance(plan, list) else special(ctx, plan))
        if not loop:
            return 0
        ctx.stdout.flush()
        ctx.sleep(tenths / 10)


main = program("pidin", run)


def number(ctx: Ctx, name: str, word: str) -> int:
    """Return an option's number, 1 or more."""
    if not re.fullmatch(r"[0-9]{1,6}", word) or int(word) == 0:
        err_of(ctx).errx(f"{name} {word}: not a number above 0")
    return int(word)


def lower(ctx: Ctx, priority: int) -> None:
    """Run at a priority: 10 is the host's 0, and each step is one of nice(1)."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, max(-20, min(19, 10 - priority)))
    except OSError as exc:
        err_of(ctx).err(exc, f"-o {priority}")


def shorthand(ctx: Ctx, word: str) -> str:
    """Return the format (or the special name) that *word*, cut as short as one likes, means."""
    every = (*SHORTHANDS, *SPECIAL, *ABSENT)
    names = [word] if word in every else [name for name in every if name.startswith(word)]
    err = err_of(ctx)
    if not names or not word:
        err.errx(f"{word}: unknown shorthand")
    if len(names) > 1:
        err.errx(f"{word}: could be {', '.join(sorted(names))}")
    if names[0] in ABSENT:
        err.errx(f"{names[0]}: {NetError('ENOSYS').strerror}")
    return SHORTHANDS.get(names[0], names[0])


# Where the processes come from.


def gather(ctx: Ctx) -> list[Row]:
    """Return the box's processes by number: real ones, and stacks as they tell themselves."""
    rows: dict[int, Row] = {}
    if ctx.services is None:
        for process in Finder(ctx.box, dict(ctx.environ)).find():
            code, data = sizes(process.pid)
            threads = host_threads(process.pid)
            if threads:
                rows[process.pid] = Row(
                    process.pid,
                    process.ppid,
                    process.name,
                    process.argv,
                    threads,
                    code,
                    data,
                    [],
                    [],
                )
    prefixes = [note.prefix for note in stacks(ctx.box)] or [ctx.environ.get("SOCK", "")]
    for prefix in prefixes:
        try:
            with ctx.control(prefix) as stack:
                told, cards = stack.call("ps"), stack.call("pci")
        except NetError:
            continue  # no stack there, or one that is just ending: /proc has shown what is left
        if isinstance(told, dict):
            row = stack_row(told, cards, rows)
            rows[row.pid] = row
    return [rows[pid] for pid in sorted(rows)]


def stack_row(told: dict[str, Any], cards: Any, rows: dict[int, Row]) -> Row:
    """Return the row of a stack from its own answers."""
    pid = told.get("pid") if type(told.get("pid")) is int else 0
    assert isinstance(pid, int)
    known = rows.get(pid)
    threads = [
        Thread(
            int(t.get("tid") or 0),
            str(t.get("name") or ""),
            f"{t.get('priority', 0)}r",
            str(t.get("state") or ""),
            "" if t.get("blocked") in (None, "") else str(t["blocked"]),
            # The stack's threads share what the host knows of one.
            known.threads[0].cpu if known else 0,
            known.threads[0].stack if known else 0,
            known.threads[0].times if known else (0.0, 0.0),
        )
        for t in told.get("threads") or ()
        if isinstance(t, dict)
    ]
    irqs = [
        (int(card.get("irq") or 0), str(card["ifname"]))
        for card in (cards if isinstance(cards, list) else ())
        if isinstance(card, dict) and card.get("ifname")
    ]
    return Row(
        pid,
        known.ppid if known else 1,
        str(told.get("path") or "sbin/io-pkt"),
        [str(word) for word in told.get("argv") or ()],
        threads,
        known.code if known else 0,
        known.data if known else int(told.get("mem") or 0),
        irqs,
        [str(name) for name in told.get("modules") or ()],
    )


def read(path: str) -> str:
    """Return the text of a file of /proc, "" if the process has gone or is not ours."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def sizes(pid: int) -> tuple[int, int]:
    """Return the octets of a process's code and data."""
    words = read(f"/proc/{pid}/statm").split()
    return (int(words[3]) * PAGE, int(words[5]) * PAGE) if len(words) > 5 else (0, 0)


def host_threads(pid: int) -> list[Thread]:
    """Return the threads of a process of the host, first the one it began with."""
    try:
        tids = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []
    words = re.search(r"VmStk:\s*([0-9]+) kB", read(f"/proc/{pid}/status"))
    stack = int(words.group(1)) * KB if words else 0
    found = []
    for place, tid in enumerate(tids, 1):
        base = f"/proc/{pid}/task/{tid}"
        name, _, rest = read(f"{base}/stat").partition("(")[2].rpartition(")")
        fields = rest.split()
        if len(fields) < 37:
            continue  # gone meanwhile
        state, blocked = host_state(fields[0], read(f"{base}/wchan"), fields[26])
        priority = f"{10 - int(fields[16])}r"
        times = (int(fields[11]) / TICK, int(fields[12]) / TICK)
        found.append(
            Thread(
                place,
                name if place > 1 else "",
                priority,
                state,
                blocked,
                int(fields[36]),
                stack if place == 1 else 0,
                times,
            )
        )
    return found


def host_state(letter: str, wchan: str, address: str) -> tuple[str, str]:
    """Return the original's name for a host thread's state, and what it is blocked on.

    >>> host_state("R", "", "0"), host_state("S", "hrtimer_nanosleep", "0")
    (('RUNNING', ''), ('NANOSLEEP', ''))
    """
    if letter == "R":
        return "RUNNING", ""
    if letter in "Tt":
        return "STOPPED", ""
    if letter in "ZX":
        return "DEAD", ""
    for start, state, blocked in WAITS:
        if start in wchan:
            return state, blocked and f"{int(address):x}"
    return "REPLY", "1"  # asleep in the system itself, which is process 1


# Which of them.


def select(rows: Sequence[Row], only: str | None, family: str | None) -> list[Row]:
    """Return the processes that -p and -P let through."""
    found = list(rows)
    if only is not None:
        found = matching(found, only)
    if family is not None:
        pids = {row.pid for row in matching(list(rows), family)}
        while more := {row.pid for row in rows if row.ppid in pids} - pids:
            pids |= more
        found = [row for row in found if row.pid in pids]
    return found


def matching(rows: list[Row], word: str) -> list[Row]:
    """Return the processes called *word*: by number, by name, or by the start of the name."""
    if word.isdigit():
        return [row for row in rows if row.pid == int(word)]
    exact = [row for row in rows if word in (row.name, os.path.basename(row.name))]
    return exact or [row for row in rows if os.path.basename(row.name).startswith(word)]


# How they are shown.


class Column(NamedTuple):
    """One format character: heading, width (negative: to the left), and the text of a cell.

    per_thread  whether each thread has a line of its own because of it
    lines       the cell is lines of their own, printed below
    """

    heading: str
    width: int
    cell: Callable[[Row, Thread], str]
    per_thread: bool = False
    lines: bool = False


def size(octets: int) -> str:
    """Return octets in the original's short form.

    >>> size(0), size(8192), size(3 << 20)
    ('0', '8192', '3072K')
    """
    return f"{octets // KB}K" if octets >= 16 * KB else str(octets)


def _status(row: Row, key: str) -> str:
    for line in read(f"/proc/{row.pid}/status").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return "-"


def _stat(row: Row, index: int) -> str:
    fields = read(f"/proc/{row.pid}/stat").rpartition(")")[2].split()
    return fields[index] if len(fields) > index else "-"


def _environ(row: Row, _thread: Thread) -> str:
    words = [word for word in read(f"/proc/{row.pid}/environ").split("\0") if word]
    return "".join(f"    {word}\n" for word in words)


def _fds(row: Row, _thread: Thread) -> str:
    try:
        numbers = sorted(int(name) for name in os.listdir(f"/proc/{row.pid}/fd"))
    except OSError:
        return ""
    out = []
    for fd in numbers:
        try:
            out.append(f"    {fd:4d}  {os.readlink(f'/proc/{row.pid}/fd/{fd}')}\n")
        except OSError:
            continue  # closed meanwhile
    return "".join(out)


def _irqs(row: Row, _thread: Thread) -> str:
    return "".join(
        f"    {place:4d} 0x{irq:08x} {ifname}\n" for place, (irq, ifname) in enumerate(row.irqs)
    )


def _times(row: Row, _thread: Thread) -> str:
    user = sum(thread.times[0] for thread in row.threads[:1])
    system = sum(thread.times[1] for thread in row.threads[:1])
    return f"{user:9.3f}s {system:9.3f}s"


def _user(row: Row, _thread: Thread) -> str:
    uids, gids = _status(row, "Uid").split(), _status(row, "Gid").split()
    if len(uids) < 2 or len(gids) < 2:
        return "-"
    return f"{uids[0]:>6} {uids[1]:>6} {gids[0]:>6} {gids[1]:>6}"


COLUMNS: Final[dict[str, Column]] = {
    "A": Column("Arguments", -1, lambda row, _t: " ".join(row.argv)),
    "a": Column("pid", 8, lambda row, _t: str(row.pid)),
    "B": Column("Blocked", -17, lambda _r, thread: thread.blocked, True),
    "b": Column("tid", 3, lambda _r, thread: str(thread.tid), True),
    "c": Column("code", 6, lambda row, _t: size(row.code)),
    "d": Column("data", 7, lambda row, _t: size(row.data)),
    "E": Column("Environment", -1, _environ, lines=True),
    "e": Column("parent", 8, lambda row, _t: str(row.ppid)),
    "f": Column("flags", 8, lambda row, _t: _hex(_stat(row, 6))),
    "h": Column(
        "thread name", -20, lambda _r, thread: thread.name or str(thread.tid), per_thread=True
    ),
    "I": Column("pid-tid", -11, lambda row, thread: f"{row.pid}-{thread.tid:02d}", True),
    "i": Column("runmask", 10, lambda row, _t: _status(row, "Cpus_allowed")),
    "J": Column("STATE", -11, lambda _r, thread: thread.state, True),
    "l": Column("cpu", 3, lambda _r, thread: str(thread.cpu), True),
    "m": Column("stack", 12, lambda _r, thread: size(thread.stack), True),
    "N": Column("name", -18, lambda row, _t: row.name),
    "n": Column("name", -32, lambda row, _t: row.name),
    "o": Column("fds", -1, _fds, lines=True),
    "P": Column("pgrp", 8, lambda row, _t: _stat(row, 2)),
    "p": Column("prio", 4, lambda _r, thread: thread.priority, True),
    "Q": Column("irqs", -1, _irqs, lines=True),
    "S": Column("ignored", 16, lambda row, _t: _status(row, "SigIgn")),
    "s": Column("queued", 16, lambda row, _t: _status(row, "ShdPnd")),
    "T": Column("threads", 7, lambda row, _t: str(len(row.threads))),
    "t": Column("    utime      stime", -21, _times),
    "U": Column("   uid   euid    gid   egid", -27, _user),
    "u": Column(
        "utime",
        10,
        lambda _r, thread: f"{sum(thread.times):.3f}s",
        True,
    ),
    "z": Column("session", 8, lambda row, _t: _stat(row, 3)),
}


def _hex(word: str) -> str:
    return f"{int(word):08x}" if word.isdigit() else word


def parse_format(ctx: Ctx, text: str, regions: str) -> list[Column]:
    """Return the columns of a format such as "%a %60N". Exits for what is not a format."""
    columns: list[Column] = []
    pos = 0
    while pos < len(text):
        if text[pos].isspace():
            pos += 1
            continue
        match = re.compile(r"%([0-9]{0,3})(.)").match(text, pos)
        if match is None:
            err_of(ctx).errx(f"{text}: not a format")
        width, letter = match.groups()
        if letter == "M":
            column = Column("", -1, lambda row, _t: memory(row, regions), lines=True)
        elif letter in COLUMNS:
            column = COLUMNS[letter]
        elif letter in ABSENT_CODES:
            err_of(ctx).errx(f"%{letter}: {NetError('ENOSYS').strerror}")
        else:
            err_of(ctx).errx(f"%{letter}: unknown format")
        if width:
            wide = int(width)
            column = column._replace(width=-wide if column.width < 0 else wide)
        columns.append(column)
        pos = match.end()
    return columns


def memory_format(ctx: Ctx, text: str) -> str:
    """Return the format of -M if each of its characters is one that we have."""
    for match in re.finditer(r"%(.?)", text):
        if match.group(1) not in tuple("nasof"):
            err_of(ctx).errx(f"%{match.group(1)}: unknown memory format")
    return text


def memory(row: Row, regions: str) -> str:
    """Return a line for each shared object, with its address and size, as the format wants."""
    # A stack's modules are code of our own inside the interpreter: no address, no size.
    out = [
        _region(regions, {"n": f"{name:<18}", "a": "-", "s": f"{'-':>8}", "o": name, "f": "-"})
        for name in row.modules
    ]
    spans: dict[str, tuple[int, int, str]] = {}
    for line in read(f"/proc/{row.pid}/maps").splitlines():
        words = line.split(None, 5)
        if len(words) < 6 or not words[5].startswith("/"):
            continue
        low, high = (int(word, 16) for word in words[0].split("-"))
        start, total, flags = spans.get(words[5], (low, 0, words[1]))
        spans[words[5]] = (start, total + high - low, flags)
    for path, (start, total, flags) in spans.items():
        cells = {
            "n": f"{os.path.basename(path):<18}",
            "a": f"{start:x}",
            "s": f"{size(total):>8}",
            "o": path,
            "f": flags,
        }
        out.append(_region(regions, cells))
    return "".join(out)


def _region(regions: str, cells: dict[str, str]) -> str:
    shown = re.sub(r"%(.)", lambda match: cells[match.group(1)], regions)
    return f"         {shown}\n"


def table(rows: Sequence[Row], columns: list[Column]) -> str:
    """Return the heading and the lines of all processes.

    Each thread has a line when a column speaks of threads, else each process.
    """
    across = [column for column in columns if not column.lines]
    out = [_line([column.heading for column in across], across)]
    per_thread = any(column.per_thread for column in columns)
    for row in rows:
        for thread in row.threads if per_thread else row.threads[:1]:
            out.append(_line([column.cell(row, thread) for column in across], across))
        if row.threads:
            out += [column.cell(row, row.threads[0]) for column in columns if column.lines]
    return "".join(out)


def _line(cells: Sequence[str], columns: Sequence[Column]) -> str:
    padded = [
        f"{cell:<{-column.width}}" if column.width < 0 else f"{cell:>{column.width}}"
        for cell, column in zip(cells, columns, strict=True)
    ]
    return " ".join(padded).rstrip() + "\n"


def special(ctx: Ctx, name: str) -> str:
    """Return what a shorthand without a format prints."""
    machine = os.uname()
    fields = dict(
        line.split(":", 1) for line in read("/proc/meminfo").splitlines() if line.count(":") == 1
    )
    total, free = (
        int(fields.get(key, "0 kB").split()[0]) // KB for key in ("MemTotal", "MemAvailable")
    )
    rows = gather(ctx)
    cpus = os.cpu_count() or 1
    boot = time.strftime("%b %d %H:%M:%S GMT %Y", time.gmtime(ctx.wall() - ctx.now()))
    head = f"CPU:{machine.machine} Release:{machine.release} FreeMem:{free}Mb/{total}Mb"
    if name == "net":
        return f"{ctx.box.name:<20} {head} CPUs:{cpus}\n"
    threads = sum(len(row.threads) for row in rows)
    out = [f"{head} BootTime:{boot}\n", f"Processes: {len(rows)}, Threads: {threads}\n"]
    out += [f"Processor{place + 1}: {machine.machine}\n" for place in range(cpus)]
    return "".join(out)
