"""The core of ping, fed by hand: what it sends, when, and what it prints."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.proto.ping import MAXPACKET, STDERR, Ping, PingConf, icmp_text
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import (
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_PARAMPROB,
    ICMP_REDIRECT,
    ICMP_TIMXCEED,
    ICMP_UNREACH,
    ICMP_UNREACH_NEEDFRAG,
    Icmp,
    icmp_build,
    icmp_echo,
)
from libnet.wire.ipv4 import (
    IP_DF,
    IPPROTO_ICMP,
    IPPROTO_UDP,
    Ipv4,
    ip_build,
    record_route,
    walk_options,
)

HERE, PEER, ROUTER = 0x0A000001, 0x0A000002, 0x0A0000FE
IDENT = 0x1234
EPOCH = 1394000000.0


def make(*, name_of=None, **kw):
    conf = PingConf("10.0.0.2", PEER, **kw)
    return Ping(conf, ident=IDENT, epoch_s=EPOCH, dice=random.Random(1), name_of=name_of)


def reply_to(packet, *, ttl=64, src=PEER, options=None, data=None):
    asked = Ipv4.parse(packet)
    echo = Icmp.parse(asked.payload)
    body = bytes(echo.payload) if data is None else data
    return ip_build(
        icmp_echo(echo.id, echo.seq, body, ICMP_ECHOREPLY),
        src=src,
        dst=HERE,
        proto=IPPROTO_ICMP,
        ttl=ttl,
        options=asked.options if options is None else options,
    )


def error_about(packet, icmp_type, code, hun=0, quote=28):
    sent = Ipv4.parse(packet)
    quoted = packet[: max(quote, sent.hlen + 8)]
    payload = icmp_build(icmp_type, code, hun, quoted)
    return ip_build(payload, src=ROUTER, dst=HERE, proto=IPPROTO_ICMP, ttl=64)


def out(ping):
    return "".join(text for stream, text in ping.take_output() if stream != STDERR)


class Run:
    """Drives a Ping against a peer that answers after *delay* seconds, or never (None)."""

    def __init__(self, ping, delay=0.0005, loses=()):
        self.ping, self.delay, self.loses = ping, delay, loses
        self.now = 10.0
        self.sent = []  # (when, packet)
        self.flying = []
        self.text = ""
        self.err = ""

    def finish(self, limit=100000.0):
        ping = self.ping
        ping.start(self.now)
        while True:
            ping.run(self.now)
            for packet in ping.take_packets():
                number = len(self.sent)
                self.sent.append((self.now, packet))
                if self.delay is not None and number not in self.loses:
                    self.flying.append((self.now + self.delay, packet))
            for stream, text in ping.take_output():
                if stream == STDERR:
                    self.err += text
                else:
                    self.text += text
            due = ping.next_due()
            if due is None:
                return self
            assert self.now < limit
            if self.flying and self.flying[0][0] <= max(due, self.now):
                self.now, packet = self.flying.pop(0)
                ping.datagram_input(reply_to(packet), PEER, self.now)
            else:
                self.now = max(due, self.now)


def test_three_requests_and_the_statistics_as_the_guide_prints_them():
    run = Run(make(count=3)).finish()
    assert run.text == (
        "PING 10.0.0.2 (10.0.0.2): 56 data bytes\n"
        "64 bytes from 10.0.0.2: icmp_seq=0 ttl=64 time=0.500 ms\n"
        "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.500 ms\n"
        "64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.500 ms\n"
        "\n----10.0.0.2 PING Statistics----\n"
        "3 packets transmitted, 3 packets received, 0.0% packet loss\n"
        "round-trip min/avg/max/stddev = 0.500/0.500/0.500/0.000 ms\n"
    )
    assert [when for when, _ in run.sent] == [10.0, 11.0, 12.0]
    assert run.ping.status == 0


def test_a_request_has_the_default_ttl_of_the_original_and_a_right_checksum():
    ping = make()
    ping.start(0.0)
    ping.run(0.0)
    (packet,) = ping.take_packets()
    ip = Ipv4.parse(packet)
    assert (ip.src, ip.dst, ip.p, ip.ttl, ip.off, ip.tos) == (0, PEER, IPPROTO_ICMP, 255, 0, 0)
    echo = Icmp.parse(ip.payload)
    assert in_cksum(bytes(ip.payload)) == 0
    assert (echo.type, echo.id, echo.seq) == (ICMP_ECHO, IDENT, 0)
    assert bytes(echo.payload[:8]) == int(EPOCH).to_bytes(4, "big") + bytes(4)
    assert bytes(echo.payload[8:]) == bytes(range(8, 56))


def test_the_stddev_is_of_the_sample():
    ping = make(count=2)
    ping.start(0.0)
    ping.run(0.0)
    ping.datagram_input(reply_to(ping.take_packets()[0]), PEER, 0.000412)
    ping.run(1.0)
    ping.datagram_input(reply_to(ping.take_packets()[0]), PEER, 1.0006)
    assert "min/avg/max/stddev = 0.412/0.506/0.600/0.133 ms\n" in out(ping)


def test_nothing_answers_and_the_status_is_2():
    run = Run(make(count=2), delay=None).finish()
    assert run.ping.status == 2
    assert run.text.endswith(
        "\n----10.0.0.2 PING Statistics----\n"
        "2 packets transmitted, 0 packets received, 100.0% packet loss\n"
    )
    assert run.now == 21.0  # ten intervals after the last request


def test_slow_answers_are_waited_for_twice_as_long_as_the_slowest():
    run = Run(make(count=2), delay=9.0, loses={1}).finish()
    assert run.now == 11.0 + 18.0


def test_maxwait_ends_it_however_it_stands():
    run = Run(make(maxwait_s=2.5), delay=None).finish()
    assert run.now == 12.5
    assert len(run.sent) == 3


def test_once_ends_at_the_first_reply():
    run = Run(make(once=True), loses={0, 1}).finish()
    assert "3 packets transmitted, 1 packets received, 66.7% packet loss\n" in run.text


def test_preloaded_requests_leave_at_once_and_do_not_count():
    run = Run(make(count=2, preload=3)).finish()
    assert [when for when, _ in run.sent[:4]] == [10.0] * 3 + [12.0]
    assert "5 packets transmitted" in run.text


def test_late_runs_skip_requests_but_keep_the_beat():
    ping = make()
    ping.start(0.0)
    ping.run(0.0)
    assert ping.next_due() == 1.0
    ping.run(5.25)
    assert len(ping.take_packets()) == 2
    assert ping.next_due() == 6.0


def test_a_duplicate_is_called_so_and_counted_apart():
    ping = make(count=2, audible=True)
    ping.start(0.0)
    ping.run(0.0)
    answer = reply_to(ping.take_packets()[0])
    ping.datagram_input(answer, PEER, 0.001)
    ping.datagram_input(answer, PEER, 0.002)
    output = ping.take_output()
    assert (STDERR, "\a") in output
    assert output.count((STDERR, "\a")) == 1
    assert "64 bytes from 10.0.0.2: icmp_seq=0 DUP! ttl=64 time=2.000 ms" in [t for _, t in output]
    ping.interrupt(0.5)
    text = out(ping)
    assert "1 packets transmitted, 1 packets received, +1 duplicates, 0.0% packet loss\n" in text
    assert "min/avg/max/stddev = 1.000/1.500/2.000/0.707 ms" in text


def test_more_replies_than_requests_is_remarked_upon():
    ping = make(count=5)
    ping.start(0.0)
    ping.run(0.0)
    packet = ping.take_packets()[0]
    echo = Icmp.parse(Ipv4.parse(packet).payload)
    for seq in (0, 1):  # as if somebody had invented the second
        forged = icmp_echo(IDENT, seq, echo.payload, ICMP_ECHOREPLY)
        datagram = ip_build(forged, src=PEER, dst=HERE, proto=IPPROTO_ICMP)
        ping.datagram_input(datagram, PEER, 0.001)
    ping.interrupt(0.1)
    ping.interrupt(0.1)
    assert "2 packets received, -- somebody's duplicating packets!\n" in out(ping)


def test_a_flood_draws_dots_and_takes_them_back():
    run = Run(make(count=30, flood=True, interval_s=0.01), delay=0.2, loses={3, 7}).finish()
    drawn = run.text.split("\n")[1]
    assert set(drawn) == {".", "\b"}
    assert drawn.count(".") - drawn.count("\b") == 2  # what stays on the screen is what was lost
    assert "packets/sec sent,  " in run.text


def test_a_flood_does_not_wait_when_it_is_answered():
    run = Run(make(count=100, flood=True, interval_s=0.01), delay=0.001).finish()
    assert run.now == pytest.approx(10.1)


def test_quiet_prints_only_the_ends():
    run = Run(make(count=2, quiet=True)).finish()
    assert run.text.splitlines()[:2] == ["PING 10.0.0.2 (10.0.0.2): 56 data bytes", ""]


def test_a_pattern_is_told_and_sent():
    ping = make(pattern=b"\xca\xfe", size=13)
    ping.start(0.0)
    ping.run(0.0)
    assert out(ping).startswith("PATTERN: 0xcafe\nPING ")
    echo = Icmp.parse(Ipv4.parse(ping.take_packets()[0]).payload)
    assert bytes(echo.payload[8:]) == b"\xca\xfe\xca\xfe\xca"


def test_random_data_change_and_are_not_checked():
    run = Run(make(random_fill=True, count=2)).finish()
    first, second = (bytes(Ipv4.parse(p).payload[16:]) for _, p in run.sent)
    assert first != second
    assert "wrong data" not in run.text


def test_too_little_room_for_a_stamp_means_no_times():
    run = Run(make(size=7, count=1)).finish()
    assert "15 bytes from 10.0.0.2: icmp_seq=0 ttl=64\n" in run.text
    assert "round-trip" not in run.text


def test_the_largest_size_is_an_ip_packet():
    run = Run(make(size=MAXPACKET, record_route=True, count=1)).finish()
    assert len(run.sent[0][1]) == 65535
    assert run.ping.status == 0


def test_damaged_data_are_shown():
    ping = make(count=1, size=24)
    ping.start(0.0)
    ping.run(0.0)
    packet = ping.take_packets()[0]
    sent = bytes(Icmp.parse(Ipv4.parse(packet).payload).payload)
    ping.datagram_input(reply_to(packet, data=sent[:9] + b"\0" + sent[10:]), PEER, 0.001)
    assert (
        "icmp_seq=0 ttl=64 time=1.000 ms\nwrong data byte #9 should have been 0x9 but was 0\n"
        "\t 8  0  a  b  c  d  e  f 10 11 12 13 14 15 16 17 \n"
    ) in out(ping)


def test_a_wrong_length_is_told():
    ping = make(count=1)
    ping.start(0.0)
    ping.run(0.0)
    packet = ping.take_packets()[0]
    sent = bytes(Icmp.parse(Ipv4.parse(packet).payload).payload)
    ping.datagram_input(reply_to(packet, data=sent[:40]), PEER, 0.001)
    assert "time=1.000 ms\nwrong total length 68 instead of 84\n" in out(ping)


def test_gaps_are_told_to_who_asks():
    run = Run(make(count=4, verbose=True), loses={1, 2}).finish()
    assert "[*** sequence gap of 2 packets from 1 ... 2 ***]\n64 bytes" in run.text


@pytest.mark.parametrize(
    ("icmp_type", "code", "hun", "words"),
    [
        (ICMP_UNREACH, 0, 0, "Destination Net Unreachable"),
        (ICMP_UNREACH, 1, 0, "Destination Host Unreachable"),
        (ICMP_UNREACH, 4, 1400, "frag needed and DF set.  Next MTU=1400"),
        (ICMP_UNREACH, 13, 0, "Communication prohibited"),
        (ICMP_UNREACH, 16, 0, "Bad Destination Unreachable Code: 16"),
        (4, 0, 0, "Source Quench"),
        (ICMP_REDIRECT, 1, 0x0A000003, "Redirect Host New router addr: 10.0.0.3"),
        (ICMP_REDIRECT, 9, 0x0A000003, "Redirect--Bad Code: 9 New router addr: 10.0.0.3"),
        (ICMP_TIMXCEED, 0, 0, "Time To Live exceeded"),
        (ICMP_TIMXCEED, 1, 0, "Frag reassembly time exceeded"),
        (ICMP_TIMXCEED, 7, 0, "Time exceeded, Bad Code: 7"),
        (ICMP_PARAMPROB, 0, 0x14 << 24, "Parameter problem: pointer = 0x14"),
    ],
)
def test_errors_about_our_requests_are_one_line_each(icmp_type, code, hun, words):
    ping = make(count=4)
    ping.start(0.0)
    for second in range(4):
        ping.run(float(second))
    packet = ping.take_packets()[3]
    out(ping)
    ping.datagram_input(error_about(packet, icmp_type, code, hun), ROUTER, 3.1)
    assert out(ping) == f"36 bytes from 10.0.0.254: {words} for icmp_seq=3\n"


@pytest.mark.parametrize("how", [{"quiet": True}, {"semi_quiet": True}])
def test_errors_can_be_kept_quiet(how):
    ping = make(**how)
    ping.start(0.0)
    ping.run(0.0)
    out(ping)
    ping.datagram_input(error_about(ping.take_packets()[0], ICMP_UNREACH, 1), ROUTER, 0.1)
    assert out(ping) == ""


def test_errors_about_others_are_for_the_verbose():
    other = ip_build(b"\0\x35\xd4\x31" + bytes(8), src=HERE, dst=PEER, proto=IPPROTO_UDP, ident=7)
    error = ip_build(
        icmp_build(ICMP_UNREACH, 3, 0, other[:28]), src=PEER, dst=HERE, proto=IPPROTO_ICMP
    )
    for verbose in (False, True):
        ping = make(verbose=verbose)
        ping.start(0.0)
        out(ping)
        ping.datagram_input(error, PEER, 0.1)
        text = out(ping)
        if not verbose:
            assert text == ""
            continue
        assert text.startswith(
            "Destination Port Unreachable\n"
            " Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src\t     Dst\n"
            "  4  5  00 0020 0007   0 0000  40  11 "
        )
        assert text.endswith("        10.0.0.1  10.0.0.2 \n  UDP: from port 53, to port 54321\n")


def test_names_go_before_the_addresses_of_errors():
    ping = make(name_of={ROUTER: "gate"}.get)
    ping.start(0.0)
    ping.run(0.0)
    out(ping)
    ping.datagram_input(error_about(ping.take_packets()[0], ICMP_TIMXCEED, 0), ROUTER, 0.1)
    assert out(ping).startswith("36 bytes from gate (10.0.0.254): Time To Live exceeded")


def test_another_pings_replies_are_not_ours():
    ping = make()
    ping.start(0.0)
    ping.run(0.0)
    out(ping)
    foreign = icmp_echo(IDENT + 1, 0, bytes(56), ICMP_ECHOREPLY)
    ping.datagram_input(ip_build(foreign, src=PEER, dst=HERE, proto=IPPROTO_ICMP), PEER, 0.1)
    assert out(ping) == ""
    assert ping.received == 0


def test_a_recorded_route_is_shown_when_it_changes():
    ping = make(record_route=True, name_of={PEER: "peer"}.get)
    ping.start(0.0)
    texts = []
    for second, route in enumerate(((ROUTER, PEER), (ROUTER, PEER), (PEER,))):
        ping.run(float(second))
        packet = ping.take_packets()[0]
        (option,) = walk_options(Ipv4.parse(packet).options)
        assert option.data == record_route(9)
        filled = b"".join(a.to_bytes(4, "big") for a in route)
        recorded = bytes((7, 39, 4 + len(filled))) + filled + bytes(36 - len(filled)) + b"\0"
        out(ping)
        ping.datagram_input(reply_to(packet, options=recorded), PEER, second + 0.001)
        texts.append(out(ping))
    line = "64 bytes from 10.0.0.2: icmp_seq={} ttl=64 time=1.000 ms"
    assert texts == [
        line.format(0) + "\nRR: \t10.0.0.254\n\tpeer (10.0.0.2)\n",
        line.format(1) + "\t(same route)\n",
        line.format(2) + "\nRR: \tpeer (10.0.0.2)\n",
    ]


def test_a_gateway_makes_a_loose_source_route():
    ping = make(gateway=ROUTER, record_route=True)
    ping.start(0.0)
    ping.run(0.0)
    ip = Ipv4.parse(ping.take_packets()[0])
    assert ip.dst == ROUTER
    assert ip.options[:8] == bytes((131, 7, 4, 10, 0, 0, 2, 1))
    assert ip.options[8:10] == bytes((7, 31))


def test_the_header_carries_what_was_asked_for():
    ping = make(df=True, tos=0x10, ttl=3, src=HERE)
    ping.start(0.0)
    ping.run(0.0)
    ip = Ipv4.parse(ping.take_packets()[0])
    assert (ip.off, ip.tos, ip.ttl, ip.src) == (IP_DF, 0x10, 3, HERE)


def test_an_interrupt_lets_the_stragglers_in_and_a_second_does_not():
    ping = make()
    ping.start(0.0)
    for second in range(2):
        ping.run(float(second))
    first, second = ping.take_packets()
    ping.datagram_input(reply_to(first), PEER, 1.1)
    ping.interrupt(1.2)
    assert not ping.done
    ping.run(2.5)
    assert ping.take_packets() == []  # no more requests
    ping.datagram_input(reply_to(second), PEER, 2.6)
    assert ping.done
    assert ping.status == 0
    again = make()
    again.start(0.0)
    again.run(0.0)
    again.interrupt(0.1)  # nothing ever came: at once
    assert again.done


def test_the_summary_on_request_has_no_heading_and_goes_on():
    ping = make()
    ping.start(0.0)
    ping.run(0.0)
    out(ping)
    ping.info()
    assert out(ping) == "1 packets transmitted, 0 packets received, 100.0% packet loss\n"
    assert not ping.done


def test_a_refused_packet_is_warned_of_and_counted_as_sent():
    ping = make(count=1)
    ping.start(0.0)
    ping.run(0.0)
    ping.take_packets()
    ping.send_failed("EHOSTUNREACH")
    assert (STDERR, "ping: sendto: No route to host\n") in ping.take_output()
    assert ping.transmitted == 1


def test_short_packets_are_for_the_verbose():
    ping = make(verbose=True)
    ping.start(0.0)
    out(ping)
    ping.datagram_input(b"\x45" + bytes(22), PEER, 0.0)
    assert out(ping) == "packet too short (23 bytes) from 10.0.0.2\n"


@given(st.binary(max_size=120), st.booleans())
def test_arbitrary_datagrams_never_escape(octets, verbose):
    ping = make(verbose=verbose, record_route=True)
    ping.start(0.0)
    ping.run(0.0)
    ping.datagram_input(octets, PEER, 0.1)
    ping.interrupt(0.2)
    ping.interrupt(0.2)
    assert ping.done


@given(
    st.sampled_from([0, 3, 4, 5, 8, 11, 12, 13, 40]),
    st.integers(0, 255),
    st.binary(max_size=90),
    st.binary(max_size=40),
    st.booleans(),
)
def test_arbitrary_icmp_messages_never_escape(kind, code, body, options, verbose):
    payload = icmp_build(kind, code, IDENT << 16, body)
    datagram = ip_build(payload, src=PEER, dst=HERE, proto=IPPROTO_ICMP, options=options)
    for flood in (False, True):
        ping = make(verbose=verbose, flood=flood, interval_s=0.01)
        ping.start(0.0)
        ping.run(0.0)
        ping.datagram_input(datagram, PEER, 0.1)
        assert ping.received + ping.repeats == (kind == ICMP_ECHOREPLY)


@given(st.integers(0, 255), st.integers(0, 255))
def test_every_message_has_words(kind, code):
    assert icmp_text(Icmp(kind, code, 0, 0, b""))
    if (kind, code) == (ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG):
        assert icmp_text(Icmp(kind, code, 0, 576, b"")).endswith("Next MTU=576")


@given(st.integers(1, 30), st.sets(st.integers(0, 29)), st.floats(0.001, 30.0))
def test_what_is_lost_is_what_is_missing(count, lost, delay):
    run = Run(make(count=count), delay=delay, loses=lost).finish()
    missing = len([n for n in lost if n < count])
    # Those slower than the patience for the last ones are lost too.
    assert run.ping.transmitted == count
    assert run.ping.received <= count - missing
    if delay <= 10.0:
        assert run.ping.received == count - missing
