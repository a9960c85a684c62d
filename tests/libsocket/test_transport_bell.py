"""A device that rings: no bell is taken off without asking the stack what it was for."""

from __future__ import annotations

import socket
import threading

import pytest

from libnet.errors import NetError
from libnet.libsocket.transport import UnixTransport
from libnet.rpc.frame import ERROR, REPLY, FrameReader, pack


class Stack:
    """A stack that has one device, and answers `read` with what *answers* say.

    An answer is octets, or None for "nothing"; behind it, whether the bell rings just then.
    """

    def __init__(self, path, answers):
        self.answers = list(answers)
        self.asked = 0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        conn, _ = self._listener.accept()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reader = FrameReader()
        with conn, ours, theirs, self._listener:
            while octets := conn.recv(65536):
                for frame in reader.feed(octets):
                    if frame.value[0] == "open":
                        reply = pack(REPLY, frame.seq, 3)
                        socket.send_fds(conn, [reply], [theirs.fileno()])
                        continue
                    self.asked += 1
                    answer, rings = self.answers.pop(0)
                    if rings:
                        # Before the answer, as seen by the program: it reads the answer first.
                        ours.send(b"")
                    if answer is None:
                        conn.sendall(pack(ERROR, frame.seq, "EAGAIN"))
                    else:
                        conn.sendall(pack(REPLY, frame.seq, answer))

    def end(self):
        """Wait for the program to close."""
        self._thread.join(10)


def _read(tmp_path, answers):
    stack = Stack(str(tmp_path / "s"), answers)
    transport = UnixTransport(str(tmp_path / "s"))
    try:
        transport.call("open", "/dev/bpf")
        try:
            return transport.call("read", 100), stack
        except NetError as exc:
            return exc.symbol, stack
    finally:
        transport.close()
        stack.end()


def test_what_comes_behind_the_answer_nothing_is_read(tmp_path):
    got, stack = _read(tmp_path, [(None, True), (b"frame", False)])
    assert got == b"frame"
    assert stack.asked == 2


@pytest.mark.parametrize("bells", [0, 1, 3])
def test_false_bells_come_to_an_end(tmp_path, bells):
    got, stack = _read(tmp_path, [(None, True)] * bells + [(None, False)])
    assert got == "EAGAIN"
    assert stack.asked == bells + 1
