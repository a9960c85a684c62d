"""The configuration strings of a box (confstr): kept as long as it runs, gone with its power.

They lie in WORLD/boxes/NAME/run/confstr, a line NAME=value each; the host's name is the box's
/etc/HOSTNAME, which cmds.hostname looks after.
"""

from __future__ import annotations

import os
import re
from typing import Final

from libnet.libsocket.box import BoxPaths

NAMES: Final = tuple(
    f"_CS_{name}"
    for name in (
        "PATH",
        "LIBPATH",
        "HOSTNAME",
        "DOMAIN",
        "RESOLVE",
        "SRPC_DOMAIN",
        "RELEASE",
        "VERSION",
        "MACHINE",
        "ARCHITECTURE",
        "HW_PROVIDER",
        "HW_SERIAL",
        "SYSNAME",
        "LOCALE",
        "TIMEZONE",
    )
)
# What a box has before somebody sets it.
DEFAULTS: Final[dict[str, str]] = {
    "_CS_PATH": "/bin:/usr/bin:/sbin:/usr/sbin",
    "_CS_LIBPATH": "/lib:/usr/lib:/lib/dll",
    "_CS_SYSNAME": "QNX",
    "_CS_RELEASE": "6.5.0",
    "_CS_VERSION": "iopkt",
}
FILE: Final = "confstr"
HOSTNAME: Final = "/etc/HOSTNAME"
MAX_TEXT: Final = 1 << 16
_ESCAPE: Final = re.compile(r"\\(.)")


def full_name(word: str) -> str | None:
    """Return the name of a string; case and the prefix do not matter. None for no such name.

    >>> full_name("hostname"), full_name("CS_Resolve"), full_name("_CS_X")
    ('_CS_HOSTNAME', '_CS_RESOLVE', None)
    """
    plain = word.upper().removeprefix("_").removeprefix("CS_")
    name = f"_CS_{plain}"
    return name if name in NAMES else None


def parse(text: str) -> dict[str, str]:
    r"""Return the strings in the text of the file; lines that make no sense are passed over.

    >>> parse("_CS_DOMAIN=a.net\nx\n_CS_RESOLVE=a\\nb")
    {'_CS_DOMAIN': 'a.net', '_CS_RESOLVE': 'a\nb'}
    """
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and name in NAMES:
            found[name] = _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], value)
    return found


def build(strings: dict[str, str]) -> str:
    """Return the text of the file."""
    lines = []
    for name, value in strings.items():
        quoted = value.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{name}={quoted}\n")
    return "".join(lines)


def strings(box: BoxPaths) -> dict[str, str]:
    """Return what was set."""
    try:
        path = os.path.join(box.run, FILE)
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return parse(file.read(MAX_TEXT))
    except OSError:
        return {}


def confstr(box: BoxPaths, name: str) -> str | None:
    """Return the string *name*, "_CS_…", or None if it is undefined."""
    if name == "_CS_HOSTNAME":
        try:
            with open(box.file(HOSTNAME), encoding="utf-8", errors="replace") as file:
                return file.readline(256).strip() or box.name
        except OSError:
            return box.name
    value = strings(box).get(name) or DEFAULTS.get(name)
    if value is None and name in ("_CS_MACHINE", "_CS_ARCHITECTURE"):
        return os.uname().machine
    return value


def set_confstr(box: BoxPaths, name: str, value: str) -> None:
    """Set the string *name*, to be undefined if *value* is empty. Raises OSError.

    The host's name is set by cmds.hostname, which tells the stacks.
    """
    kept = strings(box)
    kept.pop(name, None)
    if value:
        kept[name] = value
    os.makedirs(box.run, mode=0o700, exist_ok=True)
    path = os.path.join(box.run, FILE)
    temporary = f"{path}.{os.getpid()}~"
    with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(build(kept))
    os.replace(temporary, path)


def forget(box: BoxPaths) -> None:
    """Make every string what it is at the start: the power was cut. Raises OSError."""
    path = os.path.join(box.run, FILE)
    if os.path.lexists(path):
        os.unlink(path)
