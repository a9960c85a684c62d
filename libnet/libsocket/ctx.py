"""What a command is given: streams, environment, files of its box, a clock, and the way to a stack.

The same `main(argv, ctx)` runs as a process and inside the simulator; only the Ctx differs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TextIO

from libnet.clock import Dice
from libnet.errors import NetError
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.sock import Descriptor, Socket
from libnet.libsocket.transport import Transport, UnixTransport


class Host(Protocol):
    """The machine under a command: its time and its waiting."""

    dice: Dice

    def now(self) -> float:
        """Return seconds on a monotonic scale."""

    def wall(self) -> float:
        """Return seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def wait(
        self, descriptors: Sequence[Any], timeout: float | None, writers: Sequence[Any] = ()
    ) -> list[Any]:
        """Wait until one is readable, or one of *writers* writable; return those that are.

        One may be a Descriptor, or what watch_signals() returned. At the timeout there is none.
        """

    def watch_signals(self, *names: str) -> SignalWatch:
        """Catch the signals *names* ("SIGINT") from now on instead of dying of them."""


class SignalWatch(Protocol):
    """The signals a program has asked for; wait() returns it when one has come."""

    def fileno(self) -> int:
        """Return a host descriptor to poll, or -1 in the simulator."""

    def take(self) -> list[str]:
        """Return the names of those that came, in order, and forget them."""

    def close(self) -> None:
        """Let signals do again what they did before."""


class SlogWriter(Protocol):
    """Where system log records go."""

    def write(self, severity: int, major: int, minor: int, text: str) -> None:
        """Add a record to the box's ring."""


class Ctx:
    """One run of one command.

    prog       the program's name, as it is printed in errors
    box        the box's places
    environ    environment variables
    root       whether the caller is the box's superuser
    connect    returns a Transport to the stack at a prefix; raises NetError
    """

    def __init__(
        self,
        prog: str,
        *,
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        environ: Mapping[str, str],
        host: Host,
        box: BoxPaths | None = None,
        root: bool = True,
        connect: Callable[[str], Transport] | None = None,
        slog: SlogWriter | None = None,
        services: Any = None,
    ) -> None:
        self.prog = prog
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.environ = environ
        self.host = host
        self.box = box or BoxPaths.from_environ(environ)
        self.root = root
        self.slog = slog
        self.services = services  # what only the simulator has (its box), or None
        self._connect = connect or self._connect_unix
        self._next_fd = 3

    def _connect_unix(self, prefix: str) -> Transport:
        return UnixTransport(self.box.socket(prefix))

    def _trace(self) -> Callable[[str], None] | None:
        if self.environ.get("IOPKT_TRACE", "0") in ("", "0"):
            return None
        return lambda line: (self.stderr.write(line + "\n"), None)[1]

    def _number(self) -> int:
        number, self._next_fd = self._next_fd, self._next_fd + 1
        return number

    def socket(self, domain: int, kind: int, protocol: int = 0) -> Socket:
        """Open a socket of the stack that SOCK names.

        Raises NetError: EAFNOSUPPORT when no stack runs there or it has no such family.
        """
        trace = self._trace()
        number = self._number()
        try:
            transport = self._connect(self.environ.get("SOCK", ""))
            try:
                transport.call("socket", domain, kind, protocol)
            except NetError:
                transport.close()
                raise
        except NetError as exc:
            if trace:
                trace(f"socket({domain}, {kind}, {protocol}) = -1 {exc.symbol} ({exc.strerror})")
            raise
        if trace:
            trace(f"socket({domain}, {kind}, {protocol}) = {number}")
        prefix = self.environ.get("SOCK", "")

        def another() -> tuple[Transport, int]:
            return self._connect(prefix), self._number()

        return Socket(transport, number, trace, kind=kind, open=another)

    def open(self, path: str, *, writing: bool = True) -> Descriptor:
        """Open a device that the stack serves, such as /dev/bpf. Raises NetError (ENOENT, …).

        writing  O_RDWR; False for O_RDONLY
        """
        mode = "O_RDWR" if writing else "O_RDONLY"
        trace = self._trace()
        number = self._number()
        try:
            try:
                transport = self._connect(self.environ.get("SOCK", ""))
            except NetError:
                raise NetError("ENOENT") from None  # no stack has registered the path
            try:
                transport.call("open", path, writing)
            except NetError:
                transport.close()
                raise
        except NetError as exc:
            if trace:
                trace(f'open("{path}", {mode}) = -1 {exc.symbol} ({exc.strerror})')
            raise
        if trace:
            trace(f'open("{path}", {mode}) = {number}')
        return Descriptor(transport, number, trace)

    def control(self, prefix: str | None = None) -> Descriptor:
        """Return a descriptor for stack-wide calls: sysctl, mount, ps. Raises EAFNOSUPPORT."""
        if prefix is None:
            prefix = self.environ.get("SOCK", "")
        return Descriptor(self._connect(prefix), self._number(), self._trace())

    def operand(self, path: str, *, write: bool = False) -> str:
        """Return the host path of a file that a person has named on the command line.

        In a terminal of the host the guide's /etc, /var and so on are the box's, but /tmp, and what
        only the host has, are what the person sees.
        """
        mapped = self.box.file(path)
        if mapped == path or self.services is not None or self.box.view == "map":
            return mapped
        temporary = os.path.normpath(path).startswith("/tmp/")
        if write:
            return path if temporary else mapped
        first, second = (path, mapped) if temporary else (mapped, path)
        return second if not os.path.lexists(first) and os.path.lexists(second) else first

    def file(self, path: str) -> str:
        """Return the host path of a file named in the box's terms (absolute ones are mapped)."""
        return self.box.file(path)

    def wait(
        self, descriptors: Sequence[Any], timeout: float | None, writers: Sequence[Any] = ()
    ) -> list[Any]:
        """Wait until a descriptor is readable, one of *writers* writable, or *timeout* s passed."""
        if not writers:
            return self.host.wait(descriptors, timeout)
        return self.host.wait(descriptors, timeout, writers)

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.host.sleep(seconds)

    def now(self) -> float:
        """Return monotonic seconds."""
        return self.host.now()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return self.host.wall()
