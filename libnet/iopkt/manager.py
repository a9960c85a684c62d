"""The stack manager: what a variant has, which modules are loaded, what mount and pidin are told.

It owns a Stack and knows nothing of processes: the machine around it (where NICs are plugged in, which
module files there are, where log records go) is handed in, so the same manager runs in an io-pkt process
and in the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.clock import Clock, Dice
from libnet.conf import options as opts
from libnet.conf.hardware import Nic as NicCard
from libnet.conf.iopkt import CommandLine, Load
from libnet.drivers import table
from libnet.drivers.nic import Nic, NicConfig, parse_options
from libnet.engine.kern import log as klog
from libnet.engine.kern.socket import Cred
from libnet.engine.stack import Stack
from libnet.errors import NetError, from_host, strerror
from libnet.ioctl.ifflags import IFF_BROADCAST
from libnet.ioctl.sysctl import FileInfo
from libnet.iopkt.syscall import Device, Proc, Tokens
from libnet.media.offload import fit
from libnet.media.port import Port

if TYPE_CHECKING:
    from libnet.drivers.wlan import WlanNic
    from libnet.engine.inet.autoip import Autoip
    from libnet.engine.pf.pf import Pf
    from libnet.media.airport import AirPort

VARIANTS: Final = ("v4", "v4-hc", "v6-hc")

# Modules whose place is taken: they load with a later release of this program, or need what a variant
# lacks. Each names the features of the stack that it links against.
WIFI: Final = ("ieee80211_ifattach", "ieee80211_input")  # what a wireless driver links against
LSM: Final[dict[str, tuple[str, ...]]] = {
    "lsm-avb": (),
    "lsm-qnet": (),
    "lsm-slip": (),
}
AUTOIP: Final = "lsm-autoip"
PF: Final[dict[str, tuple[str, ...]]] = {"lsm-pf-v4": (), "lsm-pf-v6": ("ip6_input",)}
PF_DEVICE: Final = "/dev/pf"
PROTOCOLS: Final = {
    "autoip": "lsm-autoip",
    "avb": "lsm-avb",
    "pf-v4": "lsm-pf-v4",
    "pf-v6": "lsm-pf-v6",
    "qnet": "lsm-qnet",
    "slip": "lsm-slip",
}
IO_NET: Final = "/dev/io-net"
# Names that a box has while a stack runs in it; tun and tap devices of higher numbers work unseen.
NODES: Final = (
    "/dev/bpf",
    "/dev/tap",
    *(f"/dev/{stem}{unit}" for stem in ("tap", "tun") for unit in range(4)),
)


class Machine(Protocol):
    """What is around a stack."""

    clock: Clock
    dice: Dice
    cpus: int

    def find_module(self, name: str) -> str | None:
        """Return the module (its name without directory and .so) of a path or file name, or None."""

    def free_nics(self, driver: str) -> Sequence[NicCard]:
        """Return the NICs of the kind that *driver* serves and nobody holds."""

    def claim(self, slot: NicCard, ifname: str) -> Callable[[], None]:
        """Take a NIC for *ifname*; return what lets it go. Raises NetError."""

    def plug(self, slot: NicCard, ifname: str, wire: str) -> Port:
        """Plug a NIC into *wire*, or into its own segment when that is empty. Raises NetError."""

    def antenna(self, slot: NicCard, ifname: str, wire: str) -> AirPort:
        """Put a radio's antenna into the air *wire*, or its own when that is empty. Raises NetError."""

    def make_node(self, path: str) -> None:
        """Make a name such as /dev/io-net/en0 appear in the box."""

    def remove_node(self, path: str) -> None:
        """Take such a name away."""


class Thread:
    """A thread that pidin shows: name, priority, state, what it is blocked on."""

    __slots__ = ("blocked", "name", "priority", "state")

    def __init__(self, name: str, priority: int, state: str, blocked: str = "") -> None:
        self.name, self.priority, self.state, self.blocked = name, priority, state, blocked


class Manager:
    """One running stack.

    stack     the engine         variant  v4, v4-hc or v6-hc
    devices   what opens a device for reading, or also for writing, by path
    numbered  the same by path without the unit number behind it
    nics      attached NICs      console  where -v messages go, or None
    """

    def __init__(
        self,
        machine: Machine,
        variant: str,
        line: CommandLine,
        *,
        argv: Sequence[str] = (),
        pid: int = 1,
        hostname: str = "localhost",
        console: Callable[[str], None] | None = None,
        sink: Callable[[klog.Record], None] | None = None,
    ) -> None:
        self.machine, self.variant, self.line = machine, variant, line
        self.argv, self.pid = list(argv), pid
        self.console = console if line.verbose else None
        self.nics: list[Nic | WlanNic] = []
        self.single_threaded = False
        self.rx_prio = 21
        self.devices: dict[str, Callable[[Cred, bool], Device]] = {}
        self.pf: Pf | None = None
        self.autoip: Autoip | None = None
        self.numbered: dict[str, Callable[[int, Cred], Device]] = {}
        self._claims: dict[Nic | WlanNic, Callable[[], None]] = {}
        self.stack = Stack(machine.clock, machine.dice, variant=variant, hostname=hostname)
        self.stack.logring.sink = sink
        self.stack.taps.fit = fit
        self.devices["/dev/bpf"] = lambda cred, _writing: self.stack.bpf.open(cred)
        self.devices["/dev/tap"] = lambda cred, _writing: self.stack.taps.clone(cred)
        self.numbered["/dev/tap"] = self.stack.taps.open
        self.numbered["/dev/tun"] = self.stack.tuns.open
        self.threads = line.threads or max(1, machine.cpus)
        self.tokens = Tokens(machine.clock, machine.dice)
        self.procs: dict[Proc, None] = {}  # descriptors that are sockets, in order
        self.stack.files = self.files

    # -- messages

    def log(self, severity: int, text: str, *, major: int = klog.SLOGC_TCPIP) -> None:
        """Write to the system log, and to the console with -v when it tells of trouble."""
        self.stack.log(severity, text, major=major)
        if self.console is not None and severity <= klog.WARNING:
            self.console(text)

    # -- start and end

    def start(self) -> None:
        """Load what the command line names. What fails is logged: the stack runs without it."""
        self.log(klog.INFO, "tcpip starting")
        try:
            for path in NODES:
                self.machine.make_node(path)
        except OSError as exc:
            # The devices can be opened all the same: only their names cannot be seen.
            self.log(klog.WARNING, f"{exc.filename}: {from_host(exc).strerror}")
        random = False
        for load in self.line.protocols:
            if load.name == "tcpip":
                try:
                    random = self._tcpip(load.options) or random
                except opts.BadOption as exc:
                    self.log(klog.ERROR, f"tcpip: {exc}")
        if not random:
            # Every stack without `random` says so: to the log, not to the console.
            text = 'Using pseudo random generator.  See "random" option'
            self.stack.log(klog.WARNING, text)
        for load in self.line.drivers:
            self._try(load, self.load_driver)
        for load in self.line.protocols:
            if load.name != "tcpip":
                self._try(load, self.load_protocol)

    def _try(self, load: Load, loader: Callable[[str, str], None]) -> None:
        try:
            loader(load.name, load.options)
        except NetError as exc:
            self.log(klog.ERROR, f"Unable to init {load.name}: {exc.strerror}")

    def shutdown(self) -> None:
        """Call every driver's shutdown, last attached first."""
        for nic in reversed(list(self.nics)):
            nic.detach()
        if self.pf is not None:
            self.pf.close()
        for path in (*NODES, *([PF_DEVICE] if self.pf is not None else [])):
            self.machine.remove_node(path)
        self.log(klog.INFO, "tcpip stopped")

    def _tcpip(self, text: str) -> bool:
        """Apply the options of -p tcpip. Return whether `random` is among them."""
        ip = self.stack.ip
        random = False
        fastforward: int | None = None
        pagesize, mclbytes = 4096, 2048
        for name, value in opts.parse(text):
            match name:
                case "forward":
                    ip.forwarding = 1
                case "fastforward":
                    fastforward = 1 if value is None else opts.number(name, value, high=1)
                    if fastforward and value is None:
                        ip.forwarding = 1
                case "forward6" | "ipsec":
                    feature = "ip6_input" if name == "forward6" else "ipsec4_common_input"
                    raise opts.BadOption(f"option {name}: this stack has no {feature}")
                case "prefix":
                    if not value or not value.startswith("/"):
                        raise opts.BadOption("option prefix needs an absolute path")
                case "rx_prio" | "rx_pulse_prio" | "rx_prio_pulse":
                    self.rx_prio = opts.number(name, value, low=1, high=255)
                case "random":
                    random = True
                case "pagesize":
                    pagesize = opts.number(name, value, low=4096, high=1 << 20)
                case "mclbytes":
                    mclbytes = opts.number(name, value, low=2048, high=1 << 16)
                case "reuseport_unicast":
                    self.stack.udp.reuseport_unicast = True
                case "somaxconn":
                    self.stack.somaxconn = opts.number(name, value, low=1, high=65535)
                case (
                    "cache" | "mbuf_cache" | "pkt_cache" | "recv_ctxt" | "stacksize" | "threads_min"
                    | "threads_incr" | "threads_max" | "threads" | "timer_pulse_prio" | "timer_prio"
                ):  # fmt: skip
                    # Sizes of pools and threads that this engine does not have: checked, and told.
                    number = opts.number(name, value)
                    self.log(
                        klog.INFO, f"tcpip: option {name}={number} has no effect on this stack"
                    )
                case "bigpage_strict" | "pkt_typed_mem" | "pfil_ipsec":
                    self.log(klog.INFO, f"tcpip: option {name} has no effect on this stack")
                case _:
                    raise opts.BadOption(f"unknown option '{name}'")
        if mclbytes > pagesize:
            raise opts.BadOption(f"mclbytes {mclbytes} is larger than pagesize {pagesize}")
        self.stack.mclbytes = mclbytes
        self.stack.kern.pagesize = pagesize
        if fastforward is not None:
            ip.fastforwarding = bool(fastforward)
        return random

    # -- drivers

    def load_driver(self, name: str, options: str) -> None:
        """Load a driver by bare name or path. Raises NetError (ELIBACC, ENODEV, EINVAL, …)."""
        if "/" in name or name.endswith(".so"):
            module = self.machine.find_module(name)
        else:
            module = self.machine.find_module(f"devnp-{name}.so") or self.machine.find_module(
                f"devn-{name}.so"
            )
        if module is None:
            self.log(klog.ERROR, f"{name}: Library cannot be found", major=klog.SLOGC_NETWORK)
            raise NetError("ELIBACC")
        self._load_module(module, options)

    def load_protocol(self, name: str, options: str) -> None:
        """Load a protocol by its -p name or its path. Raises NetError."""
        file = f"{PROTOCOLS[name]}.so" if name in PROTOCOLS else name
        module = self.machine.find_module(file)
        if module is None:
            self.log(klog.ERROR, f"{name}: Library cannot be found")
            raise NetError("ELIBACC")
        self._load_module(module, options)

    def _load_module(self, module: str, options: str) -> None:
        if module in PF:
            self._unresolved(module, PF[module])
            self._load_pf(module, options)
            return
        if module == AUTOIP:
            self._load_autoip(options)
            return
        if module in LSM:
            self._unresolved(module, LSM[module])
            self.log(klog.ERROR, f"{module}.so: not part of this release")
            raise NetError("ENOTSUP")
        if module in ("devnp-sam", "devnp-shim"):
            self.log(klog.ERROR, f"{module}.so: no device of its own", major=klog.SLOGC_NETWORK)
            raise NetError("ENODEV")
        row = table.lookup(module)
        if row is not None and row.modes:
            self._unresolved(module, WIFI)
        if row is None:
            self.log(klog.ERROR, f"{module}.so: no iopkt_drvr_entry", major=klog.SLOGC_NETWORK)
            raise NetError("ENOTSUP")
        if row.flavour == table.SHIM:
            if self.machine.find_module("devnp-shim.so") is None:
                self.log(klog.ERROR, "devnp-shim.so: Library cannot be found")
                raise NetError("ELIBACC")
            self.log(klog.INFO, f"{module}.so: loaded through devnp-shim.so")
        try:
            if row.modes:
                from libnet.drivers.wlan import parse_radio_options

                conf = parse_radio_options(options, row)
            else:
                conf = parse_options(options, row)
        except opts.BadOption as exc:
            self.log(klog.ERROR, f"{module}: {exc}", major=klog.SLOGC_NETWORK)
            raise NetError("EINVAL") from None
        self._attach(row, conf)

    def _load_pf(self, module: str, options: str) -> None:
        """Load the packet filter: /dev/pf and pflog0. Raises EINVAL, EALREADY."""
        dialect = 42
        try:
            for name, value in opts.parse(options):
                if name != "dialect":
                    raise opts.BadOption(f"unknown option '{name}'")
                dialect = opts.number(name, value, low=37, high=42)
                if dialect not in (37, 42):
                    raise opts.BadOption("option dialect: 37 or 42")
        except opts.BadOption as exc:
            self.log(klog.ERROR, f"{module}: {exc}")
            raise NetError("EINVAL") from None
        if self.pf is not None:
            self.log(klog.ERROR, f"{module}.so: the packet filter is loaded already")
            raise NetError("EALREADY")
        # Only a stack with this module pays for importing it.
        from libnet.engine.pf.pf import Pf
        from libnet.engine.pf.pf_ioctl import PfControl, pf_open

        stack = self.stack
        pcbs = {6: stack.tcp.table, 17: stack.udp.table}
        self.pf = Pf(stack, dialect=dialect, cloners=stack.cloners, pcbs=pcbs)
        control = PfControl(self.pf)
        self.devices[PF_DEVICE] = lambda cred, writing: pf_open(control, cred, writing)
        self.machine.make_node(PF_DEVICE)
        self.log(klog.INFO, f"{module}.so: packet filter loaded, not enabled")

    def _load_autoip(self, options: str) -> None:
        """Load lsm-autoip on one interface. Raises EINVAL, EALREADY, ENXIO."""
        # Only a stack with this module pays for importing it.
        from libnet.addr import inet_aton
        from libnet.engine.inet.autoip import COUNT, FIRST, Autoip, AutoipConf

        conf = AutoipConf()
        named = False
        try:
            for name, value in opts.parse(options):
                if name in ("debug", "abandon", "force", "old"):
                    if value is not None:
                        raise opts.BadOption(f"option {name} takes no value")
                    setattr(conf, name, True)
                elif name == "if":
                    if not value:
                        raise opts.BadOption("option if needs a value")
                    named, conf.ifname = True, value
                elif name == "ip":
                    try:
                        conf.first = inet_aton(value or "")
                    except ValueError:
                        raise opts.BadOption(f"option ip: bad address '{value or ''}'") from None
                    if not FIRST <= conf.first < FIRST + COUNT:
                        raise opts.BadOption(
                            f"option ip: {value} is not in 169.254.1.0-169.254.254.255"
                        )
                elif name == "delay":
                    conf.delay_s = opts.number(name, value, low=1, high=8000) / 1000
                else:
                    raise opts.BadOption(f"unknown option '{name}'")
            if conf.force and not conf.old:
                raise opts.BadOption("option force needs option old")
        except opts.BadOption as exc:
            self.log(klog.ERROR, f"{AUTOIP}: {exc}")
            raise NetError("EINVAL") from None
        if not named and self.stack.ifunit(conf.ifname) is None:
            # The guide mounts it with no options on a box that has a radio only.
            broadcast = [i.name for i in self.stack.ifnets.values() if i.flags & IFF_BROADCAST]
            conf.ifname = next(iter(broadcast), conf.ifname)
        if self.autoip is not None and self.autoip.ifp is not None:
            self.log(klog.ERROR, f"{AUTOIP}.so: loaded already, for {self.autoip.conf.ifname}")
            raise NetError("EALREADY")
        try:
            self.autoip = Autoip(self.stack, conf)
        except NetError as exc:
            self.log(klog.ERROR, f"{AUTOIP}: {conf.ifname}: {exc.strerror}")
            raise

    def _unresolved(self, module: str, symbols: Sequence[str]) -> None:
        """Refuse a module that links against what this variant lacks."""
        missing = [s for s in symbols if s not in self.stack.symbols]
        if not missing:
            return
        for symbol in missing:
            self.log(klog.ERROR, f"unknown symbol: {symbol} referenced from {module}.so")
        self.log(klog.ERROR, f"ldd:FATAL: Unresolved symbols in {module}.so")
        raise NetError("ELIBACC")

    def _attach(self, row: table.Row, conf: NicConfig) -> None:
        found = 0
        for slot in self.machine.free_nics(row.driver):
            if conf.pci is not None and slot.pci != conf.pci:
                continue
            if conf.irq is not None and slot.irq != conf.irq and row.bus != "pci":
                continue
            if (conf.vid not in (None, row.vid)) or (conf.did not in (None, row.did)):
                continue
            self._attach_one(row, conf, slot)
            found += 1
        if not found:
            self.log(klog.ERROR, f"{row.module}: no device found", major=klog.SLOGC_NETWORK)
            raise NetError("ENODEV")

    def _attach_one(self, row: table.Row, conf: NicConfig, slot: NicCard) -> None:
        name = self._name("en" if row.flavour == table.SHIM else conf.name or row.prefix, conf.unit)
        release = self.machine.claim(slot, name)
        make: Callable[..., Nic | WlanNic] = Nic
        port: Port | AirPort
        try:
            if row.modes:
                # Only a stack with a radio pays for importing its driver.
                from libnet.drivers.wlan import WlanNic

                room = self.stack.ieee80211
                assert room is not None  # its symbols were resolved
                room.fit = lambda frame: fit((frame,))
                make = partial(WlanNic, room=room)
                port = self.machine.antenna(slot, name, conf.wire)
            else:
                port = self.machine.plug(slot, name, conf.wire)
        except NetError:
            release()
            raise
        if conf.priority is not None and self.threads < len(self.nics) + 1:
            self.log(
                klog.WARNING,
                f"{name}: priority={conf.priority} ignored: {self.threads} stack thread"
                f"{'' if self.threads == 1 else 's'} for {len(self.nics) + 1} interfaces",
            )
        nic = make(
            self.stack,
            self.stack.ethernet,
            row,
            name,
            port,
            conf,
            mac=slot.mac,
            irq=slot.irq if conf.irq is None else conf.irq,
            pci=slot.pci,
            on_gone=self._gone,
        )
        self.nics.append(nic)
        self._claims[nic] = release
        if row.flavour == table.BSD and not self.single_threaded:
            self.single_threaded = True
            self.log(klog.INFO, f"{row.module}: forces the stack to be single-threaded")
        if row.flavour == table.SHIM:
            self.machine.make_node(f"{IO_NET}/{name}")

    def _name(self, prefix: str, unit: int | None) -> str:
        if unit is not None:
            name = f"{prefix}{unit}"
            if self.stack.ifunit(name) is not None:
                raise NetError("EEXIST")
            return name
        unit = 0
        while self.stack.ifunit(f"{prefix}{unit}") is not None:
            unit += 1
        return f"{prefix}{unit}"

    def _gone(self, nic: Nic | WlanNic) -> None:
        self.nics.remove(nic)
        self._claims.pop(nic)()
        if nic.row.flavour == table.SHIM:
            self.machine.remove_node(f"{IO_NET}/{nic.ifp.name}")
        if not any(other.row is nic.row for other in self.nics):
            self.stack.log(klog.INFO, f"{nic.row.module}.so: unloaded", major=klog.SLOGC_NETWORK)
        if nic.row.flavour == table.BSD:
            self.single_threaded = any(n.row.flavour == table.BSD for n in self.nics)

    # -- what descriptors ask

    def mount(self, type_: str, options: str, path: str) -> None:
        """Load a module into the running stack (mount -T). Raises NetError."""
        instance = type_.removeprefix("io-pkt")
        if type_ not in ("io-net", "tcpip") and not (
            type_.startswith("io-pkt")
            and (not instance or (instance.isdigit() and int(instance) == self.line.instance))
        ):
            raise NetError("ENODEV")
        base = path.rsplit("/", 1)[-1].removesuffix(".so")
        module = self.machine.find_module(path)
        if module is None and base.startswith("lsm-pfv"):
            module = self.machine.find_module(path.replace("lsm-pfv", "lsm-pf-v"))
        if module is None:
            self.log(klog.ERROR, f"Unable to init {path}: {strerror('ENOENT')}")
            raise NetError("ENOENT")
        try:
            self._load_module(module, options)
        except NetError as exc:
            self.log(klog.ERROR, f"Unable to init {path}: {exc.strerror}")
            raise

    def umount(self, path: str) -> None:
        """Take away /dev/io-net/IF of a shim driver. Raises ENOENT, EBUSY, EINVAL."""
        if not path.startswith(IO_NET + "/"):
            raise NetError("EINVAL")
        name = path[len(IO_NET) + 1 :]
        for nic in self.nics:
            if nic.ifp.name == name and nic.row.flavour == table.SHIM:
                nic.detach()
                return
        raise NetError("ENOENT")

    def open_device(self, path: str, cred: Cred, writing: bool) -> Device:
        """Open a device of the stack, for reading only or for writing too. Raises ENOENT, EACCES."""
        make = self.devices.get(path)
        if make is not None:
            return make(cred, writing)
        stem = path.rstrip("0123456789")
        unit = path[len(stem) :]
        numbered = self.numbered.get(stem)
        if numbered is None or not 0 < len(unit) < 6 or unit != str(int(unit)):
            raise NetError("ENOENT")
        return numbered(int(unit), cred)

    def _threads(self) -> list[Thread]:
        count = 1 if self.single_threaded else self.threads
        rows = [Thread("io-pkt main", self.line.priority, "SIGWAITINFO")]
        priorities = [self.rx_prio] * count
        if count >= len(self.nics):
            for slot, nic in enumerate(self.nics):
                if nic.conf.priority is not None:
                    priorities[slot] = nic.conf.priority
        for number in range(count):
            rows.append(Thread(f"io-pkt#0x{number:02x}", priorities[number], "RECEIVE", "1"))
        for number, nic in enumerate(self.nics):
            if nic.row.rx_thread:
                priority = nic.conf.priority or self.rx_prio
                rows.append(Thread(nic.row.rx_thread, priority, "RECEIVE", str(22 + number)))
        return rows

    def files(self) -> list[FileInfo]:
        """Return the open sockets, by process and descriptor, for sockstat."""
        rows = []
        last: dict[int, int] = {}
        for proc in self.procs:
            so = proc.socket
            if so is None:
                continue
            cred = proc.cred
            if proc.fd is None:  # in a world in memory: numbered as a process would have them
                last[cred.pid] = last.get(cred.pid, 2) + 1
            rows.append(
                FileInfo(
                    uid=cred.uid,
                    pid=cred.pid,
                    comm=cred.comm,
                    fd=last[cred.pid] if proc.fd is None else proc.fd(),
                    domain=so.domain,
                    type=so.type,
                    protocol=so.protocol,
                    pcbaddr=id(so.pcb) & 0xFFFFFFFF if so.pcb is not None else 0,
                )
            )
        rows.sort(key=lambda row: (row.pid, row.fd, row.pcbaddr))
        return rows

    def ps(self) -> dict[str, Any]:
        """Return the process and its threads."""
        return {
            "pid": self.pid,
            "path": f"sbin/io-pkt-{self.variant}",
            "argv": self.argv,
            "threads": [
                {
                    "tid": tid,
                    "name": thread.name,
                    "priority": thread.priority,
                    "state": thread.state,
                    "blocked": thread.blocked,
                }
                for tid, thread in enumerate(self._threads(), 1)
            ],
            "modules": sorted({f"{nic.row.module}.so" for nic in self.nics}),
        }

    def pci(self) -> list[dict[str, Any]]:
        """Return the attached NICs."""
        return [
            {
                "driver": nic.row.driver,
                "vid": nic.row.vid,
                "did": nic.row.did,
                "index": nic.pci,
                "irq": nic.irq,
                "ifname": nic.ifp.name,
                "bus": nic.row.bus,
                "description": nic.row.description,
                "wireless": bool(nic.row.modes),
            }
            for nic in self.nics
        ]
