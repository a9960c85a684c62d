"""NFS versions 2 and 3 (RFC 1094, RFC 1813) over ONC RPC (RFC 5531)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from libnet.text.dump.ndo import Ndo, Trunc, need, shown, take, tok2str, u2, u3, u4, u8

_CALL, _REPLY = 0, 1
_WORDS: Final = (
    "null getattr setattr lookup access readlink read write create mkdir symlink mknod remove "
    "rmdir rename link readdir readdirplus fsstat fsinfo pathconf commit"
)
_NAMES: Final = {**dict(enumerate(_WORDS.split())), 25: "nop"}
# What version 2 calls procedures 0 to 17 of its own, as numbers of version 3.
_FROM_V2: Final = (0, 1, 2, 25, 3, 5, 6, 25, 7, 8, 12, 14, 15, 10, 9, 13, 16, 18)
_NFS_PROCS: Final = 26
_ACCESS: Final = (
    (0x01, "NFS_ACCESS_READ"), (0x02, "NFS_ACCESS_LOOKUP"), (0x04, "NFS_ACCESS_MODIFY"),
    (0x08, "NFS_ACCESS_EXTEND"), (0x10, "NFS_ACCESS_DELETE"), (0x20, "NFS_ACCESS_EXECUTE"),
)  # fmt: skip
_TYPES: Final = {0: "NON", 1: "REG", 2: "DIR", 3: "BLK", 4: "CHR", 5: "LNK", 7: "FIFO"}
_BLK, _CHR = 3, 4
_MODES: Final = {0: "unstable", 1: "datasync", 2: "filesync"}
_STATUS: Final = {
    1: "Operation not permitted", 2: "No such file or directory", 5: "Input/output error",
    6: "Device not configured", 11: "Resource deadlock avoided", 12: "Cannot allocate memory",
    13: "Permission denied", 17: "File exists", 18: "Cross-device link",
    19: "Operation not supported by device", 20: "Not a directory", 21: "Is a directory",
    22: "Invalid argument", 26: "Text file busy", 27: "File too large",
    28: "No space left on device", 30: "Read-only file system", 31: "Too many links",
    45: "Operation not supported", 62: "Too many levels of symbolic links",
    63: "File name too long", 66: "Directory not empty", 69: "Disc quota exceeded",
    70: "Stale NFS file handle", 71: "Too many levels of remote in path",
    99: "Write cache flushed to disk", 10001: "Illegal NFS file handle",
    10002: "Update synchronization mismatch", 10003: "READDIR/READDIRPLUS cookie is stale",
    10004: "Operation not supported", 10005: "Buffer or request is too small",
    10006: "Unspecified error on server", 10007: "Object of that type not supported",
    10008: "Request couldn't be completed in time",
}  # fmt: skip
_ACCEPTED: Final = {
    1: "PROG_UNAVAIL", 2: "PROG_MISMATCH", 3: "PROC_UNAVAIL", 4: "GARBAGE_ARGS",
    5: "SYSTEM_ERR",
}  # fmt: skip
_AUTHS: Final = {
    0: "OK", 1: "Bogus Credentials (seal broken)",
    2: "Rejected Credentials (client should begin new session)",
    3: "Bogus Verifier (seal broken)", 4: "Verifier expired or was replayed",
    5: "Credentials are too weak", 6: "Bogus response verifier", 7: "Unknown failure",
}  # fmt: skip
_MAX_XIDS: Final = 64
_MAX_SHOWN: Final = 32
_V2_HANDLE: Final = 32
# Which addresses of the IP header, by its version: where they start and how long both are.
_ENDS: Final = {4: (12, 4), 6: (8, 16)}


def nfs_call(b: bytes, o: int) -> bool | None:
    """Return whether the RPC message at *o* is a call or a reply; None if neither."""
    if o + 8 > len(b):
        return None
    return {_CALL: True, _REPLY: False}.get(u4(b, o + 4))


def nfs_udp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int, *, call: bool) -> None:
    """Print the RPC message at *o*, of *length* octets, on NFS's port."""
    if call:
        ndo.p(f"NFS request xid {u4(b, o)} ")
        _request(ndo, b, o, length, iph)
    else:
        ndo.p(f"NFS reply xid {u4(b, o)} ")
        reply_print(ndo, b, o, length, iph)


def nfs_tcp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int, *, to_server: bool) -> bool:
    """Print the record at *o* of a connection; return False if it is none of NFS."""
    ndo.protocol = "nfs"
    if length <= 4 or o + 12 > len(b):
        return False
    call = nfs_call(b, o + 4)
    if call is None or call != to_server:
        return False
    size = min(u4(b, o) & 0x7FFFFFFF, length - 4)
    ndo.p(": ")
    nfs_udp_print(ndo, b, o + 4, size, iph, call=call)
    return True


class _Reader:
    """Walks through XDR; lengths are in octets."""

    __slots__ = ("at", "b", "ndo")

    def __init__(self, ndo: Ndo, b: bytes, at: int) -> None:
        self.ndo, self.b, self.at = ndo, b, at

    def u4(self) -> int:
        """Return the next four octets; raises Trunc."""
        value = u4(self.b, self.at)
        self.at += 4
        return value

    def u8(self) -> int:
        """Return the next eight octets; raises Trunc."""
        value = u8(self.b, self.at)
        self.at += 8
        return value

    def handle(self, v3: bool) -> None:
        """Print a file handle; raises Trunc."""
        size = self.u4() if v3 else _V2_HANDLE
        need(self.b, self.at, size)
        _handle(self.ndo, self.b, self.at, size // 4)
        self.at += size // 4 * 4

    def name(self) -> None:
        """Print a name in quotes; raises Trunc."""
        size = self.u4()
        padded = size + 3 & ~3
        if padded > 0xFFFFFFFF:
            self.ndo.p("[cannot pad to 32-bit boundaries]")
            self.ndo.invalid()
            raise Trunc
        text = self.b[self.at : self.at + size]
        self.ndo.p(f'"{shown(text)}')
        if self.at + size > len(self.b):
            raise Trunc
        self.ndo.p('"')
        self.at += padded

    def handle_and_name(self, v3: bool) -> None:
        """Print a directory and a name in it; raises Trunc."""
        self.handle(v3)
        self.ndo.p(" ")
        self.name()

    def fail(self) -> NoReturn:
        """Give up."""
        raise Trunc


def _handle(ndo: Ndo, b: bytes, o: int, words: int) -> None:
    """Print a file handle, with the device and the inode if some old server's can be seen in it."""
    if ndo.uflag:
        ndo.p(" fh[" + ":".join([f"{u4(b, o + 4 * i):x}" for i in range(words)]) + "]")
        return
    found = _known_handle(b, o, words) if words >= 4 else None
    if found is None:
        # As many letters of the word as the handle has words.
        octets = take(b, o, min(words * 4, _MAX_SHOWN)).hex().upper()
        ndo.p(f" fh {'Unknown'[:words]}/{octets}")
    else:
        ndo.p(f" fh {found[0]},{found[1]}/{found[2]}")


def _known_handle(b: bytes, o: int, words: int) -> tuple[int, int, int] | None:
    """Return (major, minor, inode) of a handle if one of the systems of the 1990s made it."""
    h = take(b, o, words * 4)
    if not (h[0] or h[1]):
        if not (h[2] or h[3]):  # Auspex
            return h[6], h[7], u4(h, 12)
        if h[4] and not h[5] and h[8] == 12 and not h[9]:
            return _osf(h)
        if not h[4] and h[5] == 8 and not (h[6] or h[7]):  # IRIX 4
            return h[2], h[3], u4(h, 8)
        return h[2], h[3], u4(h, 12)  # SunOS 4
    if not (h[2] or h[3]):
        if not (h[6] or h[7]):  # 4.4BSD
            return h[1], h[0], int.from_bytes(h[12:16], "little")
        if words >= 6 and not (h[21] or h[23]):  # Ultrix
            return h[1], h[0], int.from_bytes(h[4:8], "little")
        return _sunos5(h) if h[9] == 10 else None
    if h[8] == 12 and not h[9]:
        return _osf(h)
    if not h[8] and h[9] == 10:
        if not (h[4] or h[5] or h[6] or h[7]):  # HP-UX 9
            return h[0], u3(h, 1), u4(h, 12)
        return _sunos5(h)
    return None


def _osf(h: bytes) -> tuple[int, int, int]:
    device = int.from_bytes(h[:4], "little")
    return device >> 20, device & 0xFFFFF, int.from_bytes(h[12:16], "little")


def _sunos5(h: bytes) -> tuple[int, int, int]:
    return u2(h, 0) >> 2, u3(h, 1) & 0x3FFFF, u4(h, 12)


# -- calls


def _key(b: bytes, iph: int, xid: int, call: bool) -> tuple[int, bytes, bytes]:
    start, size = _ENDS.get(b[iph] >> 4, (12, 4))
    one = b[iph + start : iph + start + size]
    two = b[iph + start + size : iph + start + 2 * size]
    return (xid, one, two) if call else (xid, two, one)


def _request(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    ndo.protocol = "nfs"
    p = ndo.p
    p(f"{length}")
    need(b, o, 24)
    version, proc = u4(b, o + 16), u4(b, o + 20)
    known: dict[tuple[int, bytes, bytes], tuple[int, int]] = ndo.memory.setdefault("nfs", {})
    key = _key(b, iph, u4(b, o), call=True)
    if key not in known and len(known) >= _MAX_XIDS:
        del known[next(iter(known))]
    known[key] = proc, version
    v3 = version == 3
    if not v3 and proc < _NFS_PROCS:
        proc = _FROM_V2[proc] if proc < len(_FROM_V2) else 25
    p(f" {tok2str(_NAMES, 'proc-%u', proc)}")
    printer = _REQUESTS.get(proc)
    if printer is None:
        return
    at = o + 24
    for _ in range(2):  # credentials and verifier
        size = u4(b, at + 4)
        if length < size:
            ndo.longjmp()
        at += (size + 11) // 4 * 4
        need(b, at, 0)
    printer(_Reader(ndo, b, at), v3)


def _call_handle(r: _Reader, v3: bool) -> None:
    r.handle(v3)


def _call_name(r: _Reader, v3: bool) -> None:
    r.handle_and_name(v3)


def _call_access(r: _Reader, v3: bool) -> None:
    p = r.ndo.p
    r.handle(v3)
    flags = r.u4()
    if flags & ~0x3F:
        p(f" {flags:04x}")
        return
    if flags & 0x3F == 0x3F:
        p(" NFS_ACCESS_FULL")
        return
    sep = " "
    for bit, word in _ACCESS:
        if flags & bit:
            p(f"{sep}{word}")
            sep = "|"


def _call_read(r: _Reader, v3: bool) -> None:
    r.handle(v3)
    if v3:
        offset = r.u8()
        r.ndo.p(f" {r.u4()} bytes @ {offset}")
    else:
        offset = r.u4()
        r.ndo.p(f" {r.u4()} bytes @ {offset}")


def _call_write(r: _Reader, v3: bool) -> None:
    p = r.ndo.p
    r.handle(v3)
    if v3:
        need(r.b, r.at, 20)
        offset, count, mode, size = r.u8(), r.u4(), r.u4(), r.u4()
        p(f" {size} ({count}) bytes @ {offset}")
        if r.ndo.vflag:
            p(f" <{tok2str(_MODES, f'#{_signed(mode)}', mode)}>")
    else:
        need(r.b, r.at, 16)
        begin, offset, total, size = r.u4(), r.u4(), r.u4(), r.u4()
        p(f" {size} ({total}) bytes @ {offset} ({begin})")


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value


class _Sattr:
    """The attributes of version 3 that are to be set, as text.

    Of a size only one half is stepped over, as the original does; it is not told.
    """

    def __init__(self, r: _Reader) -> None:
        self.text = ""
        for word in ("mode", "uid", "gid", "size"):
            if r.u4():
                value = r.u4()
                if word != "size":
                    self.text += f" {word} {value:o}" if word == "mode" else f" {word} {value}"
        for word in ("atime", "mtime"):
            if r.u4() == 2:
                when = f" {word} {r.u4()}.{r.u4():06d}"
                if r.ndo.vflag > 1:
                    self.text += when


def _call_symlink(r: _Reader, v3: bool) -> None:
    r.handle_and_name(v3)
    r.ndo.p(" ->")
    sattr = _Sattr(r) if v3 else None
    r.name()
    if sattr is not None and r.ndo.vflag:
        r.ndo.p(sattr.text)


def _call_mknod(r: _Reader, v3: bool) -> None:
    p = r.ndo.p
    r.handle_and_name(v3)
    kind = r.u4()
    sattr = _Sattr(r)
    p(f" {tok2str(_TYPES, 'unk-ft %u', kind)}")
    if not r.ndo.vflag:
        return
    if kind in (_CHR, _BLK):
        p(f" {r.u4()}/{r.u4()}")
    p(sattr.text)


def _call_rename(r: _Reader, v3: bool) -> None:
    r.handle_and_name(v3)
    r.ndo.p(" ->")
    r.handle_and_name(v3)


def _call_link(r: _Reader, v3: bool) -> None:
    r.handle(v3)
    r.ndo.p(" ->")
    r.handle_and_name(v3)


def _call_readdir(r: _Reader, v3: bool) -> None:
    p = r.ndo.p
    r.handle(v3)
    if v3:
        need(r.b, r.at, 20)
        cookie, verf, other, count = r.u8(), r.u4(), r.u4(), r.u4()
        cookie = cookie - (1 << 64) if cookie >> 63 else cookie
        p(f" {count} bytes @ {cookie}")
        if r.ndo.vflag:
            p(f" verf {verf:08x}{other:08x}")
    else:
        cookie = r.u4()
        p(f" {r.u4()} bytes @ {cookie}")


def _call_readdirplus(r: _Reader, v3: bool) -> None:
    p = r.ndo.p
    r.handle(v3)
    need(r.b, r.at, 20)
    cookie, verf, other, count = r.u8(), r.u4(), r.u4(), r.u4()
    p(f" {count} bytes @ {cookie - (1 << 64) if cookie >> 63 else cookie}")
    if r.ndo.vflag:
        p(f" max {r.u4()} verf {verf:08x}{other:08x}")


def _call_commit(r: _Reader, v3: bool) -> None:
    r.handle(v3)
    offset = r.u8()
    r.ndo.p(f" {r.u4()} bytes @ {offset}")


_REQUESTS: Final[dict[int, Callable[[_Reader, bool], None]]] = {
    1: _call_handle, 2: _call_handle, 3: _call_name, 4: _call_access, 5: _call_handle,
    6: _call_read, 7: _call_write, 8: _call_name, 9: _call_name, 10: _call_symlink,
    11: _call_mknod, 12: _call_name, 13: _call_name, 14: _call_rename, 15: _call_link,
    16: _call_readdir, 17: _call_readdirplus, 18: _call_handle, 19: _call_handle,
    20: _call_handle, 21: _call_commit,
}  # fmt: skip


# -- replies


def reply_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print the reply at *o*, of *length* octets."""
    ndo.protocol = "nfs"
    p = ndo.p
    state = u4(b, o + 8)
    if state == 0:
        p(f"reply ok {length}")
        key = _key(b, iph, u4(b, o), call=False)
        known = ndo.memory.get("nfs", {}).get(key)
        if known is not None:
            _results(ndo, b, o, length, *known)
    elif state == 1:
        p(f"reply ERR {length}: ")
        why = u4(b, o + 12)
        if why == 0:
            p(f"RPC Version mismatch ({u4(b, o + 16)}-{u4(b, o + 20)})")
        elif why == 1:
            p(f"Auth {tok2str(_AUTHS, 'Invalid failure code %u', u4(b, o + 16))}")
        else:
            p(f"Unknown reason for rejecting rpc message {why}")
    else:
        p(f"reply Unknown rpc response code={state} {length}")


def _results(ndo: Ndo, b: bytes, o: int, length: int, proc: int, version: int) -> None:
    v3 = version == 3
    if not v3 and proc < _NFS_PROCS:
        proc = _FROM_V2[proc] if proc < len(_FROM_V2) else 25
    ndo.p(f" {tok2str(_NAMES, 'proc-%u', proc)}")
    printer = _REPLIES.get(proc)
    if printer is None:
        return
    # Behind the verifier: whether the call was done at all, then how it went.
    size = u4(b, o + 16)
    if size >= length:
        return
    at = o + 20 + size
    accepted = u4(b, at)
    if accepted:
        ndo.p(f" {tok2str(_ACCEPTED, 'ar_stat %u', accepted)}")
        return
    r = _Reader(ndo, b, at + 4)
    status = r.u4()
    if status:
        ndo.p(f" ERROR: {tok2str(_STATUS, 'unk %u', status)}")
    printer(r, v3, status)


def _attributes(r: _Reader, verbose: int, v3: bool) -> None:
    """Print the attributes of a file."""
    p = r.ndo.p
    start = r.at
    kind, mode, links, uid, gid = r.u4(), r.u4(), r.u4(), r.u4(), r.u4()
    if verbose:
        p(f" {tok2str(_TYPES, 'unk-ft %u ', kind)} {mode:o} ids {_signed(uid)}/{_signed(gid)}")
        p(f" sz {u8(r.b, start + 20) if v3 else u4(r.b, start + 20)}")
    if verbose > 1:
        if v3:
            p(f" nlink {links} rdev {u4(r.b, start + 36)}/{u4(r.b, start + 40)}")
            p(f" fsid {u8(r.b, start + 44):x}")
            p(f" fileid {u8(r.b, start + 52):x}")
            times = start + 60
        else:
            p(
                f" nlink {links} rdev 0x{u4(r.b, start + 28):x} "
                f"fsid 0x{u4(r.b, start + 36):x} nodeid 0x{u4(r.b, start + 40):x}"
            )
            times = start + 44
        p(" a/m/ctime")
        for at in range(times, times + 24, 8):
            p(f" {u4(r.b, at)}.{u4(r.b, at + 4):06d}")
    r.at = start + (84 if v3 else 68)


def _post(r: _Reader, verbose: int) -> None:
    """Print attributes of version 3 that may be missing."""
    if r.u4():
        _attributes(r, verbose, v3=True)


def _wcc(r: _Reader, verbose: int) -> None:
    """Print what changed: a file's size and times before, its attributes after."""
    p = r.ndo.p
    if verbose > 1:
        p(" PRE:")
    if r.u4():
        need(r.b, r.at, 24)
        size = r.u8()
        times = [r.u4() for _ in range(4)]
        if verbose > 1:
            p(f" sz {size}")
            p(f" mtime {times[0]}.{times[1]:06d} ctime {times[2]}.{times[3]:06d}")
    if verbose:
        p(" POST:")
    _post(r, verbose)


def _getattr(r: _Reader, v3: bool, status: int) -> None:
    if not status:
        _attributes(r, int(not r.ndo.qflag), v3)


def _setattr(r: _Reader, v3: bool, status: int) -> None:
    if v3:
        _wcc(r, r.ndo.vflag)
    elif not status:
        _attributes(r, int(not r.ndo.qflag), v3)


def _lookup(r: _Reader, v3: bool, status: int) -> None:
    p = r.ndo.p
    if v3:
        if not status:
            r.handle(v3)
            _post(r, r.ndo.vflag)
            if r.ndo.vflag > 1:
                p(" post dattr:")
                _post(r, r.ndo.vflag)
        elif r.ndo.vflag > 1:
            p(" post dattr:")
            _post(r, r.ndo.vflag)
    elif not status:
        r.handle(v3)
        _attributes(r, r.ndo.vflag, v3)


def _access(r: _Reader, v3: bool, status: int) -> None:
    p = r.ndo.p
    if r.ndo.vflag:
        p(" attr:")
    _post(r, r.ndo.vflag)
    if not status:
        p(f" c {r.u4():04x}")


def _readlink(r: _Reader, v3: bool, status: int) -> None:
    if status:
        return
    if v3:
        _post(r, r.ndo.vflag)
    r.ndo.p(" ")
    r.name()


def _read(r: _Reader, v3: bool, status: int) -> None:
    p = r.ndo.p
    if v3:
        _post(r, r.ndo.vflag)
        if status:
            return
        if r.ndo.vflag:
            p(f" {r.u4()} bytes")
            if r.u4():
                p(" EOF")
    elif not status:
        _attributes(r, r.ndo.vflag, v3)


def _write(r: _Reader, v3: bool, status: int) -> None:
    p = r.ndo.p
    if v3:
        _wcc(r, r.ndo.vflag)
        if status:
            return
        if r.ndo.vflag:
            p(f" {r.u4()} bytes")
            if r.ndo.vflag > 1:
                mode = r.u4()
                p(f" <{tok2str(_MODES, f'#{_signed(mode)}', mode)}>")
                p(f" verf {r.u8():x}")
    elif not status:
        _attributes(r, r.ndo.vflag, v3)


def _create(r: _Reader, v3: bool, status: int) -> None:
    if v3:
        if status:
            _wcc(r, r.ndo.vflag)
            return
        if not r.u4():
            return
        r.handle(v3)
        _post(r, r.ndo.vflag)
        if r.ndo.vflag > 1:
            r.ndo.p(" dir attr:")
            _wcc(r, r.ndo.vflag)
    elif not status:
        r.handle(v3)
        _attributes(r, r.ndo.vflag, v3)


def _symlink(r: _Reader, v3: bool, status: int) -> None:
    if v3:
        _create(r, v3, status)


def _remove(r: _Reader, v3: bool, status: int) -> None:
    if v3 and r.ndo.vflag:
        _wcc(r, r.ndo.vflag)


def _rename(r: _Reader, v3: bool, status: int) -> None:
    if v3 and r.ndo.vflag:
        r.ndo.p(" from:")
        _wcc(r, r.ndo.vflag)
        r.ndo.p(" to:")
        _wcc(r, r.ndo.vflag)


def _link(r: _Reader, v3: bool, status: int) -> None:
    if v3 and r.ndo.vflag:
        r.ndo.p(" file POST:")
        _post(r, r.ndo.vflag)
        r.ndo.p(" dir:")
        _wcc(r, r.ndo.vflag)


def _readdir(r: _Reader, v3: bool, status: int) -> None:
    p = r.ndo.p
    if v3:
        if r.ndo.vflag:
            p(" POST:")
        _post(r, r.ndo.vflag)
        if status:
            return
        if r.ndo.vflag:
            p(f" verf {r.u8():016x}")
    elif not status:
        need(r.b, r.at, 8)
        first, end = r.u4(), r.u4()
        p(f" offset 0x{first:x} size {end} ")
        if u4(r.b, r.at):
            p(" eof")


def _readdirplus(r: _Reader, v3: bool, status: int) -> None:
    if v3:
        _readdir(r, v3, status)


def _fsstat(r: _Reader, v3: bool, status: int) -> None:
    p = r.ndo.p
    if v3:
        if r.ndo.vflag:
            p(" POST:")
        _post(r, r.ndo.vflag)
    if status:
        return
    if v3:
        need(r.b, r.at, 52)
        total, free, available = r.u8(), r.u8(), r.u8()
        p(f" tbytes {total} fbytes {free} abytes {available}")
        if r.ndo.vflag:
            total, free, available = r.u8(), r.u8(), r.u8()
            p(f" tfiles {total} ffiles {free} afiles {available} invar {r.u4()}")
    else:
        need(r.b, r.at, 20)
        size, block, blocks, free, available = r.u4(), r.u4(), r.u4(), r.u4(), r.u4()
        p(f" tsize {size} bsize {block} blocks {blocks} bfree {free} bavail {available}")


def _fsinfo(r: _Reader, v3: bool, status: int) -> None:
    if not v3:
        return
    p = r.ndo.p
    if r.ndo.vflag:
        p(" POST:")
    _post(r, r.ndo.vflag)
    if status:
        return
    need(r.b, r.at, 48)
    rtmax, rtpref, rtmult, wtmax, wtpref, wtmult, dtpref = [r.u4() for _ in range(7)]
    p(f" rtmax {rtmax} rtpref {rtpref} wtmax {wtmax} wtpref {wtpref} dtpref {dtpref}")
    if r.ndo.vflag:
        p(f" rtmult {rtmult} wtmult {wtmult} maxfsz {r.u8()}")
        p(f" delta {r.u4()}.{r.u4():06d} ")


def _pathconf(r: _Reader, v3: bool, status: int) -> None:
    if not v3:
        return
    p = r.ndo.p
    if r.ndo.vflag:
        p(" POST:")
    _post(r, r.ndo.vflag)
    if status:
        return
    need(r.b, r.at, 24)
    links, names = r.u4(), r.u4()
    words = [word if r.u4() else "" for word in ("notrunc", "chownres", "igncase", "keepcase")]
    p(f" linkmax {links} namemax {names} {' '.join(words)}")


def _commit(r: _Reader, v3: bool, status: int) -> None:
    if v3 and r.ndo.vflag:
        _wcc(r, r.ndo.vflag)
        if r.ndo.vflag > 1:
            r.ndo.p(f" verf {r.u8():x}")


_REPLIES: Final[dict[int, Callable[[_Reader, bool, int], None]]] = {
    1: _getattr, 2: _setattr, 3: _lookup, 4: _access, 5: _readlink, 6: _read, 7: _write,
    8: _create, 9: _create, 10: _symlink, 11: _symlink, 12: _remove, 13: _remove, 14: _rename,
    15: _link, 16: _readdir, 17: _readdirplus, 18: _fsstat, 19: _fsinfo, 20: _pathconf,
    21: _commit,
}  # fmt: skip
