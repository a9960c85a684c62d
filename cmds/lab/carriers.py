"""The processes that carry frames for some verbs; WORLD/run/lab/ tells of them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

from cmds.lab.base import LabError, segment_dir
from libnet.libsocket.ctx import Ctx

STOP_S: Final = 5.0  # how long a carrier may take to end before it is killed


def run_dir(ctx: Ctx) -> str:
    """Return where carriers tell of themselves."""
    return os.path.join(ctx.box.world, "run", "lab")


def start_carrier(
    ctx: Ctx, kind: str, segment: str, label: str, *, air: bool = False, **spec: Any
) -> None:
    """Start a carrier and wait until it carries. Raises LabError with its reason if it does not.

    air  whether *segment* is an air       fd  a descriptor that it inherits
    """
    import cmds._labd

    directory = run_dir(ctx)
    os.makedirs(directory, 0o700, exist_ok=True)
    for _record in records(ctx):
        continue  # what killed ones left is removed on the way
    read, write = os.pipe()
    try:
        spec["ready"] = write
        for fd in (write, spec.get("fd", -1)):
            if fd >= 0:
                os.set_inheritable(fd, True)
        spec["segment"], spec["label"] = segment_dir(ctx, segment, air=air), label
        spec["air"] = int(air)
        spec["record"] = os.path.join(
            directory, f"{kind}.{os.getpid()}.{read}.{os.urandom(4).hex()}"
        )
        home = os.path.dirname(os.path.dirname(os.path.abspath(cmds._labd.__file__)))
        # It is no process of the box whose shell we may have been called from.
        environ = {k: v for k, v in ctx.environ.items() if not k.startswith("IOPKT_")}
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (home, environ.get("PYTHONPATH", ""))))
        environ["MALLOC_TRIM_THRESHOLD_"] = str(1 << 28)
        log = os.path.join(directory, "log")
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "cmds._labd", kind, *(f"{k}={v}" for k, v in spec.items())],
            environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_CLOSE, read),
            ],
            setsid=True,
        )
        os.close(write)
        write = -1
        said = os.read(read, 4096).decode("utf-8", "replace")
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
    if said != "ok":
        raise LabError(said or f"the carrier ended; see {log}")


def records(ctx: Ctx) -> Iterator[dict[str, Any]]:
    """Yield what each live carrier told of itself, plus "record"; remove what dead ones left."""
    directory = run_dir(ctx)
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        if name.partition(".")[0] not in ("tap", "dgram", "capture", "radio") or name.endswith("~"):
            continue
        path = os.path.join(directory, name)
        try:
            with open(path, encoding="utf-8") as file:
                told = json.load(file)
            alive = _born(told["pid"]) == told["born"] is not None
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            alive = False
        if alive:
            yield {**told, "record": path}
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _born(pid: Any) -> int | None:
    """Return when process *pid* was started, in clock ticks, or None if it does not run."""
    from cmds._labd import born

    return born(pid) if type(pid) is int and pid > 0 else None


def stop_carriers(
    ctx: Ctx, kind: str, segment: str, want: dict[str, str], *, air: bool = False
) -> None:
    """End the carriers of *kind* on *segment* that agree with *want*. Raises LabError for none."""
    directory = segment_dir(ctx, segment, air=air)
    found = [
        record
        for record in records(ctx)
        if record["kind"] == kind
        and record["segment"] == directory
        and all(record.get(name) == value for name, value in want.items())
    ]
    if not found:
        raise LabError(f"{segment}: no such {kind}")
    for record in found:
        stop_carrier(record)


def stop_carrier(record: dict[str, Any]) -> None:
    """End one carrier, in order if it can."""
    import select
    import signal

    try:
        fd = os.pidfd_open(record["pid"])
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        if not poll.poll(STOP_S * 1000):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            poll.poll(STOP_S * 1000)
    except ProcessLookupError:
        return  # it ended by itself
    finally:
        os.close(fd)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record["pid"], os.WNOHANG)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record["record"])
