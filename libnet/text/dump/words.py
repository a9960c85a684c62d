"""Protocols that are lines of text: HTTP, SIP, RTSP, FTP, SMTP, whois, and the first line of SSH."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo

_MAX_TOKEN: Final = 128
_HTTP_WORDS: Final = (
    "GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH "
    "UNLOCK REPORT UPDATE NOTIFY BDELETE CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST "
    "SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY MKWORKSPACE UNSUBSCRIBE "
    "RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL"
)
_HTTP: Final = frozenset(_HTTP_WORDS.split())
_SIP_WORDS: Final = (
    "ACK BYE CANCEL DO INFO INVITE MESSAGE NOTIFY OPTIONS PRACK QAUTH REFER REGISTER SPRACK "
    "SUBSCRIBE UPDATE PUBLISH"
)
_SIP: Final = frozenset(_SIP_WORDS.split())
_RTSP_WORDS: Final = (
    "DESCRIBE ANNOUNCE GET_PARAMETER OPTIONS PAUSE PLAY RECORD REDIRECT SETUP SET_PARAMETER "
    "TEARDOWN"
)
_RTSP: Final = frozenset(_RTSP_WORDS.split())
_BLANKS: Final = b" \t\r\n"
_PRINTABLE: Final = frozenset((*range(0x20, 0x7F), 9))


def _token(b: bytes, o: int, idx: int, length: int) -> tuple[str, int]:
    """Return the word at *idx* and where the next one starts; 0 for that if there is no word."""
    data = b[o : o + length]
    end = idx
    while end < length:
        if end >= len(data):
            return "", 0
        c = data[end]
        if c in _BLANKS:
            break
        if not 0x20 <= c < 0x7F or end - idx + 2 > _MAX_TOKEN + 1:
            return "", 0
        end += 1
    if end == idx:
        return "", 0
    word = data[idx:end].decode("ascii")
    while end < len(data) and data[end] == 0x20:
        end += 1
    return word, end


def _line(ndo: Ndo, before: str, b: bytes, o: int, idx: int, length: int) -> int:
    """Print the line at *idx*; return where the next one is, 0 to stop."""
    start = idx
    while idx < length:
        c = b[o + idx]
        if c == 10:
            _show(ndo, before, b, o + start, o + idx)
            return idx + 1
        if c == 13:
            # A CR that nothing follows, or something else than LF, is not text.
            if idx + 1 < length and b[o + idx + 1] == 10:
                _show(ndo, before, b, o + start, o + idx)
                return idx + 2
            return 0
        if c not in _PRINTABLE:
            return 0
        idx += 1
    _show(ndo, before, b, o + start, o + idx)
    ndo.trunc()
    return 0


def _show(ndo: Ndo, before: str, b: bytes, start: int, end: int) -> None:
    ndo.p(before + b[start:end].decode("ascii"))


def _print(ndo: Ndo, b: bytes, o: int, length: int, commands: frozenset[str] | None) -> None:
    """Print the first line, or with -v all of them.

    commands  words that start a request, so that the inside of a body is left out; None: no bodies
    """
    ndo.p(ndo.protocol.upper())
    if commands is not None:
        word, idx = _token(b, o, 0, length)
        if not idx:
            return
        if word.upper() not in commands:
            # Not a request: a response has its code in the second place.
            code, idx = _token(b, o, idx, length)
            if not (idx and len(code) == 3 and code.isdigit()):
                return
    if ndo.vflag:
        ndo.p(f", length: {length}")
        idx = 0
        while idx < length:
            idx = _line(ndo, "\n\t", b, o, idx, length)
            if not idx:
                break
    else:
        _line(ndo, ": ", b, o, 0, length)


def http_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print HTTP."""
    ndo.protocol = "http"
    _print(ndo, b, o, length, _HTTP)


def sip_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print SIP."""
    ndo.protocol = "sip"
    _print(ndo, b, o, length, _SIP)


def rtsp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print RTSP."""
    ndo.protocol = "rtsp"
    _print(ndo, b, o, length, _RTSP)


def ftp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the control connection of FTP."""
    ndo.protocol = "ftp"
    _print(ndo, b, o, length, None)


def smtp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print SMTP."""
    ndo.protocol = "smtp"
    _print(ndo, b, o, length, None)


def whois_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print whois."""
    ndo.protocol = "whois"
    _print(ndo, b, o, length, None)


def ssh_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the line with which SSH starts, nothing of what is encrypted."""
    ndo.protocol = "ssh"
    for i, c in enumerate(b"SSH-"):
        if b[o + i] != c:
            return
    idx = 4
    while idx < length:
        c = b[o + idx]
        if c == 10 or (c == 13 and idx + 1 < length and b[o + idx + 1] == 10):
            _show(ndo, ": SSH: ", b, o, o + idx)
            return
        if not 0x20 <= c < 0x7F:
            return
        idx += 1


def beep_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print what kind of frame BEEP (RFC 3080) sends."""
    ndo.protocol = "beep"
    head = b[o : o + 4]
    if len(head) == 4 and length >= 4:
        if head in (b"RPY ", b"ERR ", b"ANS ", b"NUL ", b"SEQ "):
            ndo.p(f" BEEP {head[:3].decode('ascii')}")
            return
        if head in (b"MSG\0", b"END\0"):
            ndo.p(f" BEEP {head[:3].decode('ascii')}")
            return
    ndo.p(" BEEP (payload or undecoded)")
