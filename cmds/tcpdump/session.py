"""One run of tcpdump: its options, where packets come from, and what becomes of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from libnet.conf.pcapfilter import FilterError
from libnet.ioctl.dlt import DLTS, dlt_description, dlt_name, dlt_number
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.pcap import (
    MAX_SNAPLEN,
    Offline,
    Packet,
    Pcap,
    PcapError,
    open_dead,
    open_offline,
)
from libnet.text.dump.link import has_printer, print_packet
from libnet.text.dump.ndo import Ndo

if TYPE_CHECKING:
    from cmds.tcpdump.output import Output
    from libnet.conf.pcapfilter import Program

DLT_EN10MB: Final = 1
DLT_LINUX_SLL2: Final = 276
_INT_MAX: Final = 0x7FFFFFFF
_MILLION: Final = 1_000_000
# -T says what is in UDP (and TCP) whatever the ports.
_TYPES: Final = (
    "aodv carp cnfp domain ptp radius resp rpc rtcp rtp snmp someip tftp vat vxlan zmtp1"
)
PACKET_TYPES: Final = frozenset(_TYPES.split())
STAMP_TYPES: Final = frozenset(
    ("host", "host_lowprec", "host_hiprec", "host_hiprec_unsynced", "adapter", "adapter_unsynced")
)


class Fatal(Exception):
    """What ends the run with status 1; the text is printed after the program's name."""


class Session:
    """One run.

    given       the options, by the names that cmds.tcpdump declares
    expression  the words of the filter
    """

    def __init__(self, ctx: Ctx, given: dict[str, Any], expression: Sequence[str]) -> None:
        self.ctx, self.given, self._words = ctx, given, expression
        self.nano = given["precision"] == "nano"
        self.captured = 0
        self.output: Output | None = None
        self._ndo: Ndo | None = None
        self._line_buffered = bool(given["line_buffered"])

    # -- the run

    def run(self) -> int:
        """Do it; return the exit status."""
        try:
            return self._run()
        except Fatal as exc:
            return self._failed(str(exc))
        except (FilterError, PcapError) as exc:
            detail = getattr(exc, "detail", "")
            return self._failed(f"{exc}\n({detail})" if detail else str(exc))

    def _failed(self, text: str) -> int:
        self.ctx.stdout.flush()
        self.ctx.stderr.write(f"{self.ctx.prog}: {text}\n")
        return 1

    def _run(self) -> int:
        given = self.given
        self._check()
        offline = given["read_file"] is not None or given["list_file"] is not None
        offline = offline or (given["dump_code"] and given["interface"] is None)
        if not offline:
            self._step_aside()
        if given["list_interfaces"]:
            from cmds.tcpdump.live import show_interfaces

            return show_interfaces(self.ctx)
        if given["read_file"] is not None or given["list_file"] is not None:
            return self._files()
        if given["dump_code"] and given["interface"] is None:
            return self._dump(self._dead())
        from cmds.tcpdump.live import LiveCapture

        return LiveCapture(self).run()

    def _step_aside(self) -> None:
        """Leave a capture to the host's own program where nothing says that a box is meant.

        Files and filter programs are ours always: they need no stack.
        """
        from cmds._handover import find_next, handover, not_ours

        path = self.ctx.environ.get("PATH", "")
        if not_ours(self.ctx) and find_next(self.ctx.prog, path) is not None:
            handover(self.ctx, sys.argv[1:])

    def _check(self) -> None:
        """Read the options that are numbers or words of a list. Raises Fatal."""
        given = self.given
        if given["precision"] not in (None, "micro", "nano"):
            raise Fatal("unsupported time stamp precision")
        self.bufsize = 0
        if given["buffer_size"] is not None:
            self.bufsize = atoi(given["buffer_size"]) * 1024
            if self.bufsize <= 0:
                raise Fatal(f"invalid packet buffer size {given['buffer_size']}")
        self.limit = self._positive("count", "invalid packet count")
        self._file_size = self._positive("file_size", "invalid file size", strict=True) * _MILLION
        self._rotate_s = 0
        if given["rotate_seconds"] is not None:
            self._rotate_s = atoi(given["rotate_seconds"])
            if self._rotate_s < 0:
                raise Fatal(f"invalid number of seconds {given['rotate_seconds']}")
        self.file_count = self._positive("file_count", "invalid number of output files")
        self.snaplen = self._snaplen(given["snaplen"])
        stamp = given["stamp_type"]
        if stamp is not None and stamp not in STAMP_TYPES:
            raise Fatal(f"invalid time stamp type {stamp}")
        direction = given["direction"]
        if direction is not None and direction.lower() not in ("in", "out", "inout"):
            raise Fatal(f"unknown capture direction `{direction}'")
        kind = given["packet_type"]
        if kind is not None and kind.lower() not in PACKET_TYPES:
            raise Fatal(f"unknown packet type `{kind}'")
        self.dlt: int | None = None
        if given["linktype"] is not None:
            self.dlt = dlt_number(given["linktype"])
            if self.dlt is None:
                raise Fatal(f"invalid data link type {given['linktype']}")
        if given["times"] > 5:
            raise Fatal("only -t, -tt, -ttt, -tttt and -ttttt are supported")
        reads = given["list_file"] is not None or given["read_file"] is not None
        if given["foreign"] and reads:
            raise Fatal("-f can not be used with -V or -r")
        if given["list_file"] is not None and given["read_file"] is not None:
            raise Fatal("-V and -r are mutually exclusive.")
        for module in given["mib_modules"]:
            self.ctx.stderr.write(
                f"{self.ctx.prog}: ignoring option `-m {module}' (no libsmi support)\n"
            )

    def _positive(self, name: str, complaint: str, *, strict: bool = False) -> int:
        """Return an option that must be a number above zero; 0 when it is not given."""
        text = self.given[name]
        if text is None:
            return 0
        number = atoi(text)
        if number <= 0 or (strict and not text.strip().lstrip("+").isdigit()):
            raise Fatal(f"{complaint} {text}")
        return number

    @staticmethod
    def _snaplen(text: str | None) -> int:
        if text is None:
            return 0
        try:
            # strtol(3) with base 0: 0x and a leading zero mean what they mean in C.
            octal = len(text) > 1 and text[0] == "0" and text.isdigit()
            number = int(text, 8) if octal else int(text, 0)
        except ValueError:
            number = -1
        if not 0 <= number <= MAX_SNAPLEN:
            raise Fatal(f"invalid snaplen {text} (must be >= 0 and <= {MAX_SNAPLEN})")
        return number

    # -- filters

    def expression(self) -> str:
        """Return the filter: the words, or the file of -F. Raises Fatal."""
        name = self.given["filter_file"]
        if name is None:
            return " ".join(self._words)
        try:
            with open(self.ctx.operand(name), encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read(1 << 20).split("\n")
        except OSError as exc:
            raise Fatal(f"can't open {name}: {exc.strerror}") from None
        # What is behind a # is a remark.
        return "\n".join(line.partition("#")[0] for line in lines)

    def compiled(self, pcap: Pcap, netmask: int = 0) -> Program:
        """Return the filter for *pcap*. Raises FilterError."""
        return pcap.compile(
            self.expression(), optimize=not self.given["no_optimize"], netmask=netmask
        )

    def _dead(self) -> Pcap:
        dlt = self.dlt
        if dlt is None:
            dlt = DLT_EN10MB
            self.ctx.stderr.write("Warning: assuming Ethernet\n")
        return open_dead(dlt, self.snaplen or MAX_SNAPLEN, self.ctx)

    def _dump(self, pcap: Pcap) -> int:
        """Print the filter's code, as -d, -dd or -ddd want it."""
        self.ctx.stdout.write(self.compiled(pcap).dump(min(self.given["dump_code"], 3)))
        return 0

    # -- files

    def _files(self) -> int:
        """Read capture files: that of -r, or those the file of -V names."""
        status, dlt = 0, -1
        try:
            for name in self._names():
                with self._open(name) as pcap:
                    if dlt < 0:
                        dlt = pcap.datalink()
                        self._announce(name, pcap)
                        program = self.compiled(pcap)
                        if self.given["dump_code"]:
                            return self._dump(pcap)
                        self.drop_privileges()
                        handler = self.handler(pcap)
                    else:
                        if pcap.datalink() != dlt:
                            if self.output is not None:
                                raise Fatal(f"{name}: new dlt does not match original")
                            dlt = pcap.datalink()
                            program = self.compiled(pcap)
                            handler = self.handler(pcap)
                        self._announce(name, pcap)
                    first = program.insns[0]
                    if first.code != _RET or not first.k:
                        pcap.setfilter(program)
                    status, stopped = self._loop(pcap, handler)
                if stopped:
                    break
        finally:
            self.close_output()
        if self.given["count_only"]:
            self.ctx.stdout.write(f"{plural(self.captured)}\n")
        return status

    def _loop(self, pcap: Pcap, handler: Callable[[Packet], object]) -> tuple[int, bool]:
        """Hand on the packets of a file; return the status, and whether we were interrupted."""
        stdout = self.ctx.stdout
        try:
            pcap.loop(self.limit or -1, handler)
        except PcapError as exc:
            stdout.flush()
            self.ctx.stderr.write(f"{self.ctx.prog}: pcap_loop: {exc}\n")
            return 1, False
        except OSError as exc:
            stdout.flush()
            reason = f"error reading dump file: {exc.strerror}"
            self.ctx.stderr.write(f"{self.ctx.prog}: pcap_loop: {reason}\n")
            return 1, False
        except KeyboardInterrupt:
            if self.output is None:
                stdout.write("\n")
            return 0, True
        if self.output is None:
            stdout.flush()
        return 0, False

    def _names(self) -> list[str]:
        """Return the names of the files to read. Raises Fatal."""
        if self.given["read_file"] is not None:
            return [self.given["read_file"]]
        name = self.given["list_file"]
        try:
            if name == "-":
                text = self.ctx.stdin.read()
            else:
                with open(
                    self.ctx.operand(name), encoding="utf-8", errors="surrogateescape"
                ) as file:
                    text = file.read()
        except OSError as exc:
            raise Fatal(f"Unable to open file: {exc.strerror}") from None
        names: list[str] = text.split("\n")
        if names[-1] == "":
            names.pop()
        if not names:
            raise Fatal(f"Nothing in {name}")
        return names

    def _open(self, name: str) -> Offline:
        """Open a capture file. Raises Fatal, PcapError."""
        try:
            if name != "-":
                return open_offline(name, self.ctx)
            # Closed with the capture, and that is all right: nothing else reads it.
            octets = getattr(self.ctx.stdin, "buffer", None)
            if octets is None:
                raise Fatal("The standard input is not open")
            return open_offline(octets, self.ctx)
        except OSError as exc:
            raise Fatal(f"error reading dump file: {exc.strerror}") from None

    def _announce(self, name: str, pcap: Pcap) -> None:
        self.ctx.stdout.flush()
        stderr = self.ctx.stderr
        stderr.write(
            f"reading from file {name}, link-type {described(pcap.datalink())}, "
            f"snapshot length {pcap.snapshot}\n"
        )
        if pcap.datalink() == DLT_LINUX_SLL2:
            stderr.write("Warning: interface names might be incorrect\n")
        stderr.flush()

    # -- what becomes of a packet

    def handler(self, pcap: Pcap) -> Callable[[Packet], object]:
        """Return the function that is given each packet. Raises Fatal."""
        given = self.given
        printer = None
        if given["write_file"] is None:
            if given["count_only"]:
                return self._count
            printer = self._printer(pcap.datalink())
        else:
            if self.output is None:
                self._open_output(pcap)
            if given["also_print"]:
                printer = self._printer(pcap.datalink())
            return self._writer(printer)
        return printer

    def _count(self, _packet: Packet) -> None:
        self.captured += 1

    def _printer(self, dlt: int) -> Callable[[Packet], None]:
        ndo = self.ndo()
        write, nano = self.ctx.stdout.write, self.nano
        flush = self.ctx.stdout.flush if self._line_buffered else None

        def show(packet: Packet) -> None:
            sec, nsec, length, data = packet
            self.captured = number = self.captured + 1
            write(print_packet(ndo, dlt, data, length, sec, nsec if nano else nsec // 1000, number))
            if flush is not None:
                flush()

        return show

    def _open_output(self, pcap: Pcap) -> None:
        from cmds.tcpdump.output import Output, OutputError, compress

        given = self.given
        closed = None
        if given["postrotate"] is not None:

            def closed(name: str) -> None:
                compress(self.ctx, given["postrotate"], name)

        try:
            self.output = Output(
                self.ctx,
                given["write_file"],
                pcap.datalink(),
                snaplen=pcap.snapshot,
                nano=self.nano,
                size=self._file_size,
                seconds=self._rotate_s,
                count=self.file_count,
                flush=given["unbuffered"],
                closed=closed,
            )
        except OutputError as exc:
            raise Fatal(str(exc)) from None

    def _writer(self, printer: Callable[[Packet], None] | None) -> Callable[[Packet], None]:
        from cmds.tcpdump.output import OutputError

        output = self.output
        assert output is not None

        def write(packet: Packet) -> None:
            try:
                output.write(packet)
            except OutputError as exc:
                raise Fatal(str(exc)) from None
            if printer is not None:
                printer(packet)  # counts it too
            else:
                self.captured += 1

        return write

    def close_output(self) -> None:
        """Complete the file of -w. Raises Fatal."""
        from cmds.tcpdump.output import OutputError

        if self.output is not None:
            try:
                self.output.close()
            except OutputError as exc:
                raise Fatal(str(exc)) from None

    def ndo(self) -> Ndo:
        """Return what the printers are given. Raises Fatal."""
        if self._ndo is None:
            from cmds.tcpdump.show import make_ndo

            self._ndo = make_ndo(self)
        return self._ndo

    # -- other matters

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.ctx.stdout.flush()
        self.ctx.stderr.write(f"{self.ctx.prog}: WARNING: {text}\n")

    def fail(self, text: str) -> NoReturn:
        """End the run."""
        raise Fatal(text)

    def drop_privileges(self) -> None:
        """Do what -Z asks: a box has one superuser, and programs that are that user already.

        Raises Fatal for a user the box does not know.
        """
        user = self.given["user"]
        if user is None or not self.ctx.root:
            return
        if user != "root" and user not in _users(self.ctx):
            raise Fatal(f"Couldn't find user '{user[:32]}'")
        if user != "root":
            self.ctx.stderr.write(f"dropped privs to {user}\n")


_RET: Final = (
    0x06  # a program whose first instruction is this takes all packets, unless its constant is 0
)


def _users(ctx: Ctx) -> set[str]:
    """Return the names in the box's passwd(5)."""
    try:
        with open(ctx.file("/etc/passwd"), encoding="utf-8", errors="replace") as file:
            return {line.partition(":")[0] for line in file.read(1 << 20).splitlines()}
    except OSError:
        return set()


def atoi(text: str) -> int:
    """Return the number at the start of *text* as atoi(3) does, 0 if there is none.

    >>> atoi("12k"), atoi("-3"), atoi("x")
    (12, -3, 0)
    """
    text = text.strip()
    sign = -1 if text[:1] == "-" else 1
    digits = text.lstrip("+-") if text[:1] in ("+", "-") else text
    end = 0
    while end < len(digits) and digits[end] in "0123456789":
        end += 1
    return max(-_INT_MAX, min(_INT_MAX, sign * int(digits[:end] or "0")))


def plural(count: int, what: str = "packet") -> str:
    """Return a count of things.

    >>> plural(1), plural(2)
    ('1 packet', '2 packets')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


def described(dlt: int) -> str:
    """Return a link type as messages have it: "EN10MB (Ethernet)", or its number."""
    if dlt not in DLTS:
        return str(dlt)
    return f"{dlt_name(dlt)} ({dlt_description(dlt)})"


def listed(dlt: int) -> str:
    """Return a line of -L."""
    if dlt not in DLTS:
        return f"  DLT {dlt} (printing not supported)\n"
    note = "" if has_printer(dlt) else " (printing not supported)"
    return f"  {dlt_name(dlt)} ({dlt_description(dlt)}){note}\n"
