"""A stack behind a real Unix socket in a thread, and a stream protocol that is only a pipe.

The pipe has what a socket layer can see of a transport: queues, room, half closes, resets. What the
network does to segments is tested where TCP is.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections import defaultdict

from libnet.addr import AF_INET, SockaddrIn
from libnet.conf.iopkt import parse
from libnet.engine.kern.socket import SOCK_STREAM, Cred
from libnet.errors import NetError
from libnet.iopkt.manager import Manager
from libnet.iopkt.server import Server
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.pysocket import module, sockets
from libnet.loop.loop import Loop

HOST = 0x7F000001


class Pcb:
    """One end of a pipe."""

    def __init__(self, so):
        self.socket = so
        self.laddr = self.lport = self.faddr = self.fport = 0
        self.peer = None
        self.fin = False
        self.oob = b""


class PipeProto:
    """A StreamUsrreq between sockets of one stack."""

    def __init__(self, stack, space=32768):
        self.stack, self.space = stack, space
        self.listeners = {}
        self.asked = defaultdict(list)
        self.ports = iter(range(50000, 60000))
        self.stalled = False  # nobody's receive buffer takes anything: a closed window

    def attach(self, so):
        so.snd.hiwat = so.rcv.hiwat = self.space
        so.pcb = Pcb(so)

    def detach(self, so):
        pcb = so.pcb
        self.listeners = {p: s for p, s in self.listeners.items() if s is not so}
        if pcb.peer is not None:
            if so.linger == 0:
                self.abort(so)
            pcb.fin = True
            self._push(pcb)
        self.asked["detach"].append(pcb.lport)

    def bind(self, so, addr):
        if any(s.pcb.lport == addr.port for s in self.listeners.values()):
            raise NetError("EADDRINUSE")
        so.pcb.laddr, so.pcb.lport = addr.addr, addr.port or next(self.ports)

    def listen(self, so):
        if not so.pcb.lport:
            raise NetError("EINVAL")
        self.listeners[so.pcb.lport] = so

    def connect(self, so, addr):
        so.isconnecting()
        pcb = so.pcb
        pcb.laddr, pcb.lport = HOST, pcb.lport or next(self.ports)
        pcb.faddr, pcb.fport = addr.addr, addr.port
        if addr.port != 9:  # where the discard port would be nobody ever answers
            self.stack.clock.after(0.01, lambda: self._meet(so))

    def _meet(self, so):
        pcb = so.pcb
        listener = self.listeners.get(pcb.fport)
        new = listener.sonewconn() if listener is not None else None
        if new is None:
            so.error = "ECONNREFUSED"
            so.isdisconnected()
            return
        other = new.pcb
        other.laddr, other.lport, other.faddr, other.fport = (
            pcb.faddr,
            pcb.fport,
            pcb.laddr,
            pcb.lport,
        )
        other.peer, pcb.peer = pcb, other
        so.isconnected()
        new.isconnected()

    def send(self, so, data, addr, flags):
        if flags & 1:
            so.pcb.peer.oob = data[-1:]
            data = data[:-1]
            self.asked["oob"].append(bytes(so.pcb.peer.socket.rcv.peek(0, 99)))
        so.snd.append(data)
        self._push(so.pcb)
        return len(data) + (flags & 1)

    def _push(self, pcb):
        so, peer = pcb.socket, pcb.peer.socket
        n = 0 if self.stalled else min(so.snd.cc, peer.rcv.space())
        if n > 0:
            peer.rcv.append(so.snd.take(n))
            peer.wakeup()
            so.wakeup()
        if pcb.fin and not so.snd.cc:
            peer.cantrcvmore()

    def go_on(self):
        self.stalled = False
        for so in list(self.stack.sockets):
            if so.pcb is not None and getattr(so.pcb, "peer", None) is not None:
                self._push(so.pcb)

    def rcvd(self, so):
        if so.pcb.peer is not None:
            self._push(so.pcb.peer)

    def rcvoob(self, so, flags):
        if not so.pcb.oob:
            raise NetError("EINVAL")
        octet, so.pcb.oob = so.pcb.oob, b""
        return octet

    def shutdown(self, so, how):
        self.asked["shutdown"].append(how)
        if how:
            so.pcb.fin = True
            self._push(so.pcb)

    def abort(self, so):
        peer = so.pcb.peer
        if peer is not None:
            peer.socket.error = "ECONNRESET"
            peer.socket.isdisconnected()

    def sockaddr(self, so):
        return SockaddrIn(so.pcb.laddr, so.pcb.lport)

    def peeraddr(self, so):
        if not so.pcb.fport:
            raise NetError("ENOTCONN")
        return SockaddrIn(so.pcb.faddr, so.pcb.fport)

    def getopt(self, so, level, name):
        if (level, name) not in so.pcb.__dict__.setdefault("options", {}):
            raise NetError("ENOPROTOOPT")
        return so.pcb.options[level, name]

    def setopt(self, so, level, name, value):
        so.pcb.__dict__.setdefault("options", {})[level, name] = value


class NoMachine:
    """A machine without hardware."""

    cpus = 1

    def __init__(self, clock):
        self.clock, self.dice = clock, random.Random(5)

    def find_module(self, name):
        return None

    def free_nics(self, driver):
        return []


class Served:
    """A stack that answers at a Unix socket below *directory*, run by a loop in a thread."""

    def __init__(self, directory, *, pipe=True, space=32768):
        self.box = BoxPaths(str(directory), "BoxA")
        self.loop = Loop()
        self.manager = Manager(NoMachine(self.loop.clock), "v4-hc", parse([]))
        self.stack = self.manager.stack
        self.proto = PipeProto(self.stack, space)
        if pipe:
            for number in (0, 6):
                self.stack.usrreqs[AF_INET, SOCK_STREAM, number] = self.proto
        self.server = Server(self.manager, self.loop, self.box.socket())
        self._calls = []
        self._read, self._write = os.pipe()
        self.loop.add_reader(self._read, self._called)
        self._thread = threading.Thread(target=self.loop.run, daemon=True)
        self._thread.start()
        self.socket = sockets(module(self.box, fork=False))

    def _called(self):
        os.read(self._read, 1)
        func, done, box = self._calls.pop(0)
        try:
            box.append(func())
        finally:
            done.set()

    def inside(self, func):
        """Return func(), called by the loop between its other work."""
        done, box = threading.Event(), []
        self._calls.append((func, done, box))
        os.write(self._write, b"x")
        assert done.wait(10)
        return box[0]

    def until(self, condition):
        """Wait until *condition()*, asked inside, is true."""
        for _ in range(5000):
            if self.inside(condition):
                return
        raise AssertionError("it did not come to that")

    def pass_time(self, seconds):
        """Let callouts of the next *seconds* be due at once."""
        self.inside(lambda: self.loop.clock.run(self.loop.clock.now + seconds))

    def listener(self, port=7000, backlog=5):
        made = self.socket.socket()
        made.bind(("127.0.0.1", port))
        made.listen(backlog)
        return made

    def pair(self, port=7000):
        """Return two connected sockets."""
        with self.listener(port) as listener:
            one = self.socket.create_connection(("127.0.0.1", port), timeout=10)
            two, _addr = listener.accept()
        two.settimeout(10)
        return one, two

    def close(self):
        self.inside(self.loop.stop)
        self._thread.join(10)
        self.server.close()
        self.loop.close()
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def served(directory, **kw):
    made = Served(directory, **kw)
    try:
        yield made
    finally:
        made.close()


def cred():
    return Cred()
