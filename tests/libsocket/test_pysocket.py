"""Python's sockets over a stack: names, options, datagrams, threads, and what is refused."""

from __future__ import annotations

import _socket
import errno
import importlib
import os
import select
import socket
import struct
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.libsocket import options
from libnet.libsocket.netdb import Netdb
from libnet.libsocket.pysocket import host_error, install, sockaddr
from tests.libsocket.streamlab import served

HOSTS = "127.0.0.1 localhost\n10.0.0.7 seven seven.lab alias7\n# comment\nfe80::1 six\n"


@pytest.fixture
def lab(tmp_path):
    with served(tmp_path) as made:
        etc = os.path.join(made.box.root, "etc")
        os.makedirs(etc)
        with open(os.path.join(etc, "hosts"), "w", encoding="ascii") as file:
            file.write(HOSTS)
        with open(os.path.join(etc, "services"), "w", encoding="ascii") as file:
            file.write("http 80/tcp www\ndomain 53/udp\n")
        yield made


def datagrams(lab, port=6000):
    server = lab.socket.socket(lab.socket.AF_INET, lab.socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    client = lab.socket.socket(lab.socket.AF_INET, lab.socket.SOCK_DGRAM)
    for sock in (server, client):
        sock.settimeout(10)
    return server, client


def test_datagrams_keep_their_ends_and_their_sender(lab):
    server, client = datagrams(lab)
    with server, client:
        for size in (1, 0, 5000, 300, 1):  # the first to an address, empty, larger, smaller
            assert client.sendto(b"x" * size, ("127.0.0.1", 6000)) == size
            data, addr = server.recvfrom(9000)
            assert len(data) == size
            assert addr == ("127.0.0.1", client.getsockname()[1])
        client.connect(("127.0.0.1", 6000))
        assert client.getpeername() == ("127.0.0.1", 6000)
        client.send(b"0123456789")
        assert server.recv(4) == b"0123"  # the rest of a datagram is lost
        client.sendmsg([b"ab", b"cd"])
        data, control, flags, addr = server.recvmsg(3)
        assert (data, control, flags) == (b"abc", [], socket.MSG_TRUNC)
        client.send(b"peeked")
        assert server.recv(9, socket.MSG_PEEK) == server.recv(9) == b"peeked"
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.recv(1)
        buffers = [bytearray(2), bytearray(9)]
        server.settimeout(10)
        client.send(b"abcde")
        assert server.recvmsg_into(buffers)[0] == 5
        assert (buffers[0], buffers[1][:3]) == (b"ab", b"cde")


def test_a_refused_datagram_is_told_by_the_next_call(lab):
    _server, client = datagrams(lab, 6001)
    _server.close()
    with client:
        client.connect(("127.0.0.1", 6002))
        client.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)
        client.send(b"x")
        assert select.select([client], (), (), 10)[0]
        with pytest.raises(ConnectionRefusedError):
            client.send(b"x")
        client.sendall(b"")
        assert select.select([client], (), (), 10)[0]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_errors_of_the_first_datagram_are_told_at_once(lab):
    with lab.socket.socket(lab.socket.AF_INET, lab.socket.SOCK_DGRAM) as sock:
        with pytest.raises(OSError, match="host"):
            sock.sendto(b"x", ("10.9.9.9", 1))
        with pytest.raises(OSError, match="too long"):
            sock.sendto(bytes(20000), ("127.0.0.1", 1))
        with pytest.raises(OSError, match="estination"):
            sock.send(b"x")
        sock.sendto(b"x", ("127.0.0.1", 1))
        with pytest.raises(OSError, match=r"too long|refused"):
            sock.sendto(bytes(20000), ("127.0.0.1", 1))


def test_control_data(lab):
    server, client = datagrams(lab, 6003)
    with server, client:
        server.setsockopt(socket.IPPROTO_IP, options.IP_PKTINFO, 1)
        server.setsockopt(socket.IPPROTO_IP, options.IP_RECVTTL, 1)
        server.setsockopt(socket.SOL_SOCKET, options.SO_TIMESTAMP, 1)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
        client.sendto(b"x", ("127.0.0.1", 6003))
        found = {(level, kind): data for level, kind, data in server.recvmsg(10, 200)[1]}
        assert found[0, options.IP_TTL] == struct.pack("i", 9)
        index, local, dst = struct.unpack("i4s4s", found[0, options.IP_PKTINFO])
        assert (index, local, dst) == (1, b"\x7f\0\0\1", b"\x7f\0\0\1")
        assert len(found[socket.SOL_SOCKET, options.SO_TIMESTAMP]) == 16


def test_options_have_the_hosts_numbers(lab):
    with lab.socket.socket() as sock:
        for name in ("SO_REUSEADDR", "SO_KEEPALIVE", "SO_BROADCAST", "SO_OOBINLINE"):
            number = getattr(socket, name)
            assert sock.getsockopt(socket.SOL_SOCKET, number) == 0
            sock.setsockopt(socket.SOL_SOCKET, number, 7)
            assert sock.getsockopt(socket.SOL_SOCKET, number) == 1
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, struct.pack("i", 5000))
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 5000
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 29)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == lab.stack.sbmax
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo0\0")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo0\0"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 3, 0))
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)[:8] == struct.pack("l", 3)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
        for level, name in ((socket.SOL_SOCKET, 9999), (socket.IPPROTO_TCP, 11), (41, 26)):
            with pytest.raises(OSError, match="not available"):
                sock.setsockopt(level, name, 1)
        with pytest.raises(OSError, match="Invalid"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 1)


def test_group_membership_takes_the_hosts_structures(lab):
    with lab.socket.socket(lab.socket.AF_INET, lab.socket.SOCK_DGRAM) as sock:
        mreq = socket.inet_aton("224.1.2.3") + socket.inet_aton("127.0.0.1")
        with pytest.raises(OSError, match="address"):  # lo0 knows no groups, or not this address
            sock.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_ADD_MEMBERSHIP,
                socket.inet_aton("224.1.2.3") + socket.inet_aton("10.1.1.1"),
            )
        with pytest.raises(OSError, match="Invalid"):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq[:5])


@given(
    st.sampled_from(sorted(options.ROWS)),
    st.integers(-(1 << 31), (1 << 31) - 1) | st.binary(max_size=24),
)
def test_any_value_of_any_option_is_translated_or_refused(key, value):
    try:
        options.ROWS[key][2](value)
    except OSError as exc:
        assert exc.errno == errno.EINVAL


def test_names_come_from_the_box(lab):
    s = lab.socket
    assert s.gethostbyname("SEVEN") == "10.0.0.7"
    assert s.gethostbyname_ex("alias7") == ("seven", ["seven.lab", "alias7"], ["10.0.0.7"])
    assert s.gethostbyaddr("10.0.0.7")[0] == "seven"
    assert s.gethostbyname("") == "0.0.0.0"
    assert s.gethostbyname("<broadcast>") == "255.255.255.255"
    assert s.gethostname() == "localhost"  # kern.hostname of the stack
    assert s.getservbyname("www") == 80
    assert s.getservbyport(53, "udp") == "domain"
    assert s.getnameinfo(("10.0.0.7", 80), 0) == ("seven", "http")
    assert s.getprotobyname("icmp") == 1
    assert s.if_nametoindex("lo0") == 1
    assert s.if_indextoname(1) == "lo0"
    for call in (
        lambda: s.gethostbyname("nowhere"),
        lambda: s.getaddrinfo("six", 1),
        lambda: s.getaddrinfo("seven", "nothing"),
        lambda: s.getaddrinfo("10.0.0.1", 1, s.AF_INET6),
        lambda: s.getaddrinfo("seven", 1, 0, 0, 0, s.AI_NUMERICHOST),
    ):
        with pytest.raises(s.gaierror):
            call()
    with pytest.raises(s.herror):
        s.gethostbyaddr("10.0.0.8")
    with pytest.raises(OSError, match="not found"):
        s.getservbyname("nothing")


@given(
    st.none() | st.text(max_size=20) | st.binary(max_size=20),
    st.none() | st.text(max_size=8) | st.integers(),
    *[st.integers(0, 50)] * 4,
)
def test_any_question_is_answered_or_refused(host, port, family, kind, proto, flags):
    netdb = Netdb(lambda path: "/nonexistent" + path)
    try:
        found = netdb.getaddrinfo(host, port, family, kind, proto, flags)
    except socket.gaierror:
        return
    assert all(row[0] == socket.AF_INET for row in found)
    assert found


@given(st.tuples(st.text(max_size=20) | st.integers(), st.integers() | st.text()) | st.none())
def test_any_address_is_taken_or_refused(address):
    netdb = Netdb(lambda path: "/nonexistent" + path)
    try:
        made = sockaddr(netdb, address, "bind")
    except (TypeError, OverflowError, socket.gaierror):
        return
    assert 0 <= made.port <= 65535


def test_errors_are_of_the_classes_that_programs_catch():
    assert isinstance(host_error("ECONNREFUSED"), ConnectionRefusedError)
    assert isinstance(host_error("EAGAIN"), BlockingIOError)
    assert isinstance(host_error("EPIPE"), BrokenPipeError)
    assert isinstance(host_error("ETIMEDOUT"), TimeoutError)
    assert host_error("ENOTSUP").errno == errno.EOPNOTSUPP
    assert host_error("EWEIRD").errno == errno.EIO


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for itself, in one file."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "box")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    path = tmp_path_factory.mktemp("tls") / "box.pem"
    path.write_bytes(
        key.private_bytes(pem, form, serialization.NoEncryption()) + made.public_bytes(pem)
    )
    return str(path)


def test_tls_over_a_stream(lab, certificate):
    """What ssl does with a socket: an object around its descriptor, C code that reads and writes."""
    one, two = lab.pair()
    clients = lab.inside(lambda: len(lab.server.clients))
    held = {name: sys.modules.pop(name, None) for name in ("ssl", "socket", "_socket")}
    sys.modules["socket"] = lab.socket
    sys.modules["_socket"] = lab.socket._socket
    try:
        ssl = importlib.import_module("ssl")
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        theirs.load_cert_chain(certificate)
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE

        def serve():
            with theirs.wrap_socket(two, server_side=True) as secure:
                secure.sendall(secure.recv(1 << 20).upper())

        server = threading.Thread(target=serve)
        server.start()
        with ours.wrap_socket(one) as secure:
            assert secure.getpeername() == ("127.0.0.1", 7000)
            secure.sendall(b"secret" * 1000)
            got = b""
            while len(got) < 6000:
                got += secure.recv(8192)
        server.join()
        assert got == b"SECRET" * 1000
    finally:
        sys.modules.pop("ssl", None)
        sys.modules.update({name: value for name, value in held.items() if value is not None})
    lab.until(lambda: len(lab.server.clients) == clients - 2)


def test_threads_share_a_socket(lab):
    one, two = lab.pair()
    names = []

    def ask():
        for _ in range(50):
            names.append((one.getsockname(), one.getpeername()))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        one.sendall(b"x")
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    assert two.recv(50, socket.MSG_WAITALL) == b"x" * 50
    one.close()
    two.close()


def test_dup_detach_and_objects_around_a_descriptor(lab):
    one, two = lab.pair()
    copy = one.dup()
    one.close()
    again = lab.socket.socket(fileno=copy.detach())
    assert (again.family, again.type) == (socket.AF_INET, socket.SOCK_STREAM)
    assert again.getpeername() == two.getsockname()
    again.sendall(b"hello")
    assert two.recv(10) == b"hello"
    fd = again.detach()
    lab.socket.close(fd)
    assert two.recv(10) == b""
    two.close()
    a, b = lab.socket.socketpair()  # the host's own, even on a number that was ours
    with a, b:
        assert a.family == socket.AF_UNIX
        assert lab.socket.socket(fileno=os.dup(a.fileno())).close() is None


def test_closing_ends_the_conversation_and_errors_follow(lab):
    sock = lab.socket.socket()
    clients = lab.inside(lambda: len(lab.server.clients))
    sock.close()
    sock.close()
    lab.until(lambda: len(lab.server.clients) == clients - 1)
    for call in (sock.getsockname, lambda: sock.recv(1), lambda: sock.connect(("127.0.0.1", 1))):
        with pytest.raises(OSError, match="Bad file"):
            call()


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("127.0.0.1", TypeError),
        (("127.0.0.1",), TypeError),
        (("127.0.0.1", "80"), TypeError),
        ((17, 80), TypeError),
        (("127.0.0.1", 70000), OverflowError),
        (("no such name", 80), socket.gaierror),
    ],
)
def test_wrong_addresses(lab, address, error):
    with lab.socket.socket() as sock, pytest.raises(error):
        sock.connect(address)


def test_a_program_can_wait_with_a_timeout(lab):
    one, two = lab.pair()
    two.settimeout(0.01)
    for call in (lambda: two.recv(1), lambda: two.recv_into(bytearray(1))):
        with pytest.raises(TimeoutError):
            call()
    with lab.listener(7300) as listener:
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError):
            listener.accept()
    one.close()
    two.close()


def test_install_forgets_what_holds_the_interpreters_sockets(lab):
    held = dict(sys.modules)
    made = type(sys)("_socket")
    made.__dict__.update(vars(_socket))
    keeper = type(sys)("keeper")
    keeper.wanted = socket.socket
    sys.modules["keeper"] = keeper
    try:
        install(made)
        assert "keeper" not in sys.modules
        assert "socket" not in sys.modules
        assert sys.modules["_socket"] is made
        assert "libnet.libsocket.transport" in sys.modules
    finally:
        sys.modules.clear()
        sys.modules.update(held)
