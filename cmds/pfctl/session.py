"""One run of pfctl(8): its options, the device, the names of the host, and how it says things."""

from __future__ import annotations

from typing import Any, NoReturn, TextIO

from cmds._bsd import err_of
from cmds.pfctl.env import PfEnv
from libnet.conf.pfconf.base import LOAD_ALL
from libnet.conf.pfconf.fp import Fingerprints
from libnet.conf.pfconf.lex import Macros
from libnet.conf.pfconf.printer import Printer
from libnet.errors import NetError
from libnet.ioctl.registry import Ioctl
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import Descriptor

DIALECT = 42
OLD_DIALECT = 37


class Opts:
    """The options, as given."""

    def __init__(self) -> None:
        self.anchor = ""
        self.recurse = False
        self.load = LOAD_ALL
        self.verbose = 0
        self.quiet = self.noaction = self.dummy = self.debug = False
        self.merge = self.usedns = self.clear_counters = self.showall = False
        self.optimize: int | None = None
        self.interface: str | None = None
        self.device = "/dev/pf"


def emit(stream: TextIO, text: str) -> None:
    """Write *text*, and octets of the input that were no UTF-8 as they came."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
        stream.flush()
        buffer = getattr(stream, "buffer", None)
        if buffer is not None:
            buffer.write(raw)
        else:
            stream.write(raw.decode("utf-8", "replace"))


class Session:
    """What the parts of pfctl share.

    dev      the device, None when only parsing without one
    altq     whether the stack can queue
    dialect  42 or 37
    """

    def __init__(self, ctx: Ctx, opts: Opts) -> None:
        self.ctx, self.opts = ctx, opts
        self.err = err_of(ctx)
        self.env = PfEnv(ctx)
        self.dev: Descriptor | None = None
        self.altq = True
        self.dialect = DIALECT
        self.fps = Fingerprints()
        self.macros = Macros()
        self._printer: Printer | None = None
        self._titled = False

    @property
    def printer(self) -> Printer:
        """What prints rules."""
        if self._printer is None:
            self._printer = Printer(
                self.env.services, self.env.protocols, self.fps, dialect=self.dialect
            )
        return self._printer

    def out(self, text: str) -> None:
        """Print on standard output."""
        emit(self.ctx.stdout, text)

    def note(self, text: str) -> None:
        """Print a line on standard error, unless -q."""
        if not self.opts.quiet:
            self.ctx.stderr.write(text + "\n")

    def complain(self, line: str) -> None:
        """Print a line on standard error, -q or not."""
        emit(self.ctx.stderr, line + "\n")

    def title(self, text: str) -> None:
        """Print a heading of -s all; an empty line before each but the first."""
        self.out(f"\n{text}\n" if self._titled else f"{text}\n")
        self._titled = True

    def ioctl(self, row: Ioctl, arg: Any = None) -> Any:
        """Make an ioctl on the device. Raises NetError."""
        if self.dev is None:
            raise NetError("EBADF")
        return self.dev.ioctl(row, arg)

    def must(self, row: Ioctl, arg: Any = None) -> Any:
        """Make an ioctl; end the program when it fails."""
        try:
            return self.ioctl(row, arg)
        except NetError as exc:
            self.err.err(exc, row.name)

    def must_post(self, row: Ioctl, arg: Any) -> None:
        """Make an ioctl that answers nothing; end the program when it fails, or one before it has."""
        if self.dev is None:
            self.err.err("EBADF", row.name)
        try:
            self.dev.post_ioctl(row, arg)
        except NetError as exc:
            self.err.err(exc, row.name)

    def settle(self, row: Ioctl) -> None:
        """Wait for what was posted; end the program when one of *row* has failed."""
        if self.dev is not None:
            try:
                self.dev.settle()
            except NetError as exc:
                self.err.err(exc, row.name)

    def may(self, row: Ioctl, arg: Any = None) -> Any:
        """Make an ioctl; warn and return None when it fails."""
        try:
            return self.ioctl(row, arg)
        except NetError as exc:
            self.err.warn(exc, row.name)
            return None

    def fatal(self, text: str) -> NoReturn:
        """End the program with a message."""
        self.err.errx(text)
