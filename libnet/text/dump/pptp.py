"""The control connection of PPTP (RFC 2637)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.text.dump.ndo import Ndo, u2, u4

_MESSAGES: Final = {
    0: "NOT_DEFINED",
    1: "SCCRQ", 2: "SCCRP", 3: "StopCCRQ", 4: "StopCCRP", 5: "ECHORQ", 6: "ECHORP", 7: "OCRQ",
    8: "OCRP", 9: "ICRQ", 10: "ICRP", 11: "ICCN", 12: "CCRQ", 13: "CDN", 14: "WEN", 15: "SLI",
}  # fmt: skip
_ERRORS: Final = {
    0: "None", 1: "Not-Connected", 2: "Bad-Format", 3: "Bad-Value", 4: "No-Resource",
    5: "Bad-Call-ID", 6: "PAC-Error",
}  # fmt: skip
_SCCRP: Final = {
    1: "Successful channel establishment", 2: "General error",
    3: "Command channel already exists",
    4: "Requester is not authorized to establish a command channel",
    5: "The protocol version of the requester is not supported",
}  # fmt: skip
_STOP: Final = {1: "OK", 2: "General Error"}
_OCRP: Final = {
    1: "Connected", 2: "General Error", 3: "No Carrier", 4: "Busy", 5: "No Dial Tone",
    6: "Time-out", 7: "Do Not Accept",
}  # fmt: skip
_ICRP: Final = {1: "Connect", 2: "General Error", 3: "Do Not Accept"}
_CDN: Final = {1: "Lost Carrier", 2: "General Error", 3: "Admin Shutdown", 4: "Request"}
_BEARERS: Final = {1: "A", 2: "D", 3: "Any"}
_FRAMES: Final = {1: "A", 2: "S", 3: "E"}
_REASONS: Final = {1: ":None", 2: ":Stop-Protocol", 3: ":Stop-Local-Shutdown"}
_HEADER: Final = 12
_COOKIE: Final = 0x1A2B3C4D


def _reserved(ndo: Ndo, value: int) -> None:
    if value:
        ndo.p(f" [ERROR: reserved={value} must be zero]")


def _text(ndo: Ndo, word: str, b: bytes, o: int, size: int) -> None:
    ndo.p(f" {word}(")
    ndo.printjnp(b, o, size)
    ndo.p(")")


def _result(ndo: Ndo, b: bytes, o: int, words: dict[int, str]) -> None:
    """Print a result code and the error code after it."""
    ndo.p(f" RESULT_CODE({b[o]}")
    if ndo.vflag:
        ndo.p(f":{words.get(b[o], '?')}")
    ndo.p(")")
    _error(ndo, b, o + 1)


def _error(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" ERR_CODE({b[o]}")
    if ndo.vflag:
        ndo.p(f":{_ERRORS.get(b[o], '?')}")
    ndo.p(")")


def _framing(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(" FRAME_CAP(")
    value = u4(b, o)
    ndo.p(f"{'A' if value & 1 else ''}{'S' if value & 2 else ''})")


def _bearing(ndo: Ndo, b: bytes, o: int) -> None:
    value = u4(b, o)
    ndo.p(f" BEARER_CAP({'D' if value & 2 else ''}{'A' if value & 1 else ''})")


def _start(ndo: Ndo, b: bytes, o: int, reply: bool) -> None:
    p = ndo.p
    p(f" PROTO_VER({b[o]}.{b[o + 1]})")
    if reply:
        _result(ndo, b, o + 2, _SCCRP)
    else:
        _reserved(ndo, u2(b, o + 2))
    _framing(ndo, b, o + 4)
    _bearing(ndo, b, o + 8)
    p(f" MAX_CHAN({u2(b, o + 12)})")
    p(f" FIRM_REV({u2(b, o + 14)})")
    _text(ndo, "HOSTNAME", b, o + 16, 64)
    _text(ndo, "VENDOR", b, o + 80, 64)


def _sccrq(ndo: Ndo, b: bytes, o: int) -> None:
    _start(ndo, b, o, reply=False)


def _sccrp(ndo: Ndo, b: bytes, o: int) -> None:
    _start(ndo, b, o, reply=True)


def _stop_request(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" REASON({b[o]}")
    if ndo.vflag:
        ndo.p(_REASONS.get(b[o], ":?"))
    ndo.p(")")
    _reserved(ndo, b[o + 1])
    _reserved(ndo, u2(b, o + 2))


def _stop_reply(ndo: Ndo, b: bytes, o: int) -> None:
    _result(ndo, b, o, _STOP)
    _reserved(ndo, u2(b, o + 2))


def _echo_request(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" ID({u4(b, o)})")


def _echo_reply(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" ID({u4(b, o)})")
    _result(ndo, b, o + 4, _STOP)
    _reserved(ndo, u2(b, o + 6))


def _types(ndo: Ndo, b: bytes, bearer: int, framing: int | None) -> None:
    value = u4(b, bearer)
    ndo.p(f" BEARER_TYPE({_BEARERS.get(value, '?')})")
    if framing is not None:
        ndo.p(f" FRAME_TYPE({_FRAMES.get(u4(b, framing), '?')})")


def _outgoing_request(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    p(f" CALL_ID({u2(b, o)})")
    p(f" CALL_SER_NUM({u2(b, o + 2)})")
    p(f" MIN_BPS({u4(b, o + 4)})")
    p(f" MAX_BPS({u4(b, o + 8)})")
    _types(ndo, b, o + 12, o + 16)
    p(f" RECV_WIN({u2(b, o + 20)})")
    p(f" PROC_DELAY({u2(b, o + 22)})")
    p(f" PHONE_NO_LEN({u2(b, o + 24)})")
    _reserved(ndo, u2(b, o + 26))
    _text(ndo, "PHONE_NO", b, o + 28, 64)
    _text(ndo, "SUB_ADDR", b, o + 92, 64)


def _outgoing_reply(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    p(f" CALL_ID({u2(b, o)})")
    p(f" PEER_CALL_ID({u2(b, o + 2)})")
    _result(ndo, b, o + 4, _OCRP)
    p(f" CAUSE_CODE({u2(b, o + 6)})")
    p(f" CONN_SPEED({u4(b, o + 8)})")
    p(f" RECV_WIN({u2(b, o + 12)})")
    p(f" PROC_DELAY({u2(b, o + 14)})")
    p(f" PHY_CHAN_ID({u4(b, o + 16)})")


def _incoming_request(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    p(f" CALL_ID({u2(b, o)})")
    p(f" CALL_SER_NUM({u2(b, o + 2)})")
    _types(ndo, b, o + 4, None)
    p(f" PHY_CHAN_ID({u4(b, o + 8)})")
    p(f" DIALED_NO_LEN({u2(b, o + 12)})")
    p(f" DIALING_NO_LEN({u2(b, o + 14)})")
    _text(ndo, "DIALED_NO", b, o + 16, 64)
    _text(ndo, "DIALING_NO", b, o + 80, 64)
    _text(ndo, "SUB_ADDR", b, o + 144, 64)


def _incoming_reply(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    p(f" CALL_ID({u2(b, o)})")
    p(f" PEER_CALL_ID({u2(b, o + 2)})")
    _result(ndo, b, o + 4, _ICRP)
    p(f" RECV_WIN({u2(b, o + 6)})")
    p(f" PROC_DELAY({u2(b, o + 8)})")
    _reserved(ndo, u2(b, o + 10))


def _connected(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    p(f" PEER_CALL_ID({u2(b, o)})")
    _reserved(ndo, u2(b, o + 2))
    p(f" CONN_SPEED({u4(b, o + 4)})")
    p(f" RECV_WIN({u2(b, o + 8)})")
    p(f" PROC_DELAY({u2(b, o + 10)})")
    p(f" FRAME_TYPE({_FRAMES.get(u4(b, o + 12), '?')})")


def _clear(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" CALL_ID({u2(b, o)})")
    _reserved(ndo, u2(b, o + 2))


def _disconnected(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" CALL_ID({u2(b, o)})")
    _result(ndo, b, o + 2, _CDN)
    ndo.p(f" CAUSE_CODE({u2(b, o + 4)})")
    _reserved(ndo, u2(b, o + 6))
    _text(ndo, "CALL_STATS", b, o + 8, 128)


def _errors(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" PEER_CALL_ID({u2(b, o)})")
    _reserved(ndo, u2(b, o + 2))
    for i, word in enumerate(
        ("CRC_ERR", "FRAMING_ERR", "HARDWARE_OVERRUN", "BUFFER_OVERRUN", "TIMEOUT_ERR", "ALIGN_ERR")
    ):
        ndo.p(f" {word}({u4(b, o + 4 + 4 * i)})")


def _link(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(f" PEER_CALL_ID({u2(b, o)})")
    _reserved(ndo, u2(b, o + 2))
    ndo.p(f" SEND_ACCM(0x{u4(b, o + 4):08x})")
    ndo.p(f" RECV_ACCM(0x{u4(b, o + 8):08x})")


_PRINTERS: Final[dict[int, Callable[[Ndo, bytes, int], None]]] = {
    1: _sccrq, 2: _sccrp, 3: _stop_request, 4: _stop_reply, 5: _echo_request, 6: _echo_reply,
    7: _outgoing_request, 8: _outgoing_reply, 9: _incoming_request, 10: _incoming_reply,
    11: _connected, 12: _clear, 13: _disconnected, 14: _errors, 15: _link,
}  # fmt: skip


def pptp_print(ndo: Ndo, b: bytes, o: int, _length: int) -> None:
    """Print a control message."""
    ndo.protocol = "pptp"
    p = ndo.p
    p(": pptp")
    if ndo.vflag:
        p(f" Length={u2(b, o)}")
        kind = u2(b, o + 2)
        p({1: " CTRL-MSG", 2: " MGMT-MSG"}.get(kind, " UNKNOWN-MSG-TYPE"))
    cookie = u4(b, o + 4)
    if cookie != _COOKIE:
        p(f" UNEXPECTED Magic-Cookie!!({cookie:08x})")
    if ndo.vflag or cookie != _COOKIE:
        p(f" Magic-Cookie={cookie:08x}")
    kind = u2(b, o + 8)
    if kind in _MESSAGES:
        p(f" CTRL_MSGTYPE={_MESSAGES[kind]}")
    else:
        p(f" UNKNOWN_CTRL_MSGTYPE({kind})")
    _reserved(ndo, u2(b, o + 10))
    printer = _PRINTERS.get(kind)
    if printer is not None:
        printer(ndo, b, o + _HEADER)
