"""The spanning tree protocol of one bridge (IEEE 802.1D-1998 clause 8; NetBSD bridgestp).

Theory of operation. Every bridge starts as the root, designated on all its ports. A configuration BPDU
that is better than what a port knows is recorded there; the best of all ports names the root and the
root port. A port whose record is worse than what we would say ourselves becomes designated. Root port
and designated ports are made to forward: BLOCKING, LISTENING, LEARNING, FORWARDING, a forward delay in
each of the two in the middle. All others block. A record that is not renewed within max age is
forgotten, and the choice is made again. A change of the topology is told towards the root (TCN BPDUs
until acknowledged); the root tells everybody (TC flag), and until it stops addresses age fast.

Times are counted as the original counts them, in 256ths of a second by a tick a second. Where NetBSD 4
fills the bridge identifier of a BPDU with the root's, and never looks at its own BPDUs coming back, this
does what the standard says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.clock import Callout, Clock
from libnet.engine.kern.stat import Stat
from libnet.ioctl.bridge import (
    BSTP_IFSTATE_BLOCKING,
    BSTP_IFSTATE_DISABLED,
    BSTP_IFSTATE_FORWARDING,
    BSTP_IFSTATE_LEARNING,
    BSTP_IFSTATE_LISTENING,
)
from libnet.wire import Malformed, Truncated
from libnet.wire.bpdu import (
    BSTP_FLAG_TC,
    BSTP_FLAG_TCA,
    BSTP_MSGTYPE_CFG,
    BSTP_MSGTYPE_TCN,
    Bpdu,
)

UNIT: Final = 256  # a second
DEFAULT_MAX_AGE: Final = 20 * UNIT
DEFAULT_HELLO_TIME: Final = 2 * UNIT
DEFAULT_FORWARD_DELAY: Final = 15 * UNIT
DEFAULT_HOLD_TIME: Final = 1 * UNIT
DEFAULT_BRIDGE_PRIORITY: Final = 0x8000
DEFAULT_PORT_PRIORITY: Final = 0x80
DEFAULT_PATH_COST: Final = 55
MESSAGE_AGE_INCR: Final = 1 * UNIT
TICK_VAL: Final = 1 * UNIT
TICK_S: Final = 1.0
BPDUS_A_TICK: Final = 64  # of one port; a storm of more is counted and not looked at


class Timer:
    """struct bridge_timer: counts up while it runs."""

    __slots__ = ("active", "value")

    def __init__(self) -> None:
        self.active = False
        self.value = 0

    def start(self, value: int = 0) -> None:
        """Run from *value*."""
        self.active, self.value = True, value

    def stop(self) -> None:
        """Run no more."""
        self.active, self.value = False, 0

    def expired(self, limit: int) -> bool:
        """Count a tick; at *limit* stop and tell so."""
        if not self.active:
            return False
        self.value += TICK_VAL
        if self.value < limit:
            return False
        self.stop()
        return True


class BstpPort:
    """What the protocol knows of one port (the bif_ fields of struct bridge_iflist).

    number    1 to 255, distinct in the bridge         priority, path_cost  0 to 255
    state     BSTP_IFSTATE_*                           bpdus  received since the last tick
    designated_root, _cost, _bridge, _port  the best configuration heard or told on the link
    """

    __slots__ = (
        "bpdus",
        "change_detection",
        "config_pending",
        "designated_bridge",
        "designated_cost",
        "designated_port",
        "designated_root",
        "forward_delay_timer",
        "hold_timer",
        "message_age_timer",
        "number",
        "path_cost",
        "port_id",
        "priority",
        "state",
        "topology_change_ack",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.priority = DEFAULT_PORT_PRIORITY
        self.path_cost = DEFAULT_PATH_COST
        self.port_id = 0
        self.state = BSTP_IFSTATE_DISABLED
        self.designated_root = self.designated_bridge = 0
        self.designated_cost = self.designated_port = 0
        self.message_age_timer = Timer()
        self.forward_delay_timer = Timer()
        self.hold_timer = Timer()
        self.topology_change_ack = False
        self.config_pending = False
        self.change_detection = True
        self.bpdus = 0


class Bstp:
    """The protocol in one bridge.

    priority  of the bridge        bridge_max_age, bridge_hello_time, bridge_forward_delay  as set here
    max_age, hello_time, forward_delay  as the root says
    designated_root, root_path_cost, root_port (None when we are the root)
    topology_change  whether the root says that the topology is changing

    send(port, octets)   send a BPDU from its LLC header on
    linked(port)         whether the link of the port is up
    changed()            called when the state of a port, or topology_change, may have changed
    """

    def __init__(
        self,
        clock: Clock,
        stat: Stat,
        send: Callable[[BstpPort, bytes], None],
        linked: Callable[[BstpPort], bool],
        changed: Callable[[], None],
    ) -> None:
        self._clock, self.stat = clock, stat
        self._send, self._linked, self._changed = send, linked, changed
        self.ports: list[BstpPort] = []
        self.running = False
        self.priority = DEFAULT_BRIDGE_PRIORITY
        self.bridge_max_age = self.max_age = DEFAULT_MAX_AGE
        self.bridge_hello_time = self.hello_time = DEFAULT_HELLO_TIME
        self.bridge_forward_delay = self.forward_delay = DEFAULT_FORWARD_DELAY
        self.hold_time = DEFAULT_HOLD_TIME
        self.bridge_id = 0
        self.designated_root = 0
        self.root_path_cost = 0
        self.root_port: BstpPort | None = None
        self.topology_change = False
        self.topology_change_detected = False
        self._hello_timer = Timer()
        self._tcn_timer = Timer()
        self._topology_change_timer = Timer()
        self._tick: Callout | None = None

    # -- from the bridge

    def initialize(self, ports: list[BstpPort], lladdr: bytes) -> None:
        """Begin with *ports*, the bridge's address being *lladdr* (bstp_initialization).

        Without ports the protocol stops.
        """
        gone = [port for port in self.ports if port not in ports]
        self.ports = ports
        for port in gone:
            self._reset(port)
        if not ports:
            self.stop()
            return
        for port in ports:
            port.port_id = port.priority << 8 | port.number
        self.bridge_id = self.priority << 48 | int.from_bytes(lladdr, "big")
        self.designated_root = self.bridge_id
        self.root_path_cost = 0
        self.root_port = None
        self._own_times()
        self.topology_change = self.topology_change_detected = False
        self._tcn_timer.stop()
        self._topology_change_timer.stop()
        self.running = True
        if self._tick is None:
            self._tick = self._clock.after(TICK_S, self._ticked)
        for port in ports:
            self._initialize_port(port)
            if not self._linked(port):
                port.state = BSTP_IFSTATE_DISABLED
        self._port_state_selection()
        self._config_bpdu_generation()
        self._hello_timer.start()
        self._changed()

    def stop(self) -> None:
        """Stop; all ports are disabled (bstp_stop)."""
        self.running = False
        for port in self.ports:
            self._reset(port)
        if self._tick is not None:
            self._tick.stop()
            self._tick = None
        self.topology_change = False
        self._hello_timer.stop()
        self._tcn_timer.stop()
        self._topology_change_timer.stop()
        self._changed()

    def link_changed(self, port: BstpPort) -> None:
        """Follow the link of *port* (bstp_ifupdstatus)."""
        if not self.running or port not in self.ports:
            return
        up = self._linked(port)
        if up and port.state == BSTP_IFSTATE_DISABLED:
            self._initialize_port(port)
            self._port_state_selection()
            self._changed()
        elif not up and port.state != BSTP_IFSTATE_DISABLED:
            self._disable_port(port)
            self._changed()

    @staticmethod
    def _reset(port: BstpPort) -> None:
        port.state = BSTP_IFSTATE_DISABLED
        port.message_age_timer.stop()
        port.forward_delay_timer.stop()
        port.hold_timer.stop()
        port.topology_change_ack = port.config_pending = False

    def _initialize_port(self, port: BstpPort) -> None:
        self._become_designated_port(port)
        self._reset(port)
        port.state = BSTP_IFSTATE_BLOCKING
        port.change_detection = True

    def _disable_port(self, port: BstpPort) -> None:
        root = self.is_root
        self._become_designated_port(port)
        hold = port.hold_timer.active
        self._reset(port)
        if hold:
            port.hold_timer.start()
        self._configuration_update()
        self._port_state_selection()
        self._maybe_root_now(root)

    # -- what is sent

    @property
    def is_root(self) -> bool:
        """Whether this bridge thinks that it is the root."""
        return self.designated_root == self.bridge_id

    def _transmit_config(self, port: BstpPort) -> None:
        if port.hold_timer.active:
            port.config_pending = True
            return
        age = 0
        if self.root_port is not None:
            age = self.root_port.message_age_timer.value + MESSAGE_AGE_INCR
        if age >= self.max_age:
            return
        flags = (BSTP_FLAG_TC if self.topology_change else 0) | (
            BSTP_FLAG_TCA if port.topology_change_ack else 0
        )
        port.topology_change_ack = port.config_pending = False
        bpdu = Bpdu(
            BSTP_MSGTYPE_CFG,
            flags,
            self.designated_root,
            self.root_path_cost,
            self.bridge_id,
            port.port_id,
            age,
            self.max_age,
            self.hello_time,
            self.forward_delay,
        )
        self.stat["txconfig"] += 1
        self._send(port, bpdu.build())
        port.hold_timer.start()

    def _transmit_tcn(self) -> None:
        if self.root_port is not None:
            self.stat["txtcn"] += 1
            self._send(self.root_port, Bpdu(BSTP_MSGTYPE_TCN).build())

    def _config_bpdu_generation(self) -> None:
        for port in self.ports:
            if self.designated_port(port) and port.state != BSTP_IFSTATE_DISABLED:
                self._transmit_config(port)

    # -- choosing

    def designated_port(self, port: BstpPort) -> bool:
        """Tell whether we speak for the link of *port*."""
        return port.designated_bridge == self.bridge_id and port.designated_port == port.port_id

    def _configuration_update(self) -> None:
        self._root_selection()
        for port in self.ports:
            if self._should_be_designated(port):
                self._become_designated_port(port)

    def _root_selection(self) -> None:
        best = None
        for port in self.ports:
            if (
                self.designated_port(port)
                or port.state == BSTP_IFSTATE_DISABLED
                or port.designated_root >= self.bridge_id
            ):
                continue
            # 802.1D 8.6.8.3.1: root, cost, designated bridge, designated port, port.
            key = (
                port.designated_root,
                port.designated_cost + port.path_cost,
                port.designated_bridge,
                port.designated_port,
                port.port_id,
            )
            if best is None or key < best[0]:
                best = key, port
        if best is None:
            self.root_port = None
            self.designated_root = self.bridge_id
            self.root_path_cost = 0
        else:
            self.root_port = best[1]
            self.designated_root, self.root_path_cost = best[0][:2]

    def _should_be_designated(self, port: BstpPort) -> bool:
        if self.designated_port(port) or port.designated_root != self.designated_root:
            return True
        ours = self.root_path_cost, self.bridge_id, port.port_id
        return ours <= (port.designated_cost, port.designated_bridge, port.designated_port)

    def _become_designated_port(self, port: BstpPort) -> None:
        port.designated_root = self.designated_root
        port.designated_cost = self.root_path_cost
        port.designated_bridge = self.bridge_id
        port.designated_port = port.port_id

    def _port_state_selection(self) -> None:
        for port in self.ports:
            if port is self.root_port:
                port.config_pending = port.topology_change_ack = False
                self._make_forwarding(port)
            elif self.designated_port(port):
                port.message_age_timer.stop()
                self._make_forwarding(port)
            else:
                port.config_pending = port.topology_change_ack = False
                self._make_blocking(port)

    def _make_forwarding(self, port: BstpPort) -> None:
        if port.state == BSTP_IFSTATE_BLOCKING:
            port.state = BSTP_IFSTATE_LISTENING
            port.forward_delay_timer.start()

    def _make_blocking(self, port: BstpPort) -> None:
        if port.state in (BSTP_IFSTATE_DISABLED, BSTP_IFSTATE_BLOCKING):
            return
        if port.state in (BSTP_IFSTATE_FORWARDING, BSTP_IFSTATE_LEARNING) and port.change_detection:
            self._topology_change_detection()
        port.state = BSTP_IFSTATE_BLOCKING
        port.forward_delay_timer.stop()

    def _own_times(self) -> None:
        self.max_age = self.bridge_max_age
        self.hello_time = self.bridge_hello_time
        self.forward_delay = self.bridge_forward_delay

    def _maybe_root_now(self, was_root: bool) -> None:
        """Take the root's office up if it has just come to us."""
        if was_root or not self.is_root:
            return
        self._own_times()
        self._topology_change_detection()
        self._tcn_timer.stop()
        self._config_bpdu_generation()
        self._hello_timer.start()

    # -- changes of the topology

    def _topology_change_detection(self) -> None:
        if self.is_root:
            self.topology_change = True
            self._topology_change_timer.start()
        elif not self.topology_change_detected:
            self._transmit_tcn()
            self._tcn_timer.start()
        self.topology_change_detected = True

    def _topology_change_acknowledged(self) -> None:
        self.topology_change_detected = False
        self._tcn_timer.stop()

    # -- what is received

    def input(self, port: BstpPort, octets: bytes) -> None:
        """Take a BPDU, from its LLC header on, that came in by *port* (bstp_input)."""
        if not self.running or port.state == BSTP_IFSTATE_DISABLED:
            self.stat["rxdisabled"] += 1
            return
        port.bpdus += 1
        if port.bpdus > BPDUS_A_TICK:
            self.stat["rxflood"] += 1
            return
        try:
            bpdu = Bpdu.parse(octets)
        except (Truncated, Malformed):
            self.stat["rxbad"] += 1
            return
        if bpdu.type == BSTP_MSGTYPE_TCN:
            self.stat["rxtcn"] += 1
            if self.designated_port(port):
                self._topology_change_detection()
                port.topology_change_ack = True
                self._transmit_config(port)
        else:
            self._received_config(port, bpdu)
        self._changed()

    def _received_config(self, port: BstpPort, bpdu: Bpdu) -> None:
        self.stat["rxconfig"] += 1
        if bpdu.message_age >= bpdu.max_age or (bpdu.bridge_id, bpdu.port_id) == (
            self.bridge_id,
            port.port_id,
        ):
            # 802.1D 9.3.4: too old, or our own come back.
            self.stat["rxdiscarded"] += 1
            return
        root = self.is_root
        if not self._supersedes(port, bpdu):
            if self.designated_port(port):
                self._transmit_config(port)
            return
        port.designated_root = bpdu.rootid
        port.designated_cost = bpdu.cost
        port.designated_bridge = bpdu.bridge_id
        port.designated_port = bpdu.port_id
        port.message_age_timer.start(bpdu.message_age)
        self._configuration_update()
        self._port_state_selection()
        if root and not self.is_root:
            self._hello_timer.stop()
            if self.topology_change_detected:
                self._topology_change_timer.stop()
                self._transmit_tcn()
                self._tcn_timer.start()
        if port is self.root_port:
            self._record_timeouts(bpdu)
            self._config_bpdu_generation()
            if bpdu.flags & BSTP_FLAG_TCA:
                self._topology_change_acknowledged()

    def _supersedes(self, port: BstpPort, bpdu: Bpdu) -> bool:
        said = bpdu.rootid, bpdu.cost, bpdu.bridge_id
        known = port.designated_root, port.designated_cost, port.designated_bridge
        if said != known:
            return said < known
        return bpdu.bridge_id != self.bridge_id or bpdu.port_id <= port.designated_port

    def _record_timeouts(self, bpdu: Bpdu) -> None:
        # A root that wants less than a second is not believed: nothing here is faster than a tick.
        self.max_age = max(bpdu.max_age, UNIT)
        self.hello_time = max(bpdu.hello_time, UNIT)
        self.forward_delay = max(bpdu.forward_delay, UNIT)
        self.topology_change = bool(bpdu.flags & BSTP_FLAG_TC)

    # -- time

    def _ticked(self) -> None:
        self._tick = self._clock.after(TICK_S, self._ticked)
        for port in self.ports:
            port.bpdus = 0
            self.link_changed(port)
        if self._hello_timer.expired(self.hello_time):
            self._config_bpdu_generation()
            self._hello_timer.start()
        if self._tcn_timer.expired(self.bridge_hello_time):
            self._transmit_tcn()
            self._tcn_timer.start()
        # 802.1D 8.5.3.13: long enough for every bridge to hear of it and to age its addresses.
        if self._topology_change_timer.expired(self.bridge_max_age + self.bridge_forward_delay):
            self.topology_change = self.topology_change_detected = False
        for port in self.ports:
            if port.message_age_timer.expired(self.max_age):
                self._message_age_expiry(port)
        for port in self.ports:
            if port.forward_delay_timer.expired(self.forward_delay):
                self._forward_delay_expiry(port)
            if port.hold_timer.expired(self.hold_time) and port.config_pending:
                self._transmit_config(port)
        self._changed()

    def _message_age_expiry(self, port: BstpPort) -> None:
        root = self.is_root
        self._become_designated_port(port)
        self._configuration_update()
        self._port_state_selection()
        self._maybe_root_now(root)

    def _forward_delay_expiry(self, port: BstpPort) -> None:
        if port.state == BSTP_IFSTATE_LISTENING:
            port.state = BSTP_IFSTATE_LEARNING
            port.forward_delay_timer.start()
        elif port.state == BSTP_IFSTATE_LEARNING:
            port.state = BSTP_IFSTATE_FORWARDING
            designated = any(p.designated_bridge == self.bridge_id for p in self.ports)
            if designated and port.change_detection:
                self._topology_change_detection()
