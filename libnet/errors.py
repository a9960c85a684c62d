"""Errors that cross the RPC boundary: the symbol travels, the platform's text is printed.

Numbers and texts are those of the QNX C library (above 235 they differ from every other system).
"""

from __future__ import annotations

import errno as host_errno
from typing import Final

ERRNO: Final[dict[str, tuple[int, str]]] = {
    "EPERM": (1, "Operation not permitted"),
    "ENOENT": (2, "No such file or directory"),
    "ESRCH": (3, "No such process"),
    "EINTR": (4, "Interrupted function call"),
    "EIO": (5, "Input/output error"),
    "ENXIO": (6, "No such device or address"),
    "E2BIG": (7, "Arg list too long"),
    "EBADF": (9, "Bad file descriptor"),
    "EAGAIN": (11, "Resource temporarily unavailable"),
    "ENOMEM": (12, "Not enough memory"),
    "EACCES": (13, "Permission denied"),
    "EFAULT": (14, "Bad address"),
    "EBUSY": (16, "Resource busy"),
    "EEXIST": (17, "File exists"),
    "ENODEV": (19, "No such device"),
    "ENOTDIR": (20, "Not a directory"),
    "EISDIR": (21, "Is a directory"),
    "EINVAL": (22, "Invalid argument"),
    "ENFILE": (23, "Too many open files in system"),
    "EMFILE": (24, "Too many open files"),
    "ENOTTY": (25, "Inappropriate I/O control operation"),
    "EFBIG": (27, "File too large"),
    "ENOSPC": (28, "No space left on device"),
    "EROFS": (30, "Read-only file system"),
    "EPIPE": (32, "Broken pipe"),
    "EDOM": (33, "Math argument out of domain of function"),
    "ERANGE": (34, "Result too large"),
    "ENOTSUP": (48, "Not supported"),
    "ENAMETOOLONG": (78, "Filename too long"),
    "ELIBACC": (83, "Can't access shared library"),
    "ENOSYS": (89, "Function not implemented"),
    "EOPNOTSUPP": (103, "Operation not supported"),
    "EINPROGRESS": (236, "Operation now in progress"),
    "EALREADY": (237, "Operation already in progress"),
    "ENOTSOCK": (238, "Socket operation on non-socket"),
    "EDESTADDRREQ": (239, "Destination address required"),
    "EMSGSIZE": (240, "Message too long"),
    "EPROTOTYPE": (241, "Protocol wrong type for socket"),
    "ENOPROTOOPT": (242, "Protocol not available"),
    "EPROTONOSUPPORT": (243, "Protocol not supported"),
    "ESOCKTNOSUPPORT": (244, "Socket type not supported"),
    "EPFNOSUPPORT": (246, "Protocol family not supported"),
    "EAFNOSUPPORT": (247, "Address family not supported by protocol family"),
    "EADDRINUSE": (248, "Address already in use"),
    "EADDRNOTAVAIL": (249, "Can't assign requested address"),
    "ENETDOWN": (250, "Network is down"),
    "ENETUNREACH": (251, "Network is unreachable"),
    "ENETRESET": (252, "Network dropped connection on reset"),
    "ECONNABORTED": (253, "Software caused connection abort"),
    "ECONNRESET": (254, "Connection reset by peer"),
    "ENOBUFS": (255, "No buffer space available"),
    "EISCONN": (256, "Socket is already connected"),
    "ENOTCONN": (257, "Socket is not connected"),
    "ESHUTDOWN": (258, "Can't send after socket shutdown"),
    "ETOOMANYREFS": (259, "Too many references: can't splice"),
    "ETIMEDOUT": (260, "Connection timed out"),
    "ECONNREFUSED": (261, "Connection refused"),
    "EHOSTDOWN": (264, "Host is down"),
    "EHOSTUNREACH": (265, "No route to host"),
}


def strerror(symbol: str) -> str:
    """Return the platform's text for an error symbol.

    >>> strerror("EBUSY")
    'Resource busy'
    """
    row = ERRNO.get(symbol)
    return row[1] if row else f"Unknown error {symbol}"


class NetError(OSError):
    """An errno from the stack.

    symbol    "EEXIST": what is sent, since numbers differ between systems
    errno     this host's number, so `except FileExistsError` is not promised, `.errno` is
    strerror  the platform's text, never the host's
    """

    def __init__(self, symbol: str) -> None:
        super().__init__(getattr(host_errno, symbol, host_errno.EIO), strerror(symbol))
        self.symbol = symbol

    def __reduce__(self) -> tuple[type[NetError], tuple[str]]:
        return type(self), (self.symbol,)


def from_host(exc: OSError) -> NetError:
    """Return the NetError that names what the host's *exc* says."""
    if isinstance(exc, NetError):
        return exc
    symbol = host_errno.errorcode.get(exc.errno or 0, "EIO")
    return NetError(symbol if symbol in ERRNO else "EIO")
