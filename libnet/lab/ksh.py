"""A Korn shell for the scripts of a box: the host's, or its bash with what a Korn shell has beside it.

On the original both sh and ksh are a Korn shell, and start-up scripts make use of it ([[ ]], print,
typeset, …), which the sh of many hosts refuses.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Final

from libnet.lab.boot import IGNORED

KSHS: Final = ("ksh", "mksh", "ksh93", "oksh", "lksh", "pdksh", "ksh93u+m")

# Functions and settings that make a bash read what is written for a Korn shell.
_PRELUDE: Final = r"""
shopt -s expand_aliases extglob xpg_echo 2>/dev/null
alias integer='typeset -i' functions='typeset -f'
print() {
    local OPTIND=1 OPTARG opt end='\n' raw= fd=1
    while getopts :nrRpsu: opt; do
        case $opt in
        n) end= ;;
        r|R) raw=1 ;;
        u) fd=$OPTARG ;;
        esac
    done
    shift $((OPTIND - 1))
    if [ -n "$raw" ]; then printf '%s' "$*"; else printf '%b' "$*"; fi >&"$fd"
    printf "$end" >&"$fd"
}
whence() {
    case $1 in -*v*) shift; type "$@" ;; -*p*) shift; type -P "$@" ;; *) command -v "$@" ;; esac
}
sh() {
    case ${1-} in ''|-*) command sh "$@" ;; *) ksh "$@" ;; esac
}
command_not_found_handle() {
    case $1 in
    @IGNORED@) @NOTE@ "$1"; return 0 ;;
    esac
    echo "${0##*/}: $1: not found" >&2
    return 127
}
"""
_NOTE: Final = (
    "import sys;sys.path.insert(0,{root!r});from libnet.lab.ksh import note;note(sys.argv[1])"
)


def prelude() -> str:
    """Return the text that is read before a script."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = shlex.join([sys.executable, "-c", _NOTE.format(root=root)])
    return _PRELUDE.replace("@IGNORED@", "|".join(IGNORED)).replace("@NOTE@", command)


def note(name: str) -> None:
    """Tell the box's log of a program that a script has started and a box need not have."""
    from libnet.lab.boot import INFO, SLOGC_PROC
    from libnet.libsocket.box import BoxPaths
    from libnet.loop.slog import SlogWriter

    log = SlogWriter(BoxPaths.from_environ(os.environ).slog)
    log.write(INFO, SLOGC_PROC, 0, f"boot: {name}: not implemented in a box, ignored")


def shell_argv(
    argv: Sequence[str], path: str, which: Callable[[str, str], str | None]
) -> list[str]:
    """Return the command line of the host that does what ksh *argv* (without its name) does.

    path   where to look for shells
    which  returns the host's program of a name on a path, None if there is none, ours left out
    """
    for name in KSHS:
        found = which(name, path)
        if found is not None:
            return [found, *argv]
    bash = which("bash", path)
    if bash is None:
        return [which("sh", path) or "/bin/sh", *argv]
    return [bash, *_bash_words(list(argv))]


def _bash_words(words: list[str]) -> list[str]:
    options: list[str] = []
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        if word[0] == "-" and "c" in word[1:]:
            rest = word.replace("c", "")
            options += [rest] if len(rest) > 1 else []
            text = words[0] if words else ""
            return [*options, "-c", prelude() + text, *words[1:]]
        options.append(word)
        if word in ("-o", "+o") and words:
            options.append(words.pop(0))
    if not words or "-s" in options:
        return [*options, *words]  # typed, or from standard input
    script = words[0]
    if "/" not in script and os.path.exists(script):
        script = f"./{script}"
    # The script is read by the shell that has the functions, under its own name.
    read = f'. {shlex.quote(script)} "$@"'
    return [*options, "-c", prelude() + read, *words]


def interpreter(path: str) -> list[str]:
    """Return the words after `#!` of the file *path*, [] if it has none. Raises OSError."""
    with open(path, "rb") as file:
        head = file.read(256)
    if not head.startswith(b"#!"):
        return []
    return head[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape").split(None, 1)
