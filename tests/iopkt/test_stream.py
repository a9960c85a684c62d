"""Streams through the Unix socket: data, room, ends, errors, and clients that misbehave."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrIn
from libnet.errors import NetError
from libnet.iopkt import channel, syscall
from libnet.libsocket.transport import UnixTransport
from libnet.rpc.codec import encode
from tests.libsocket.streamlab import served


@pytest.fixture
def lab(tmp_path):
    with served(tmp_path) as made:
        yield made


def pollable(sock, event):
    poller = select.poll()
    poller.register(sock.fileno(), event)
    return bool(poller.poll(0))


def test_octets_go_both_ways_and_ends_are_seen_one_by_one(lab):
    one, two = lab.pair()
    one.sendall(b"question")
    one.shutdown(lab.socket.SHUT_WR)
    assert two.recv(100) == b"question"
    assert two.recv(100) == b""
    two.sendall(b"answer")
    two.close()
    assert one.makefile("rb").read() == b"answer"
    one.close()
    lab.until(lambda: len(lab.proto.asked["detach"]) == 3)


def test_a_stream_larger_than_every_buffer_arrives_whole(lab):
    one, two = lab.pair()
    data = os.urandom(1 << 16) * 64
    sender = threading.Thread(target=lambda: (one.sendall(data), one.close()))
    sender.start()
    got = two.makefile("rb").read()
    sender.join()
    assert got == data
    two.close()


def test_who_does_not_read_stops_who_writes(lab):
    one, two = lab.pair()
    one.setblocking(False)
    sent = 0
    while sent < 1 << 26:
        if not pollable(one, select.POLLOUT):
            lab.inside(lambda: None)  # a pass for the pump
        try:
            sent += one.send(bytes(65536))
        except BlockingIOError:
            break
    assert sent < 1 << 24
    got = 0
    while got < sent:
        got += len(two.recv(1 << 20))
    assert got == sent
    one.close()
    two.close()


def test_what_was_written_before_close_is_sent(lab):
    one, two = lab.pair()
    lab.inside(lambda: setattr(lab.proto, "stalled", True))
    one.sendall(bytes(200_000))
    one.close()
    lab.inside(lambda: None)
    lab.inside(lab.proto.go_on)
    assert len(two.makefile("rb").read()) == 200_000
    two.close()


def test_a_closed_stream_whose_peer_takes_nothing_is_given_up(lab):
    one, two = lab.pair()
    lab.inside(lambda: setattr(lab.proto, "stalled", True))
    one.sendall(bytes(100_000))
    clients = lab.inside(lambda: len(lab.server.clients))
    one.close()
    lab.until(lambda: len(lab.server.clients) == clients - 1)
    detached = lab.inside(lambda: len(lab.proto.asked["detach"]))
    lab.pass_time(channel.ORPHAN_S + 1)
    lab.pass_time(channel.ORPHAN_S + 1)
    lab.until(lambda: len(lab.proto.asked["detach"]) == detached + 1)
    assert lab.inside(lambda: lab.server.stat["orphan"]) == 1
    two.close()


def test_linger_of_no_time_resets(lab):
    one, two = lab.pair()
    one.setsockopt(lab.socket.SOL_SOCKET, lab.socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert one.getsockopt(lab.socket.SOL_SOCKET, lab.socket.SO_LINGER, 8) == struct.pack("ii", 1, 0)
    one.close()
    with pytest.raises(ConnectionResetError):
        two.recv(10)
    assert two.recv(10) == b""  # an error is told once
    with pytest.raises(BrokenPipeError):
        two.sendall(bytes(1 << 20))
    two.close()


def test_a_refused_connection_is_an_error_with_the_right_class(lab):
    with lab.socket.socket() as sock:
        with pytest.raises(ConnectionRefusedError):
            sock.connect(("127.0.0.1", 81))
        sock.settimeout(5)
        with lab.listener(83):
            sock.connect(("127.0.0.1", 83))  # the same socket may try again
            assert sock.getpeername() == ("127.0.0.1", 83)


def test_a_connecting_socket_is_writable_when_it_is_connected(lab):
    with lab.listener(), lab.socket.socket() as sock:
        sock.setblocking(False)
        assert sock.connect_ex(("127.0.0.1", 7000)) == 115
        first = pollable(sock, select.POLLOUT)
        assert sock.connect_ex(("127.0.0.1", 7000)) in (114, 0)
        assert select.select((), [sock], (), 10)[1] == [sock]
        assert not first
        assert sock.getsockopt(lab.socket.SOL_SOCKET, lab.socket.SO_ERROR) == 0
        assert sock.send(b"x") == 1


def test_a_failed_connection_is_writable_too_and_so_error_tells(lab):
    with lab.socket.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.connect(("127.0.0.1", 81))
        assert select.select((), [sock], (), 10)[1] == [sock]
        assert sock.getsockopt(lab.socket.SOL_SOCKET, lab.socket.SO_ERROR) == 111
        assert sock.getsockopt(lab.socket.SOL_SOCKET, lab.socket.SO_ERROR) == 0


def test_connecting_gives_up_at_its_timeout(lab):
    with lab.socket.socket() as sock:
        sock.settimeout(0.01)
        with pytest.raises(TimeoutError):
            sock.connect(("127.0.0.1", 9))


def test_a_listener_is_readable_once_for_each_connection(lab):
    with lab.listener() as listener:
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        made = [lab.socket.create_connection(("127.0.0.1", 7000), 5) for _ in range(3)]
        peers = set()
        for _ in made:
            assert select.select([listener], (), (), 10)[0]
            conn, addr = listener.accept()
            peers.add(addr)
            conn.close()
        assert peers == {sock.getsockname() for sock in made}
        with pytest.raises(BlockingIOError):
            listener.accept()
        for sock in made:
            sock.close()


def test_a_connection_that_nobody_adopts_is_closed(lab):
    with lab.listener() as listener:
        client = lab.socket.create_connection(("127.0.0.1", 7000), 5)
        end = listener._end
        assert select.select([listener], (), (), 10)[0]
        token, peer = end.rpc("accept")
        assert len(token) == syscall.TOKEN_BITS // 4
        assert isinstance(peer, SockaddrIn)
        lab.pass_time(syscall.TOKEN_S + 1)
        client.settimeout(10)
        assert client.recv(1) == b""
        late = UnixTransport(lab.box.socket())
        with pytest.raises(NetError) as caught:
            late.call("adopt", token)
        assert caught.value.symbol == "EBADF"
        late.close()
        client.close()


def test_a_token_is_for_its_user_and_for_once(lab):
    tokens = lab.manager.tokens

    def try_it():
        file = syscall.File(lab.stack.socreate(2, 1, 0, syscall.Cred()))
        token = tokens.issue(file, 7)
        with pytest.raises(NetError):
            tokens.redeem(token, 8)
        assert tokens.redeem(token, 7) is file
        with pytest.raises(NetError):
            tokens.redeem(token, 7)
        file.release()
        return len(tokens)

    assert lab.inside(try_it) == 0


def test_there_are_only_so_many_tokens(lab):
    def fill():
        files = [
            syscall.File(lab.stack.socreate(2, 2, 0, syscall.Cred()))
            for _ in range(syscall.MAX_TOKENS + 1)
        ]
        for file in files[:-1]:
            lab.manager.tokens.issue(file, 0)
        with pytest.raises(NetError) as caught:
            lab.manager.tokens.issue(files[-1], 0)
        files[-1].release()
        return caught.value.symbol

    assert lab.inside(fill) == "ENFILE"
    lab.pass_time(syscall.TOKEN_S + 1)
    assert lab.inside(lambda: len(lab.manager.tokens)) == 0


def test_a_socket_lives_as_long_as_one_of_those_that_share_it(lab):
    one, two = lab.pair()
    token = one._end.rpc("share")
    other = UnixTransport(lab.box.socket())
    assert other.call("adopt", token) == [2, 1, 6]
    fd = os.dup(one.fileno())
    one.close()
    os.write(fd, b"still here")
    two.settimeout(10)
    assert two.recv(100) == b"still here"
    os.close(fd)
    assert two.recv(100) == b""
    other.close()
    two.close()


def test_urgent_data_come_after_what_was_written_before_them(lab):
    one, two = lab.pair()
    one.sendall(b"before")
    assert one.send(b"!", lab.socket.MSG_OOB) == 1
    assert lab.inside(lambda: lab.proto.asked["oob"]) in ([b"before"], [b""])
    assert two.recv(6, lab.socket.MSG_WAITALL) == b"before"
    assert two.recv(1, lab.socket.MSG_OOB) == b"!"
    one.close()
    two.close()


def test_a_program_that_dies_leaves_nothing(lab):
    one, two = lab.pair()
    before = lab.inside(lambda: len(lab.server.clients))
    child = os.fork()
    if child == 0:
        try:
            late = UnixTransport(lab.box.socket())
            late.call("socket", 2, 1, 0)
            late.call("bind", SockaddrIn(0x7F000001, 7100))
            late.call("listen", 3)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    lab.until(lambda: len(lab.server.clients) == before)
    assert lab.inside(lambda: 7100 in lab.proto.listeners) is False
    one.sendall(b"x")
    assert two.recv(1) == b"x"
    one.close()
    two.close()


def test_a_stack_that_dies_is_told_as_an_error_and_not_as_an_end(tmp_path):
    with served(tmp_path) as lab:
        one, two = lab.pair()
        listener = lab.listener(7200)
    with pytest.raises(OSError, match="down"):
        one.recv(1)
    with pytest.raises(OSError, match=r"down|Broken pipe"):
        two.sendall(b"x")
    with pytest.raises(OSError, match="down"):
        listener.accept()
    for sock in (one, two, listener):
        sock.close()
    with pytest.raises(OSError, match="family"):
        lab.socket.socket()


def test_the_socket_is_its_owners(lab):
    assert os.stat(lab.box.socket()).st_mode & 0o777 == 0o600


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(syscall._OPS)),
    st.lists(
        st.none() | st.integers(-5, 1 << 40) | st.binary(max_size=20) | st.text(max_size=20),
        max_size=3,
    ),
)
def test_no_operation_on_a_stream_upsets_the_stack(lab_once, op, args):
    transport = UnixTransport(lab_once.box.socket())
    transport.call("socket", 2, 1, 0)
    try:
        transport.call(op, *args)
    except NetError as exc:
        assert exc.symbol != "EIO"
    transport.close()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.lists(st.integers() | st.binary(), max_size=4).map(encode))
def test_any_message_on_a_datagram_descriptor_is_sent_or_counted(lab_once, octets):
    transport = UnixTransport(lab_once.box.socket())
    transport.call("socket", 2, 2, 0)
    data = socket.socket(fileno=transport.take_data())
    if octets:
        data.send(octets)
    assert transport.call("getsockname") == SockaddrIn(0, 0)
    data.close()
    transport.close()


@pytest.fixture(scope="module")
def lab_once(tmp_path_factory):
    with served(tmp_path_factory.mktemp("once")) as made:
        yield made
