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

from libnet.lab.boot import HOST_PATH, IGNORED, SHELLS, SYSTEM
from libnet.lab.view import host_program
from libnet.libsocket.box import world_dir

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
_ignored() { @NOTE@ "$1"; }
@FUNCTIONS@
command_not_found_handle() {
    case $1 in
    @IGNORED@) _ignored "$1"; return 0 ;;
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
    # By name, not only where they are not found: the host may have a program of that name.
    names = [name for name in IGNORED if name.isalnum()]
    functions = "\n".join(f"{name}() {{ _ignored {name}; }}" for name in names)
    text = _PRELUDE.replace("@IGNORED@", "|".join(IGNORED)).replace("@NOTE@", command)
    return text.replace("@FUNCTIONS@", functions)


def rc_file(world: str) -> str:
    """Return where a world keeps the text of prelude(), so that command lines stay short."""
    return os.path.join(world, "programs", "ksh.rc")


def write_rc(world: str) -> None:
    """Bring that file up to date. Raises OSError."""
    path, text = rc_file(world), prelude()
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            if file.read() == text:
                return
    temporary = f"{path}.{os.getpid()}~"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def _first() -> str:
    """Return the first line of what a bash reads."""
    path = rc_file(world_dir(os.environ))
    return f". {shlex.quote(path)}\n" if os.path.isfile(path) else prelude()


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
    """Return the arguments that make a bash do what a Korn shell does with *words*."""
    options: list[str] = []
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        if word[0] == "-" and "c" in word[1:]:
            rest = word.replace("c", "")
            options += [rest] if len(rest) > 1 else []
            text = words[0] if words else ""
            return [*options, "-c", _first() + text, *words[1:]]
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
    return [*options, "-c", _first() + read, *words]


def script_argv(path: str) -> list[str]:
    """Return what runs the file *path*: itself, or for a shell's script a shell of the host's."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return [path]
    words: list[str] = []
    if head.startswith(b"#!"):
        line = head[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape")
        words = line.strip().split(None, 1)
    name = words[0].rpartition("/")[2] if words else ""
    if name in SHELLS:
        return shell_argv([*words[1:], path], HOST_PATH, host_program)
    if words and os.path.exists(words[0]):
        return [*words, path]
    if not words and head and b"\0" not in head:
        return shell_argv([path], HOST_PATH, host_program)
    return [path]


def in_box(command: Sequence[str]) -> list[str]:
    """Return *command* with a shell of the original's kind where it runs a script by sh or ksh."""
    word = command[0]
    directory, slash, name = word.rpartition("/")
    if name in SHELLS and name != "bash" and (not slash or directory in SYSTEM):
        first = next((w for w in command[1:] if w[:1] not in ("-", "+")), "")
        if name != "sh" or (first and os.path.isfile(first)):
            return shell_argv(command[1:], HOST_PATH, host_program)
    elif slash and os.path.isfile(word):
        return [*script_argv(word), *command[1:]]
    return list(command)
