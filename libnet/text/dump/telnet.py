"""The commands of TELNET (RFC 854, 855)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo

_IAC, _SE, _SB, _WILL, _DONT = 255, 240, 250, 251, 254
_FIRST: Final = 236
_COMMANDS: Final = (
    "EOF", "SUSP", "ABORT", "EOR", "SE", "NOP", "DMARK", "BRK", "IP", "AO", "AYT", "EC", "EL",
    "GA", "SB", "WILL", "WONT", "DO", "DONT", "IAC",
)  # fmt: skip
_OPTIONS: Final = (
    "BINARY", "ECHO", "RCP", "SUPPRESS GO AHEAD", "NAME", "STATUS", "TIMING MARK", "RCTE", "NAOL",
    "NAOP", "NAOCRD", "NAOHTS", "NAOHTD", "NAOFFD", "NAOVTS", "NAOVTD", "NAOLFD", "EXTEND ASCII",
    "LOGOUT", "BYTE MACRO", "DATA ENTRY TERMINAL", "SUPDUP", "SUPDUP OUTPUT", "SEND LOCATION",
    "TERMINAL TYPE", "END OF RECORD", "TACACS UID", "OUTPUT MARKING", "TTYLOC", "3270 REGIME",
    "X.3 PAD", "NAWS", "TSPEED", "LFLOW", "LINEMODE", "XDISPLOC", "OLD-ENVIRON", "AUTHENTICATION",
    "ENCRYPT", "NEW-ENVIRON",
)  # fmt: skip
_AUTHENTICATION, _ENCRYPT = 37, 38
_SUB: Final = ("IS", "SEND", "INFO")
_AUTH_CMDS: Final = ("IS", "SEND", "REPLY", "NAME")
_AUTH_TYPES: Final = (
    "NULL", "KERBEROS_V4", "KERBEROS_V5", "SPX", "MINK", "SRP", "RSA", "SSL", "", "", "LOKI",
    "SSA", "KEA_SJ", "KEA_SJ_INTEG", "DSS", "NTLM",
)  # fmt: skip
_ENC_CMDS: Final = (
    "IS", "SUPPORT", "REPLY", "START", "END", "REQUEST-START", "REQUEST-END", "END_KEYID",
    "DEC_KEYID",
)  # fmt: skip
_ENC_TYPES: Final = (
    "NULL", "DES_CFB64", "DES_OFB64", "DES3_CFB64", "DES3_OFB64", "", "CAST5_40_CFB64",
    "CAST5_40_OFB64", "CAST128_CFB64", "CAST128_OFB64",
)  # fmt: skip


def _word(c: int, table: tuple[str, ...]) -> str:
    return (table[c] if c < len(table) else "") or _number(c)


def _number(c: int) -> str:
    return f"{c:#x}" if c else "0"


def _parse(b: bytes, o: int, length: int) -> tuple[int, list[str]] | None:
    """Return the octets of the command at *o* and its words; None where it is cut or no command."""
    if length < 2:
        return None
    c = b[o + 1]
    if c == _IAC:
        return 2, ["IAC IAC"]
    if c < _FIRST:
        return None
    name = _COMMANDS[c - _FIRST]
    if not _SB <= c <= _DONT:
        return 2, [name]
    if length < 3:
        return None
    option = b[o + 2]
    words = [f"{name} {_OPTIONS[option] if option < len(_OPTIONS) else _number(option)}"]
    if c != _SB:
        return 3, words
    at, end = o + 3, o + length
    stop = at
    while end > stop + 1 and not (b[stop] == _IAC and b[stop + 1] == _SE):
        stop += 1
    if b[stop] != _IAC:
        return None
    if option == _AUTHENTICATION:
        tables: tuple[tuple[str, ...], ...] = (_AUTH_CMDS, _AUTH_TYPES)
    elif option == _ENCRYPT:
        tables = (_ENC_CMDS, _ENC_TYPES)
    else:
        tables = (_SUB,)
    for table in tables:
        if at < stop:
            words.append(f" {_word(b[at], table)}")
            at += 1
    words += [f" {_number(c)}" for c in b[at:stop]]
    words.append(" SE")
    return stop + 2 - o, words


def telnet_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the commands that *length* octets begin with."""
    ndo.protocol = "telnet"
    p = ndo.p
    start, first = o, True
    dumps = ndo.Xflag and ndo.vflag > 2
    while length > 0 and b[o] == _IAC:
        found = _parse(b, o, length)
        if found is None:
            break
        size, words = found
        if dumps:
            if first:
                p("\nTelnet:")
            ndo.hex_print("\n", b, o, size, o - start)
            p("\n\t\t\t\t" if size > 8 else f"{' ' * ((8 - size) * 3)}\t")
        else:
            p(" [telnet " if first else ", ")
        p("".join(words))
        first = False
        o += size
        length -= size
    if not first:
        p("\n" if dumps else "]")
