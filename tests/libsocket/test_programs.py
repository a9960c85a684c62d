"""Unmodified Python programs in two boxes that talk over a wire, as processes."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import textwrap

import pytest

from libnet.lab.play import Player
from libnet.lab.world import World

pytestmark = pytest.mark.processes


class Boxes:
    """BoxA 10.0.0.1 and BoxB 10.0.0.2 on one wire."""

    def __init__(self, world):
        self.player = Player(os.environ, world)
        self.world = World(world)
        self.number = 0
        for n, box in ((1, "BoxA"), (2, "BoxB")):
            assert self.player(box, "io-pkt-v4-hc -d i82544") == ("", 0)
            assert self.player(box, f"ifconfig wm0 10.0.0.{n}/24") == ("", 0)

    def file(self, box, data):
        """Put a file into a box; return its path there."""
        self.number += 1
        path = f"/tmp/f{self.number}.py"
        with open(self.world.box(box).root + path, "wb") as file:
            file.write(data)
        return path

    def start(self, box, code, *args):
        """Start a program; return it once it has printed its first line."""
        path = self.file(box, textwrap.dedent(code).encode())
        return self.command(box, "netpy", "-u", path, *args)

    def command(self, box, *argv):
        made = subprocess.Popen(
            [f"{self.player.programs}/box", "run", box, "--", *argv],
            env=self.player.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready, _, _ = select.select([made.stdout], (), (), 20)
        assert ready, "it does not start"
        made.first = made.stdout.readline()
        return made

    def run(self, box, code, *args):
        """Run a program to its end; return what it printed."""
        path = self.file(box, textwrap.dedent(code).encode())
        out, status = self.player(box, f"netpy {path} {' '.join(args)}")
        assert status == 0, out
        return out


def stop(process):
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    made = Boxes(str(tmp_path_factory.mktemp("programs") / "w"))
    yield made
    made.player.close()


ECHO_CLIENT = """
    import socket, sys
    port, size = int(sys.argv[1]), int(sys.argv[2])
    with socket.create_connection(("10.0.0.2", port), timeout=20) as sock:
        data = bytes(range(256)) * (size // 256)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as file:
            print(file.read() == data, sock.getpeername())
"""


def test_http_server_and_urllib(boxes):
    data = os.urandom(2_000_000)
    boxes.file("BoxB", b"")
    with open(boxes.world.box("BoxB").root + "/tmp/big", "wb") as file:
        file.write(data)
    server = boxes.command("BoxB", "netpy", "-u", "-m", "http.server", "-d", "/tmp", "8000")
    try:
        assert server.first.startswith("Serving HTTP on 0.0.0.0 port 8000")
        out = boxes.run(
            "BoxA",
            """
            import hashlib, urllib.request, urllib.error
            for _ in range(2):
                with urllib.request.urlopen("http://10.0.0.2:8000/big", timeout=20) as reply:
                    print(reply.status, hashlib.sha256(reply.read()).hexdigest())
            try:
                urllib.request.urlopen("http://10.0.0.2:8000/nothing", timeout=20)
            except urllib.error.HTTPError as exc:
                print(exc.code)
            """,
        )
    finally:
        stop(server)
    assert out == f"200 {hashlib.sha256(data).hexdigest()}\n" * 2 + "404\n"


def test_asyncio_streams(boxes):
    server = boxes.start(
        "BoxB",
        """
        import asyncio
        async def echo(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        async def main():
            server = await asyncio.start_server(echo, "0.0.0.0", 8001)
            print("ready", server.sockets[0].getsockname())
            async with server:
                await server.serve_forever()
        asyncio.run(main())
        """,
    )
    try:
        assert server.first == "ready ('0.0.0.0', 8001)\n"
        out = boxes.run(
            "BoxA",
            """
            import asyncio
            async def one(number):
                reader, writer = await asyncio.open_connection("10.0.0.2", 8001)
                data = bytes([number]) * (20_000 * number)
                writer.write(data)
                writer.write_eof()
                got = await reader.read(-1)
                writer.close()
                await writer.wait_closed()
                return got == data
            async def main():
                print(await asyncio.gather(*(one(n) for n in range(1, 16))))
                try:
                    await asyncio.open_connection("10.0.0.2", 9999)
                except ConnectionRefusedError as exc:
                    print(type(exc).__name__)
            asyncio.run(main())
            """,
        )
        assert out == f"{[True] * 15}\nConnectionRefusedError\n"
    finally:
        stop(server)


@pytest.mark.parametrize("mixin", ["ThreadingMixIn", "ForkingMixIn"])
def test_socketserver(boxes, mixin):
    port = {"ThreadingMixIn": "8002", "ForkingMixIn": "8003"}[mixin]
    server = boxes.start(
        "BoxB",
        """
        import socketserver, sys
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while data := self.rfile.read1(65536):
                    self.wfile.write(data)
        class Server(getattr(socketserver, sys.argv[1]), socketserver.TCPServer):
            allow_reuse_address = True
        with Server(("", int(sys.argv[2])), Handler) as server:
            print("ready")
            server.serve_forever()
        """,
        mixin,
        port,
    )
    try:
        assert server.first == "ready\n"
        for _ in range(3):
            out = boxes.run("BoxA", ECHO_CLIENT, port, "100000")
            assert out == f"True ('10.0.0.2', {port})\n"
    finally:
        stop(server)


def test_selectors_and_non_blocking_sockets(boxes):
    server = boxes.start(
        "BoxB",
        """
        import selectors, socket
        sel = selectors.DefaultSelector()
        listener = socket.create_server(("", 8004))
        listener.setblocking(False)
        sel.register(listener, selectors.EVENT_READ)
        print("ready")
        todo = {}
        while True:
            for key, events in sel.select():
                sock = key.fileobj
                if sock is listener:
                    conn, _addr = listener.accept()
                    conn.setblocking(False)
                    todo[conn] = bytearray()
                    sel.register(conn, selectors.EVENT_READ)
                    continue
                buf = todo[sock]
                if events & selectors.EVENT_READ:
                    data = sock.recv(4096)
                    buf += data
                    if not data:
                        sel.unregister(sock)
                        sock.setblocking(True)
                        sock.sendall(buf)
                        sock.close()
                        continue
                if events & selectors.EVENT_WRITE and buf:
                    del buf[:sock.send(buf)]
                sel.modify(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if buf else 0))
        """,
    )
    try:
        assert server.first == "ready\n"
        out = boxes.run(
            "BoxA",
            """
            import errno, select, socket
            socks = []
            for _ in range(5):
                sock = socket.socket()
                sock.setblocking(False)
                assert sock.connect_ex(("10.0.0.2", 8004)) == errno.EINPROGRESS
                socks.append(sock)
            waiting = set(socks)
            while waiting:
                for sock in select.select([], list(waiting), [], 20)[1]:
                    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                    waiting.discard(sock)
            for n, sock in enumerate(socks):
                sock.setblocking(True)
                sock.settimeout(20)
                sock.sendall(bytes([n]) * 50_000)
            for n, sock in enumerate(socks):
                got = b""
                while len(got) < 50_000:
                    got += sock.recv(10_000)
                print(got == bytes([n]) * 50_000, end=" ")
                sock.close()
            """,
        )
        assert out == "True " * 5
    finally:
        stop(server)


def test_datagrams(boxes):
    server = boxes.start(
        "BoxB",
        """
        import asyncio
        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport
            def datagram_received(self, data, addr):
                self.transport.sendto(data.upper(), addr)
        async def main():
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(Echo, local_addr=("0.0.0.0", 8005))
            print("ready")
            await asyncio.sleep(3600)
        asyncio.run(main())
        """,
    )
    try:
        out = boxes.run(
            "BoxA",
            """
            import errno, socket
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.settimeout(20)
            for text in (b"one", b"two", b"x" * 2000, b"three"):
                sock.sendto(text, ("10.0.0.2", 8005))
                data, addr = sock.recvfrom(3000)
                assert (data, addr) == (text.upper(), ("10.0.0.2", 8005)), data
            buffer = bytearray(10)
            sock.connect(("10.0.0.2", 8005))
            sock.send(b"abcdefghijklmnop")
            print(sock.recv_into(buffer), bytes(buffer), sock.getpeername())
            for wrong in (bytes(60_000), bytes(70_000)):
                try:
                    sock.send(wrong)
                except OSError as exc:
                    print(exc.errno == errno.EMSGSIZE, end=" ")
            closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            closed.connect(("10.0.0.2", 9))
            closed.settimeout(20)
            closed.send(b"x")
            try:
                closed.recv(10)
            except ConnectionRefusedError as exc:
                print(exc)
            lost = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                lost.sendto(b"x", ("172.16.0.1", 9))
            except OSError as exc:
                print(errno.errorcode[exc.errno])
            """,
        )
    finally:
        stop(server)
    assert out.splitlines() == [
        "10 b'ABCDEFGHIJ' ('10.0.0.2', 8005)",
        "True True [Errno 111] Connection refused",
        "EHOSTUNREACH",
    ]


def test_what_is_the_hosts_and_what_is_the_boxs(boxes):
    out = boxes.run(
        "BoxA",
        """
        import socket, ssl, errno
        a, b = socket.socketpair()
        a.send(b"x"); print(b.recv(1))
        print(socket.gethostbyname("localhost"), socket.gethostname(), socket.has_ipv6)
        for family in (socket.AF_INET6, socket.AF_PACKET, socket.AF_NETLINK):
            try:
                socket.socket(family, socket.SOCK_DGRAM)
            except OSError as exc:
                print(errno.errorcode[exc.errno], end=" ")
        try:
            socket.getaddrinfo("no.such.host", 80)
        except socket.gaierror as exc:
            print(exc)
        print(socket.if_nameindex(), socket.getaddrinfo("10.0.0.2", "80", type=socket.SOCK_STREAM))
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 30)
        print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
              sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
              sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
              sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))
        try:
            sock.recv(1)
        except OSError as exc:
            print(errno.errorcode[exc.errno], end=" ")
        try:
            sock.send(b"x")
        except OSError as exc:
            print(errno.errorcode[exc.errno])
        """,
    )
    assert out.splitlines() == [
        "b'x'",
        "127.0.0.1 BoxA False",
        "EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT [Errno -2] Name or service not known",
        "[(1, 'lo0'), (2, 'wm0')] "
        "[(<AddressFamily.AF_INET: 2>, <SocketKind.SOCK_STREAM: 1>, 6, '', ('10.0.0.2', 80))]",
        "1 1 262144 1",
        "ENOTCONN EPIPE",
    ]


def test_sharing_by_fork_dup_and_inheritance(boxes):
    server = boxes.start(
        "BoxB",
        """
        import os, socket, subprocess, sys
        listener = socket.create_server(("", 8006))
        print("ready")
        conn, _addr = listener.accept()
        copy = conn.dup()
        conn.close()
        if os.fork() == 0:
            copy.sendall(b"child %s\\n" % copy.getsockname()[0].encode())
            os._exit(0)
        os.wait()
        copy.sendall(b"parent %d\\n" % copy.getsockname()[1])
        subprocess.run(["sh", "-c", "read x; echo heard $x"], stdin=copy, stdout=copy)
        fd = copy.detach()
        again = socket.socket(fileno=fd)
        again.sendall(b"again %d\\n" % again.family)
        with open("/tmp/text", "wb") as file:
            file.write(b"file\\n" * 1000)
        with open("/tmp/text", "rb") as file:
            print(again.sendfile(file))
        again.close()
        """,
    )
    try:
        out = boxes.run(
            "BoxA",
            """
            import socket
            sock = socket.create_connection(("10.0.0.2", 8006), 20)
            sock.sendall(b"hello\\n")
            text = sock.makefile().read()
            print(text[:70].replace("\\n", "|"), text.count("file"))
            """,
        )
        assert out.startswith("child 10.0.0.2|parent 8006|heard hello|again 2|file|")
        assert out.endswith(" 1000\n")
        assert server.communicate(timeout=20)[0] == "5000\n"
    finally:
        stop(server)


def test_a_peer_whose_power_is_cut(boxes):
    player = boxes.player
    assert player("BoxC", "io-pkt-v4-hc -d i82544") == ("", 0)
    assert player("BoxC", "ifconfig wm0 10.0.0.3/24") == ("", 0)
    server = boxes.start(
        "BoxC",
        """
        import socket
        listener = socket.create_server(("", 8007))
        print("ready")
        conn, _addr = listener.accept()
        conn.recv(1)
        print("connected")
        conn.recv(1)
        """,
    )
    client = boxes.start(
        "BoxA",
        """
        import socket, sys
        sock = socket.create_connection(("10.0.0.3", 8007), 20)
        sock.settimeout(20)
        sock.send(b"x")
        print("connected")
        sys.stdin.readline()
        try:
            sock.send(b"y")
            print(sock.recv(1))
        except OSError as exc:
            print(type(exc).__name__)
        """,
    )
    try:
        assert server.stdout.readline() == "connected\n"
        player.host([f"{player.programs}/box", "kill", "BoxC"])
        assert player("BoxC", "io-pkt-v4-hc -d i82544") == ("", 0)
        assert player("BoxC", "ifconfig wm0 10.0.0.3/24") == ("", 0)
        out, _ = client.communicate("\n", timeout=30)
        assert out == "ConnectionResetError\n"  # a new stack knows of no such connection
    finally:
        stop(server)
        stop(client)


def test_without_a_stack_there_are_no_sockets(boxes):
    out, status = boxes.player("BoxD", "netpy -c 'import socket; socket.socket()'")
    assert status == 1
    assert out.endswith("OSError: [Errno 97] Address family not supported by protocol\n")
    assert "pysocket" in out
    assert "cmds/netpy.py" not in out
