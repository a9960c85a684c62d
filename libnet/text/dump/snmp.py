"""SNMP versions 1, 2c and 3 (RFC 1157, RFC 3416, RFC 3412, RFC 3414) in BER."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, shown

_UNIVERSAL: Final = (
    "U-0", "Boolean", "Integer", "Bitstring", "String", "Null", "ObjID", "ObjectDes", "U-8",
    "U-9", "U-10", "U-11", "U-12", "U-13", "U-14", "U-15", "Sequence", "Set",
)  # fmt: skip
_APPLICATION: Final = (
    "IpAddress", "Counter", "Gauge", "TimeTicks", "Opaque", "C-5", "Counter64",
)  # fmt: skip
_CONTEXT: Final = (
    "GetRequest", "GetNextRequest", "GetResponse", "SetRequest", "Trap", "GetBulk", "Inform",
    "V2Trap", "Report",
)  # fmt: skip
# By class. tcpdump has one name for all of them in its complaints, "x".
_CLASSES: Final = (_UNIVERSAL, _APPLICATION, _CONTEXT, ("P-0",))
_EXCEPTIONS: Final = ("noSuchObject", "noSuchInstance", "endOfMibView")
_GETREQ, _GETNEXTREQ, _GETRESP, _SETREQ, _TRAP, _GETBULK, _INFORM, _V2TRAP, _REPORT = range(9)
_QUESTIONS: Final = (_GETREQ, _GETNEXTREQ, _GETBULK)
_ERRORS: Final = (
    "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess",
    "wrongType", "wrongLength", "wrongEncoding", "wrongValue", "noCreation",
    "inconsistentValue", "resourceUnavailable", "commitFailed", "undoFailed",
    "authorizationError", "notWritable", "inconsistentName",
)  # fmt: skip
_TRAPS: Final = (
    "coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss",
    "enterpriseSpecific",
)  # fmt: skip
_ENTERPRISE: Final = 6
_VERSIONS: Final = {0: "SNMPv1", 1: "SNMPv2c", 3: "SNMPv3"}


class _Stop(Exception):
    """What is wrong is told: nothing after it is looked at."""


class _Element:
    """One BER element.

    kind   "int", "str", "oid", "null", "uns", "seq", "pdu", "inet", "octets", "exception", "any"
    ident  the number of its tag
    at     where its content is
    size   octets of its content
    took   octets with its head
    value  of an "int" or "uns"
    """

    __slots__ = ("at", "ident", "kind", "size", "took", "value")

    def __init__(self) -> None:
        self.kind, self.ident, self.at, self.size, self.took, self.value = "any", 0, 0, 0, 0, 0


def _parse(ndo: Ndo, b: bytes, o: int, length: int) -> _Element:
    """Read the element at *o* in *length* octets. Raises _Stop, the reason told."""
    p = ndo.p

    def fault(text: str) -> None:
        p(text)
        raise _Stop

    elem = _Element()
    if length < 1:
        fault("[nothing to parse]")
    tag, start = b[o], o
    ident, form, klass = tag & 0x1F, tag >> 5 & 1, tag >> 6
    o += 1
    length -= 1
    if ident == 0x1F:
        ident = 0
        while True:
            c = b[o]
            if length < 1:
                fault("[Xtagfield?]")
            ident = (ident << 7 | c & 0x7F) & 0xFF
            length -= 1
            o += 1
            if not c & 0x80:
                break
    if length < 1:
        fault("[no asnlen]")
    size = b[o]
    o += 1
    length -= 1
    if size & 0x80:
        octets = size & 0x7F
        if length < octets:
            fault(f"[asnlen? {length}<{octets}]")
        if o + octets > len(b):
            ndo.trunc()
            raise _Stop
        size = int.from_bytes(b[o : o + octets], "big") & 0xFFFFFFFF
        o += octets
        length -= octets
    if length < size:
        fault(f"[len{length}<asnlen{size}]")
    names = _CLASSES[klass]
    letter = "PC"[form]
    if ident >= len(names):
        fault(f"[id?{letter}/x/{ident}]")
    if o + size > len(b):
        ndo.trunc()
        raise _Stop
    elem.ident, elem.at, elem.size, elem.took = ident, o, size, o + size - start
    _content(ndo, b, elem, form, klass, names[ident])
    return elem


def _content(ndo: Ndo, b: bytes, elem: _Element, form: int, klass: int, name: str) -> None:
    """Set kind and value."""
    data, ident = b[elem.at : elem.at + elem.size], elem.ident
    if form == 1:
        if klass == 2:
            elem.kind = "pdu"
        elif klass == 0 and ident == 16:
            elem.kind = "seq"
        else:
            elem.kind = "octets"
            ndo.p(f"C/U/{name}" if klass == 0 else f"C/x/{name}")
    elif klass == 0:
        elem.kind = {2: "int", 4: "str", 5: "null", 6: "oid"}.get(ident, "octets")
        if elem.kind == "int":
            if not data:
                ndo.p("[asnlen=0]")
                raise _Stop
            value = int.from_bytes(data, "big", signed=True) & 0xFFFFFFFF
            elem.value = value - (1 << 32) if value & 0x80000000 else value
        elif elem.kind == "octets":
            ndo.p(f"[P/U/{name}]")
    elif klass == 1:
        if ident == 0:
            elem.kind = "inet"
        elif ident in (1, 2, 3, 6):
            elem.kind = "uns64" if ident == 6 else "uns"
            mask = (1 << 64) - 1 if ident == 6 else 0xFFFFFFFF
            elem.value = int.from_bytes(data, "big") & mask
        else:
            elem.kind = "octets"
            ndo.p(f"[P/A/{name}]")
    elif klass == 2:
        if ident < len(_EXCEPTIONS):
            elem.kind = "exception"
    else:
        elem.kind = "octets"
        ndo.p(f"[P/x/{name}]")


def _octets(ndo: Ndo, b: bytes, elem: _Element) -> None:
    ndo.p("".join([f"_{c:02x}" for c in b[elem.at : elem.at + elem.size]]))


def _string(ndo: Ndo, b: bytes, elem: _Element) -> None:
    data = b[elem.at : elem.at + elem.size]
    if all(0x20 <= c < 0x7F for c in data):
        ndo.p(f'"{shown(data)}"')
    else:
        ndo.p(data.hex("_"))


def _oid(ndo: Ndo, data: bytes) -> None:
    numbers, value = [], 0
    for c in data:
        value = value << 7 | c & 0x7F
        if not c & 0x80:
            # Arithmetic of 32 bits with a sign, as the original has it.
            value &= 0xFFFFFFFF
            numbers.append(value - (1 << 32) if value & 0x80000000 else value)
            value = 0
    if not ndo.nflag:
        from libnet.text.dump.mib import oid_name

        ndo.p(oid_name(data, numbers))
        return
    if numbers:
        first = numbers[0]
        top = min(first // 40, 2) if first >= 0 else -(-first // 40)
        numbers[0:1] = [top, first - top * 40]
    ndo.p("".join([f".{n & 0xFFFFFFFF}" for n in numbers]))


def _show(ndo: Ndo, b: bytes, elem: _Element) -> None:
    """Print an element."""
    p = ndo.p
    data = b[elem.at : elem.at + elem.size]
    if elem.kind == "octets":
        _octets(ndo, b, elem)
    elif elem.kind == "oid":
        _oid(ndo, data)
    elif elem.kind in ("int", "uns", "uns64"):
        p(str(elem.value))
    elif elem.kind == "str":
        _string(ndo, b, elem)
    elif elem.kind == "seq":
        p(f"Seq({elem.size})")
    elif elem.kind == "inet":
        if elem.size != 4:
            p("[inetaddr len!=4]")
        p(".".join(map(str, data)))
    elif elem.kind == "exception":
        p(f"[{_EXCEPTIONS[elem.ident]}]")
    elif elem.kind == "pdu":
        p(f"{_CONTEXT[elem.ident]}({elem.size})")
    elif elem.kind == "any":
        p("[BE_ANY!?]")


class _Reader:
    """The elements of a sequence, one after the other."""

    __slots__ = ("_b", "_ndo", "at", "left")

    def __init__(self, ndo: Ndo, b: bytes, at: int, left: int) -> None:
        self._ndo, self._b, self.at, self.left = ndo, b, at, left

    def next(self) -> _Element:
        """Return the next element, whatever it is."""
        elem = _parse(self._ndo, self._b, self.at, self.left)
        self.at += elem.took
        self.left -= elem.took
        return elem

    def want(self, kind: str, complaint: str) -> _Element:
        """Return the next element, which must be a *kind*; else tell, and raise _Stop."""
        elem = self.next()
        if elem.kind != kind:
            self._ndo.p(f"[{complaint}]")
            _show(self._ndo, self._b, elem)
            raise _Stop
        return elem

    def into(self, complaint: str) -> tuple[_Reader, int]:
        """Return a reader of the sequence that is next, and how many octets come after that."""
        elem = self.want("seq", complaint)
        return _Reader(self._ndo, self._b, elem.at, elem.size), self.left


def snmp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message."""
    ndo.protocol = "snmp"
    p = ndo.p
    p(" ")
    try:
        inner, extra = _Reader(ndo, b, o, length).into("!init SEQ")
        if extra:
            p(f"[{extra} extra after iSEQ]")
        version = inner.want("int", "version!=INT").value
        name = _VERSIONS.get(version)
        if name is None:
            p(f"SNMP [version = {version}]")
            return
        if ndo.vflag:
            p(f"{{ {name} ")
    except _Stop:
        return
    # What goes wrong in the message does not take its closing brace away.
    try:
        if version == 3:
            _v3(ndo, b, inner)
        else:
            _community(ndo, b, inner, version)
    except _Stop:
        pass  # the reason stands in the line
    if ndo.vflag:
        p("} ")


def _community(ndo: Ndo, b: bytes, r: _Reader, version: int) -> None:
    elem = r.want("str", "comm!=STR")
    if b[elem.at : elem.at + elem.size] != b"public":
        ndo.p("C=")
        _string(ndo, b, elem)
        ndo.p(" ")
    _pdu(ndo, b, r, version)


def _pdu(ndo: Ndo, b: bytes, r: _Reader, version: int) -> None:
    p = ndo.p
    elem = r.next()
    if elem.kind != "pdu":
        p("[no PDU]")
        return
    if r.left:
        p(f"[{r.left} extra after PDU]")
    if ndo.vflag:
        p("{ ")
    _show(ndo, b, elem)
    p(" ")
    if version == 0 and elem.ident in (_GETBULK, _INFORM, _V2TRAP, _REPORT):
        p("[v2 PDU in v1 message]")
        return
    if version == 1 and elem.ident == _TRAP:
        p("[v1 PDU in v2 message]")
        return
    inner = _Reader(ndo, b, elem.at, elem.size)
    try:
        if elem.ident == _TRAP:
            _trap(ndo, b, inner)
        else:
            _request(ndo, b, inner, elem.ident)
    except _Stop:
        pass  # the reason stands in the line
    if ndo.vflag:
        p(" } ")


def _error(status: int) -> str:
    return _ERRORS[status] if 0 <= status < len(_ERRORS) else f"err={status & 0xFFFFFFFF}"


def _request(ndo: Ndo, b: bytes, r: _Reader, pdu: int) -> None:
    p = ndo.p
    ident = r.want("int", "reqId!=INT").value
    if ndo.vflag:
        p(f"R={ident} ")
    silent = pdu in (_GETREQ, _GETNEXTREQ, _SETREQ, _INFORM, _V2TRAP, _REPORT)
    status = r.want("int", "errorStatus!=INT").value
    failed = False
    if silent and status:
        p(f"[errorStatus({_error(status)})!=0]")
    elif pdu == _GETBULK:
        p(f" N={status}")
    elif status:
        p(f" {_error(status)}")
        failed = True
    index = r.want("int", "errorIndex!=INT").value
    if silent and index:
        p(f"[errorIndex({index})!=0]")
    elif pdu == _GETBULK:
        p(f" M={index}")
    elif index:
        p(f"@{index}" if failed else f"[errorIndex({index}) w/o errorStatus]")
    elif failed:
        p("[errorIndex==0]")
    _varbinds(ndo, b, r, pdu)


def _trap(ndo: Ndo, b: bytes, r: _Reader) -> None:
    p = ndo.p
    p(" ")
    _show(ndo, b, r.want("oid", "enterprise!=OID"))
    p(" ")
    _show(ndo, b, r.want("inet", "agent-addr!=INETADDR"))
    generic = r.want("int", "generic-trap!=INT").value
    p(f" {_TRAPS[generic] if 0 <= generic < len(_TRAPS) else f'gt={generic}'}")
    specific = r.want("int", "specific-trap!=INT").value
    if generic == _ENTERPRISE:
        p(f" s={specific}")
    elif specific:
        p(f"[specific-trap({specific})!=0]")
    p(" ")
    _show(ndo, b, r.want("uns", "time-stamp!=TIMETICKS"))
    _varbinds(ndo, b, r, _TRAP)


def _varbinds(ndo: Ndo, b: bytes, r: _Reader, pdu: int) -> None:
    p = ndo.p
    inner, extra = r.into("!SEQ of varbind")
    if extra:
        p(f"[{extra} extra after SEQ of varbind]")
    while inner.left:
        p(" ")
        pair, _rest = inner.into("!varbind")
        _show(ndo, b, pair.want("oid", "objName!=OID"))
        if pdu not in _QUESTIONS:
            p("=")
        value = pair.next()
        if value.kind == "null":
            continue
        if pdu in _QUESTIONS:
            p("[objVal!=NULL]")
        _show(ndo, b, value)


def _v3(ndo: Ndo, b: bytes, r: _Reader) -> None:
    p = ndo.p
    head, _rest = r.into("!message")
    if ndo.vflag:
        p("{ ")
    head.want("int", "msgID!=INT")
    head.want("int", "msgMaxSize!=INT")
    elem = head.want("str", "msgFlags!=STR")
    if elem.size != 1:
        p(f"[msgFlags size {elem.size}]")
        return
    flags = b[elem.at]
    if flags not in (0, 1, 3, 4, 5, 7):
        p(f"[msgFlags=0x{flags:02X}]")
        return
    p(f"F={'a' if flags & 1 else ''}{'p' if flags & 2 else ''}{'r' if flags & 4 else ''} ")
    model = head.want("int", "msgSecurityModel!=INT").value
    if head.left:
        p(f"[{head.left} extra after message SEQ]")
    if ndo.vflag:
        p("} ")
    if model != 3:
        p(f"[security model {model}]")
        return
    if ndo.vflag:
        p("{ USM ")
    # The security parameters follow the head, wherever the sequence said that it ends.
    after = _Reader(ndo, b, head.at, r.left + head.left)
    elem = after.want("str", "msgSecurityParameters!=STR")
    _guarded(lambda: _usm(ndo, b, _Reader(ndo, b, elem.at, elem.size)))
    if ndo.vflag:
        p("} { ScopedPDU ")
    _guarded(lambda: _scoped(ndo, b, after))
    if ndo.vflag:
        p("} ")


def _guarded(show: object) -> None:
    try:
        show()  # type: ignore[operator]
    except _Stop:
        pass  # the reason stands in the line


def _usm(ndo: Ndo, b: bytes, r: _Reader) -> None:
    p = ndo.p
    inner, _rest = r.into("!usm")
    inner.want("str", "msgAuthoritativeEngineID!=STR")
    boots = inner.want("int", "msgAuthoritativeEngineBoots!=INT").value
    if ndo.vflag:
        p(f"B={boots} ")
    when = inner.want("int", "msgAuthoritativeEngineTime!=INT").value
    if ndo.vflag:
        p(f"T={when} ")
    user = inner.want("str", "msgUserName!=STR")
    p("U=")
    _string(ndo, b, user)
    p(" ")
    inner.want("str", "msgAuthenticationParameters!=STR")
    last = inner.want("str", "msgPrivacyParameters!=STR")
    if last.took < inner.left:
        p(f"[{inner.left - last.took} extra after usm SEQ]")


def _scoped(ndo: Ndo, b: bytes, r: _Reader) -> None:
    p = ndo.p
    inner, _rest = r.into("!scoped PDU")
    engine = inner.want("str", "contextEngineID!=STR")
    p("E=")
    _octets(ndo, b, engine)
    p(" ")
    name = inner.want("str", "contextName!=STR")
    p("C=")
    _string(ndo, b, name)
    p(" ")
    _pdu(ndo, b, inner, 3)
