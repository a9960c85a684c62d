"""err(3): messages as `prog: what: text` on the program's standard error."""

from __future__ import annotations

from typing import NoReturn, TextIO

from libnet.errors import NetError, from_host, strerror


def _text(error: OSError | str) -> str:
    if isinstance(error, str):
        return strerror(error)
    return strerror((error if isinstance(error, NetError) else from_host(error)).symbol)


class Err:
    """err, errx, warn and warnx of one program.

    error  the OSError (or error symbol) whose text goes last
    """

    def __init__(self, prog: str, stderr: TextIO) -> None:
        self.prog, self.stderr = prog, stderr

    def warn(self, error: OSError | str, what: str) -> None:
        """Print `prog: what: text of error`."""
        self.stderr.write(f"{self.prog}: {what}: {_text(error)}\n")

    def warnx(self, what: str) -> None:
        """Print `prog: what`."""
        self.stderr.write(f"{self.prog}: {what}\n")

    def err(self, error: OSError | str, what: str, status: int = 1) -> NoReturn:
        """Print as warn() and exit."""
        self.warn(error, what)
        raise SystemExit(status)

    def errx(self, what: str, status: int = 1) -> NoReturn:
        """Print as warnx() and exit."""
        self.warnx(what)
        raise SystemExit(status)
