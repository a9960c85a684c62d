"""A recording of an air: radiotap in front of every frame, whatever its channel."""

from __future__ import annotations

import io
from random import Random

from libnet.clock import Clock
from libnet.media.air import Air
from libnet.media.airpcap import AirRecorder
from libnet.media.airport import Heard
from libnet.media.pcap import PcapReader
from libnet.wire.phy import RX_SHORTPRE
from libnet.wire.radiotap import CHAN_A, CHAN_B, CHAN_PUREG, Radiotap

WALL_S = 1_700_000_000.25
FRAME = b"\x08\0\0\0" + b"\xff" * 6 + b"\x02\0\0\0\0\1" * 2 + b"\0\0"


def read(file: io.BytesIO) -> list[tuple[Radiotap, bytes]]:
    file.seek(0)
    reader = PcapReader(file)
    assert reader.linktype == 127
    return [Radiotap.parse(packet.frame) for packet in reader]


def test_each_frame_bears_its_channel_rate_and_strength():
    file = io.BytesIO()
    recorder = AirRecorder(file, lambda: WALL_S)
    recorder.heard(Heard(FRAME, 2412, 22, -25, RX_SHORTPRE, "A.abc0"))
    recorder.heard(Heard(FRAME, 2437, 108, -40, 0, "A.abc0"))
    recorder.heard(Heard(FRAME, 5180, 12, -31, 0, "A.abc0"))
    heads, frames = zip(*read(file), strict=True)
    assert set(frames) == {FRAME}
    assert [(h.freq, h.rate, h.signal, h.chanflags, h.flags) for h in heads] == [
        (2412, 22, -25, CHAN_B, RX_SHORTPRE),
        (2437, 108, -40, CHAN_PUREG, 0),
        (5180, 12, -31, CHAN_A, 0),
    ]
    assert heads[0].tsft == int(WALL_S * 1e6)


def test_an_air_in_memory_is_recorded_by_a_tap_until_there_is_enough():
    clock = Clock()
    air = Air("air0", clock, Random(1))
    port = air.plug("A.abc0")
    port.listen(2412, FRAME[10:16], nosy=False)
    file, ended = io.BytesIO(), []
    recorder = AirRecorder(file, clock.wall, snaplen=40, count=2, done=lambda: ended.append(1))
    air.tap(recorder.tap)
    for _ in range(3):
        port.emit(FRAME + bytes(100), 22, 15)
        clock.run(clock.now + 0.01)
    assert ended == [1]
    assert recorder.writer.count == 2
    file.seek(0)
    packets = list(PcapReader(file))
    assert [(len(packet.frame), packet.length > 124) for packet in packets] == [(40, True)] * 2
