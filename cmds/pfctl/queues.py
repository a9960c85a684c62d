"""pfctl -s queue: the queues as a tree, with statistics."""

from __future__ import annotations

from cmds.pfctl.session import Session
from libnet.conf.pfconf.queues import altq_text, rate_text
from libnet.ioctl.pf import (
    ALTQT_CBQ,
    DIOCGETALTQ,
    DIOCGETALTQS,
    DIOCGETQSTATS,
    PfAltq,
    PfIocAltq,
    PfIocQstats,
    PfQueueStats,
)

STAT_INTERVAL = 5  # seconds between samples
AVGN_MAX = 8  # samples that an average remembers


class Node:
    """A queue, its children, and the running averages of its rates."""

    def __init__(self, altq: PfAltq) -> None:
        self.altq = altq
        self.children: list[Node] = []
        self.stats = PfQueueStats()
        self.samples = 0
        self.avg_bytes = self.avg_packets = 0.0
        self.prev_bytes = self.prev_packets = 0

    def sample(self, stats: PfQueueStats) -> None:
        """Take new statistics into the averages."""
        self.stats = stats
        n = self.samples
        if n:
            if stats.xmit_bytes >= self.prev_bytes:
                gain = stats.xmit_bytes - self.prev_bytes
                self.avg_bytes = (self.avg_bytes * (n - 1) + gain) / n
            if stats.xmit_packets >= self.prev_packets:
                gain = stats.xmit_packets - self.prev_packets
                self.avg_packets = (self.avg_packets * (n - 1) + gain) / n
        self.prev_bytes, self.prev_packets = stats.xmit_bytes, stats.xmit_packets
        if n < AVGN_MAX:
            self.samples += 1


class Queues:
    """The queues of the stack, sampled again and again."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._ticket: int | None = None
        self.roots: list[Node] = []
        self._nodes: dict[tuple[str, str], Node] = {}

    def update(self) -> int | None:
        """Sample all queues; return how many entries there are, None after a warning."""
        head = self.session.may(DIOCGETALTQS, PfIocAltq())
        if head is None:
            return None
        if head.ticket != self._ticket:
            self.roots, self._nodes = [], {}
        self._ticket = head.ticket
        for nr in range(head.nr):
            got = self.session.may(DIOCGETALTQ, PfIocAltq(ticket=head.ticket, nr=nr))
            if got is None:
                return None
            if got.altq.qid > 0:
                stats = self.session.may(DIOCGETQSTATS, PfIocQstats(ticket=head.ticket, nr=nr))
                if stats is None:
                    return None
                self._place(got.altq).sample(stats.stats)
        return int(head.nr)

    def _place(self, altq: PfAltq) -> Node:
        node = self._nodes.get((altq.ifname, altq.qname))
        if node is not None:
            return node
        node = self._nodes[altq.ifname, altq.qname] = Node(altq)
        if not altq.parent:
            self.roots.append(node)
        else:
            parent = self._nodes.get((altq.ifname, altq.parent))
            if parent is None:
                self.session.fatal(f"parent {altq.parent} not found")
            parent.children.append(node)
        return node

    def show(self) -> bool:
        """Print the queues; with -v -v again every five seconds. False after a warning."""
        opts = self.session.opts
        count = self.update()
        if count is None:
            return False
        if count == 0:
            self.session.out("No queue in use\n")
        title = opts.showall
        for node in self._wanted():
            if title:
                self.session.title("ALTQ:")
                title = False
            self._print(node, 0)
        while opts.verbose > 1 and not opts.showall and count:
            self.session.out("\n")
            self.session.ctx.stdout.flush()
            self.session.ctx.sleep(STAT_INTERVAL)
            count = self.update()
            if count is None:
                return False
            for node in self._wanted():
                self._print(node, 0)
        return True

    def _wanted(self) -> list[Node]:
        name = self.session.opts.interface
        return [node for node in self.roots if name is None or node.altq.ifname == name]

    def _print(self, node: Node, level: int) -> None:
        opts = self.session.opts
        text = altq_text(node.altq, level)
        if node.children:
            text += "{" + ", ".join(child.altq.qname for child in node.children) + "}"
        text += "\n"
        if opts.verbose:
            text += stats_text(node)
        if opts.debug:
            altq = node.altq
            rate = rate_text(altq.ifbandwidth)
            text += f"  [ qid={altq.qid} ifname={altq.ifname} ifbandwidth={rate} ]\n"
        self.session.out(text)
        for child in node.children:
            self._print(child, level + 1)


def stats_text(node: Node) -> str:
    """Return the lines that -v adds to a queue."""
    stats = node.stats
    text = (
        f"  [ pkts: {stats.xmit_packets:>10}  bytes: {stats.xmit_bytes:>10}  "
        f"dropped pkts: {stats.drop_packets:>6} bytes: {stats.drop_bytes:>6} ]\n"
        f"  [ qlength: {stats.qlength:>3}/{stats.qlimit:>3}"
    )
    if node.altq.scheduler == ALTQT_CBQ:
        text += f"  borrows: {stats.borrows:>6}  suspends: {stats.delays:>6}"
    text += " ]\n"
    if node.samples >= 2:
        rate = rate_text(8 * node.avg_bytes / STAT_INTERVAL)
        text += f"  [ measured: {node.avg_packets / STAT_INTERVAL:7.1f} packets/s, {rate}/s ]\n"
    return text
