"""The process behind `lab tap`, `dgram`, `radio` and `capture --background`: one that carries frames.

    python -m cmds._labd KIND key=value …

KIND is tap, dgram, radio or capture; `segment` is the directory of a segment, or with `air` of an air,
`record` the file that tells of this process while it lives, `ready` a descriptor that gets "ok" or the
reason why not, `fd` the TAP.
Imports little: it stays in memory, and its latency is that of every packet.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable

from libnet.loop.carrier import CarrierLoop
from libnet.loop.loop import Loop
from libnet.media.loan import Lender
from libnet.media.outside import Bridge, OutsidePort
from libnet.media.tap import TapPort
from libnet.media.unixseg import UnixPort


def _tap(loop: Loop, spec: dict[str, str]) -> Callable[[], None]:
    tap = TapPort(loop, int(spec["fd"]), vnet=spec.get("vnet") == "1")
    tap.broken = loop.stop
    return _bridge(loop, spec, tap)


def _dgram(loop: Loop, spec: dict[str, str]) -> Callable[[], None]:
    from libnet.media.dgram import DgramPort

    return _bridge(loop, spec, DgramPort(loop, spec["local"], spec["remote"]))


def _bridge(loop: Loop, spec: dict[str, str], outside: OutsidePort) -> Callable[[], None]:
    try:
        inside = UnixPort(loop, spec["segment"], spec["label"])
    except BaseException:
        outside.close()
        raise
    inside.takes = outside.takes
    bridge = Bridge(inside, outside)
    if not isinstance(outside, TapPort):
        return bridge.close
    lender = Lender(loop, inside, outside)

    def close() -> None:
        lender.close()
        bridge.close()

    return close


def _radio(loop: Loop, spec: dict[str, str]) -> Callable[[], None]:
    from libnet.drivers.airrelay import AirRelay
    from libnet.loop.host import RealDice
    from libnet.media.airunix import UnixAirPort
    from libnet.media.dgram import DgramPort

    outside = DgramPort(loop, spec["local"], spec["remote"])
    try:
        port = UnixAirPort(loop, spec["segment"], spec["label"])
    except BaseException:
        outside.close()
        raise
    return AirRelay(port, outside, RealDice(), bytes.fromhex(spec["mac"])).close


def _capture_air(loop: Loop, spec: dict[str, str]) -> Callable[[], None]:
    from libnet.media.airpcap import AirRecorder
    from libnet.media.airunix import UnixAirPort

    file = open(spec["file"], "wb")  # noqa: SIM115 - it is open as long as the process lives
    port = UnixAirPort(loop, spec["segment"], spec["label"], role="all")
    recorder = AirRecorder(
        file,
        loop.clock.wall,
        snaplen=int(spec["snaplen"]),
        count=int(spec["count"]),
        done=loop.stop,
    )
    recorder.writer.flush()
    port.heard = recorder.heard

    def close() -> None:
        port.close()
        file.close()

    return close


def _capture(loop: Loop, spec: dict[str, str]) -> Callable[[], None]:
    from libnet.media.pcap import PcapRecorder

    if spec.get("air") == "1":
        return _capture_air(loop, spec)
    file = open(spec["file"], "wb")  # noqa: SIM115 - it is open as long as the process lives
    port = UnixPort(loop, spec["segment"], spec["label"], role="all")
    recorder = PcapRecorder(
        file,
        loop.clock.wall,
        snaplen=int(spec["snaplen"]),
        count=int(spec["count"]),
        done=loop.stop,
    )
    recorder.writer.flush()
    port.receive = recorder.receive

    def close() -> None:
        port.close()
        file.close()

    return close


KINDS = {"tap": _tap, "dgram": _dgram, "radio": _radio, "capture": _capture}


def main(argv: list[str]) -> int:
    """Carry until told to end, or until there is nothing left to carry to."""
    os.chdir("/")
    spec = dict(word.partition("=")[::2] for word in argv[2:])
    ready = int(spec.pop("ready"))
    record = spec.pop("record")
    loop = CarrierLoop()
    try:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.on_signal(signum, loop.stop)
        close = KINDS[argv[1]](loop, spec)
        _write_record(record, argv[1], spec)
    except (OSError, ValueError) as exc:
        text = getattr(exc, "strerror", None) or str(exc)
        where = getattr(exc, "filename", None)
        os.write(ready, (f"{where}: {text}" if where else text).encode())
        return 1
    os.write(ready, b"ok")
    os.close(ready)
    # What was made so far lives as long as the process: never look at it again.
    gc.freeze()
    status = 0
    try:
        loop.run()
    except OSError:
        status = 1  # the disk is full, say; what was written stays
    try:
        close()
    except OSError:
        status = 1
    try:
        os.unlink(record)
    except FileNotFoundError:
        status = status or 0
    return status


def born(pid: int) -> int | None:
    """Return when process *pid* was started, in clock ticks, or None if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _write_record(path: str, kind: str, spec: dict[str, str]) -> None:
    fresh = f"{path}.{os.getpid()}~"
    with open(fresh, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        json.dump({**spec, "kind": kind, "pid": os.getpid(), "born": born(os.getpid())}, file)
    os.replace(fresh, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
