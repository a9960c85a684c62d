"""The packet filter: forwarding with rules and states, state lookup, tables, skip steps."""

from __future__ import annotations

import random
import time

from bench.forward import BATCH, FLOWS, frame, settle
from libnet.addr import AF_INET
from libnet.clock import Clock
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.kern.socket import Cred
from libnet.engine.pf.pf import Pf
from libnet.engine.pf.pf_ioctl import PfControl
from libnet.engine.pf.state import State
from libnet.engine.stack import Stack
from libnet.ioctl import pf as p
from libnet.lab.memory import World
from libnet.wire.tcp import TH_ACK, tcp_build

RULES = 100
ROUNDS = 250


def rules(count: int) -> list[p.PfRule]:
    """Block rules for other networks, then one that passes and keeps state."""
    found = []
    for n in range(count - 1):
        rule = p.PfRule(action=p.PF_DROP, af=AF_INET, ifname=f"wm{n % 4}", direction=p.PF_IN)
        rule.src.addr.addr, rule.src.addr.mask = 0xC0A80000 + (n << 8), 0xFFFFFF00
        found.append(rule)
    found.append(p.PfRule(action=p.PF_PASS, keep_state=p.PF_STATE_NORMAL))
    return found


def load(control: PfControl, found: list[p.PfRule]) -> None:
    def ioctl(row, arg=None):
        return control.ioctl(row, arg, Cred())

    trans = ioctl(p.DIOCXBEGIN, p.PfIocTrans([p.PfIocTransE(p.PF_RULESET_FILTER)]))
    ticket = trans.array[0].ticket
    pool = ioctl(p.DIOCBEGINADDRS, p.PfIocPoolAddr()).ticket
    for rule in found:
        ioctl(p.DIOCADDRULE, p.PfIocRule(ticket=ticket, pool_ticket=pool, rule=rule))
    ioctl(p.DIOCXCOMMIT, trans)


def router(pf: bool, flows: bool):
    world = World(seed=1)
    box = world.box("router", nic=["i82544:lan0", "i82544:lan1"])
    lines = [
        "io-pkt-v4-hc -d i82544 -p tcpip forward",
        "ifconfig wm0 10.0.0.1/24",
        "ifconfig wm1 10.1.0.1/24",
    ]
    if not flows:
        lines.append("sysctl -qw net.inet.ip.maxflows=0")
    for line in lines:
        got = box.sh(line)
        assert not got.status, got
    if pf:
        stack = box.stack
        filt = stack.pf = Pf(stack, cloners=stack.cloners)
        load(PfControl(filt), rules(RULES))
        filt.start()
    return world.clock, box.stack, {n: world.segment(n) for n in ("lan0", "lan1")}


def tcp_frame(dst: bytes, flow: int) -> bytes:
    udp = frame(dst, flow)
    src, there = 0x0A000002, 0x0A010002
    body = tcp_build(1024 + flow, 80, 1001, 1, TH_ACK, 8192, b"data..", src=src, dst=there)
    head = bytearray(udp[14:34])
    head[15] = 2
    head[9] = 6
    head[12:16] = src.to_bytes(4, "big")
    head[2:4] = (46).to_bytes(2, "big")
    head[10:12] = b"\0\0"
    from libnet.wire.cksum import in_cksum

    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return udp[:14] + bytes(head) + body


def measure(pf: bool, kind: str, flows: bool) -> float:
    """Return forwarded packets a second of 64 flows both of whose sides have spoken."""
    clock, stack, segments = router(pf, flows)
    source, sink = segments["lan0"].plug("src"), segments["lan1"].plug("dst")
    mac = b"\x02\0\0\0\0\x77"
    received = [0]

    def receive(frames):
        for got in frames:
            if got[12:14] == b"\x08\x06" and got[21:22] == b"\x01":
                reply = got[6:12] + mac + got[12:20] + b"\0\x02" + mac + got[38:42] + got[22:32]
                sink.send(reply)
        received[0] += len(frames)

    sink.receive = receive
    source.receive = lambda frames: None
    lladdr = stack.ifunit("wm0").lladdr
    settle(clock)
    if kind == "udp":
        conns = []
        for n in range(FLOWS):
            one = bytearray(frame(lladdr, n))
            one[34:42] = (1024 + n).to_bytes(2, "big") + b"\0\x35\0\x1a\0\0"
            conns.append(bytes(one))
    else:
        conns = [tcp_frame(lladdr, n) for n in range(FLOWS)]
        if pf:
            filt = stack.pf
            for rule in filt.main(p.PF_RULESET_FILTER):
                rule.flagset = 0
    batch = [conns[n % FLOWS] for n in range(BATCH)]
    for _ in range(3):
        source.send_many(batch)
        settle(clock)
    if pf:
        filt = stack.pf
        for state in filt.states.all:
            # As if the other side had answered.
            if kind == "udp":
                state.src.state = state.dst.state = 2
                state.timeout = p.PFTM_UDP_MULTIPLE
            else:
                state.src.state = state.dst.state = 4
                state.dst.seqlo, state.dst.seqhi, state.dst.max_win = 1, 8193, 8192
                state.src.seqhi = state.src.seqlo + 8192
                state.timeout = p.PFTM_TCP_ESTABLISHED
        assert len(filt.states) == 2 * FLOWS, len(filt.states)
    received[0] = 0
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        source.send_many(batch)
        clock.run(clock.now)
        clock.run(clock.now)
        clock.run(clock.now)
    settle(clock)
    took = time.perf_counter() - begin
    assert received[0] == ROUNDS * BATCH, (received[0], dict(stack.stats["pf"]))
    return received[0] / took


def alone() -> tuple[Pf, PfControl, Stack]:
    """Return a filter on a stack with lo0 only."""
    stack = Stack(Clock(), random.Random(1))
    filt = Pf(stack)
    return filt, PfControl(filt), stack


def udp_packet(src: int, sport: int, stack: Stack) -> Mbuf:
    body = sport.to_bytes(2, "big") + b"\0\x35\0\x08\0\0"
    head = bytes.fromhex("4500001c0000000040110000") + src.to_bytes(4, "big") + b"\x7f\0\0\1"
    m = Mbuf(stack.ip.with_cksum(head) + body)
    stack.ip.reparse(m)
    return m


def lookup(states: int) -> float:
    """Return seconds that one lookup takes among so many states."""
    filt, _control, stack = alone()
    filt.limits[p.PF_LIMIT_STATES] = states
    lo = stack.ifunit("lo0")
    m = udp_packet(0x0A000001, 1, stack)
    kif = filt.kifs.by_ifp[lo]
    for n in range(states):
        state = State(filt, AF_INET, 17, p.PF_IN, kif, filt.default_rule)
        state.ext = 0x0A000001 + (n >> 10), 1 + (n & 1023)
        state.lan = state.gwy = 0x7F000001, 53
        state.src.state = state.dst.state = 2
        state.timeout = p.PFTM_UDP_MULTIPLE
        filt.states.insert(state)
    some = [udp_packet(0x0A000001 + (n >> 10), 1 + (n & 1023), stack) for n in
            range(0, states, max(1, states // 1000))]  # fmt: skip
    best = 1e9
    for _ in range(30):
        begin = time.perf_counter()
        for m in some:
            filt.hook(m, lo, p.PF_IN)
        best = min(best, (time.perf_counter() - begin) / len(some))
    return best


def table(count: int) -> tuple[float, float]:
    """Return seconds to load so many addresses, and to look one up."""
    filt, control, _stack = alone()
    dice = random.Random(2)
    addrs = {dice.getrandbits(32) for _ in range(count)}
    packed = b"".join(p.pack_addr(AF_INET, a, 32) for a in addrs)
    name = p.PfrTable("", "t", p.PFR_TFLAG_PERSIST)
    control.ioctl(p.DIOCRADDTABLES, p.PfIocTable(tables=[name]), Cred())
    begin = time.perf_counter()
    got = control.ioctl(
        p.DIOCRADDADDRS, p.PfIocTable(table=p.PfrTable("", "t"), addrs=packed), Cred()
    )
    took = time.perf_counter() - begin
    assert got.nadd == len(addrs)
    kt = filt.tables.find("", "t")
    probes = [*list(addrs)[:500], *(dice.getrandbits(32) for _ in range(500))]
    best = 1e9
    for _ in range(30):
        begin = time.perf_counter()
        for addr in probes:
            kt.match_addr(AF_INET, addr)
        best = min(best, (time.perf_counter() - begin) / len(probes))
    return took, best


def skipsteps(on: bool) -> float:
    """Return seconds that 1,000 rules take for a packet that only the last matches."""
    filt, control, stack = alone()
    found = []
    for n in range(999):
        # Groups of rules for one interface and one protocol, as people write them.
        rule = p.PfRule(action=p.PF_DROP, af=AF_INET, ifname=f"wm{n // 100}", proto=6)
        rule.dst.port_op, rule.dst.port = p.PF_OP_EQ, [n, 0]
        found.append(rule)
    found.append(p.PfRule(action=p.PF_PASS))
    load(control, found)
    if not on:
        for n, rule in enumerate(filt.main(p.PF_RULESET_FILTER)):
            rule.skip = (n + 1,) * p.PF_SKIP_COUNT
    m = udp_packet(0x0A000001, 1, stack)
    lo = stack.ifunit("lo0")
    best = 1e9
    for _ in range(20):
        begin = time.perf_counter()
        for _ in range(20):
            filt.hook(m, lo, p.PF_IN)
        best = min(best, (time.perf_counter() - begin) / 20)
    return best


def main() -> None:
    for flows in (True, False):
        for kind in ("udp", "tcp"):
            rates = {False: 0.0, True: 0.0}
            for _ in range(4):
                for on in rates:
                    rates[on] = max(rates[on], measure(on, kind, flows))
            share = rates[True] / rates[False]
            how = "flow cache" if flows else "no flow cache"
            print(f"{kind}: without pf        {rates[False]:10,.0f} packets/s, {how}")
            print(f"     {RULES} rules, states {rates[True]:10,.0f} packets/s   "
                  f"(wanted 70%: {share:.0%})")  # fmt: skip
    few, many = lookup(1000), lookup(200_000)
    print(f"state lookup, 1,000     {few * 1e6:8.2f} us, 200,000 {many * 1e6:.2f} us "
          f"(ratio {many / few:.2f})")  # fmt: skip
    took, small = table(1000)
    took, big = table(100_000)
    print(f"table of 100,000        {took:8.2f} s to load (wanted 3), lookup {big * 1e6:.2f} us, "
          f"of 1,000 {small * 1e6:.2f} us")  # fmt: skip
    with_steps, without = skipsteps(True), skipsteps(False)
    print(f"1,000 rules, no state   {with_steps * 1e6:8.1f} us with skip steps, "
          f"{without * 1e6:.1f} us without")  # fmt: skip
