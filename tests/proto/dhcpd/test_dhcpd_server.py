"""The server's decisions, message by message."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import inet_aton, inet_ntoa
from libnet.conf.leases import read_leases
from libnet.proto.dhcpd.keeper import OFFER_S, REWRITE_S
from libnet.proto.dhcpd.reply import Ping
from libnet.wire import dhcp as d
from tests.proto.dhcpd.dhcpdlab import CONF, EPOCH, SERVER, Lab, mac, message

A, B, C = mac(1), mac(2), mac(3)
FIRST = inet_aton("10.9.0.10")
NEVER = 0xFFFFFFFF


def _conf(top="", subnet="", pool="range 10.9.0.10 10.9.0.13;", rest=""):
    return (
        f"authoritative; ping-check off; {top}\n"
        f"subnet 10.9.0.0 netmask 255.255.255.0 {{ {pool} {subnet} }}\n{rest}\n"
    )


# -- four messages


def test_addresses_are_given_from_the_low_end():
    lab = Lab()
    assert [inet_ntoa(lab.lease(mac(n))) for n in range(4)] == [
        f"10.9.0.{n}" for n in (10, 11, 12, 13)
    ]


def test_log_lines_of_an_exchange():
    lab = Lab()
    name = {d.DHO_HOST_NAME: b"box"}
    lab.send(d.DHCPDISCOVER, A, options=name)
    assert lab.log == [
        "DHCPDISCOVER from 02:00:00:01:00:01 via wm0",
        "DHCPOFFER on 10.9.0.10 to 02:00:00:01:00:01 (box) via wm0",
    ]
    lab.send(d.DHCPREQUEST, A, wanted=FIRST, server=SERVER, options=name)
    assert lab.log == [
        "DHCPREQUEST for 10.9.0.10 (10.9.0.1) from 02:00:00:01:00:01 (box) via wm0",
        "DHCPACK on 10.9.0.10 to 02:00:00:01:00:01 (box) via wm0",
    ]
    lab.send(d.DHCPREQUEST, A, ciaddr=FIRST)
    assert lab.log == [
        "DHCPREQUEST for 10.9.0.10 from 02:00:00:01:00:01 (box) via wm0",
        "DHCPACK on 10.9.0.10 to 02:00:00:01:00:01 via wm0",
    ]


def test_what_a_reply_says():
    lab = Lab()
    ((out, offer),) = lab.send(d.DHCPDISCOVER, A, asks=(1, 3, 51))
    assert (out.ifname, out.src, out.dst, out.port, out.mac) == ("wm0", SERVER, FIRST, 68, A)
    assert (offer.op, offer.xid, offer.yiaddr, offer.siaddr) == (2, 7, FIRST, 0)
    assert list(offer.options.items()) == [
        (53, b"\x02"),
        (54, SERVER.to_bytes(4, "big")),
        (51, (600).to_bytes(4, "big")),
        (1, b"\xff\xff\xff\x00"),
        (3, SERVER.to_bytes(4, "big")),
    ]
    assert len(out.octets) == 300


def test_a_client_keeps_its_address():
    lab = Lab()
    addr = lab.lease(A)
    lab.run(2000)
    assert lab.lease(B) != addr
    assert lab.lease(A) == addr


def test_the_longest_free_address_is_next_when_none_is_new():
    lab = Lab(last=11)
    one, two = lab.lease(A), lab.lease(B)
    lab.run(5)
    lab.send(d.DHCPRELEASE, B, ciaddr=two)
    lab.run(5)
    lab.send(d.DHCPRELEASE, A, ciaddr=one)
    assert lab.lease(C) == two


def test_an_identifier_counts_before_the_hardware():
    lab = Lab()
    addr = lab.lease(A, uid=b"one")
    assert lab.lease(A, uid=b"two") != addr
    assert lab.lease(B, uid=b"one") == addr


def test_an_offer_is_kept_for_two_minutes_and_not_written():
    lab = Lab(last=10)
    assert lab.answer(d.DHCPDISCOVER, A) is not None
    assert "lease" not in lab.disk.text
    assert lab.answer(d.DHCPDISCOVER, B) is None
    line = "DHCPDISCOVER from 02:00:00:01:00:02 via wm0: network 10.9.0.0: no free leases"
    assert lab.log == [line]
    lab.run(OFFER_S + 3)
    assert lab.answer(d.DHCPDISCOVER, B).yiaddr == FIRST


def test_lease_times():
    lab = Lab(_conf("default-lease-time 900; max-lease-time 1000; min-lease-time 500;"))

    def seconds(**kw):
        return lab.answer(d.DHCPDISCOVER, A, **kw).number(51, 4)

    assert seconds() == 900
    assert seconds(options={51: (700).to_bytes(4, "big")}) == 700
    assert seconds(options={51: (7000).to_bytes(4, "big")}) == 1000
    assert seconds(options={51: (7).to_bytes(4, "big")}) == 500
    reply = lab.answer(d.DHCPDISCOVER, A, asks=(58, 59))
    assert (reply.number(58, 4), reply.number(59, 4)) == (450, 787)
    assert 58 not in lab.answer(d.DHCPDISCOVER, A, asks=(1,)).options


def test_a_lease_without_end():
    lab = Lab(_conf(f"default-lease-time {NEVER}; max-lease-time {NEVER};"))
    lab.lease(A)
    assert "  ends never;\n" in lab.disk.text
    lab.now += 10**8
    lab.run()
    assert lab.lease(B) != FIRST


# -- requests that are refused


def test_a_request_for_another_network_is_refused():
    lab = Lab()
    wrong = inet_aton("192.168.9.9")
    ((out, nak),) = lab.send(d.DHCPREQUEST, A, wanted=wrong)
    assert nak.type == d.DHCPNAK
    assert (out.dst, out.mac) == (NEVER, b"\xff" * 6)
    assert nak.flags == d.BOOTP_BROADCAST
    assert (nak.ciaddr, nak.yiaddr, nak.siaddr) == (0, 0, 0)
    assert list(nak.options) == [53, 54]  # the first one has nothing to say
    assert lab.log == [
        "DHCPREQUEST for 192.168.9.9 from 02:00:00:01:00:01 via wm0: wrong network.",
        "DHCPNAK on 192.168.9.9 to 02:00:00:01:00:01 via wm0",
    ]
    quiet = Lab(CONF.format(last=13).replace("authoritative;", ""))
    assert quiet.send(d.DHCPREQUEST, A, wanted=wrong) == []
    assert quiet.log[0].endswith(": ignored (not authoritative).")


def test_a_request_for_what_another_client_has():
    lab = Lab()
    addr = lab.lease(A)
    nak = lab.answer(d.DHCPREQUEST, B, wanted=addr, uid=b"me")
    assert nak.type == d.DHCPNAK
    assert nak.text(56) == "requested address not available"
    assert nak.options[61] == b"me"
    assert lab.log[0].endswith("via wm0: lease 10.9.0.10 unavailable.")


def test_a_request_for_an_address_that_is_nobodys_gets_no_answer():
    lab = Lab()
    unknown = inet_aton("10.9.0.50")
    assert lab.send(d.DHCPREQUEST, A, wanted=unknown) == []
    assert lab.log == [
        "DHCPREQUEST for 10.9.0.50 from 02:00:00:01:00:01 via wm0: unknown lease 10.9.0.50."
    ]
    addr = lab.lease(A)
    assert lab.answer(d.DHCPREQUEST, A, wanted=unknown) is None
    assert lab.answer(d.DHCPREQUEST, A, wanted=addr).type == d.DHCPACK


def test_a_client_reboots_into_its_address_whatever_server_it_names():
    lab = Lab()
    addr = lab.lease(A)
    other = inet_aton("10.9.0.99")
    assert lab.answer(d.DHCPREQUEST, A, wanted=addr).type == d.DHCPACK
    assert lab.answer(d.DHCPREQUEST, A, wanted=addr, server=other).type == d.DHCPACK
    strict = Lab(_conf("server-id-check on;"))
    addr = strict.lease(A)
    assert strict.answer(d.DHCPREQUEST, A, wanted=addr, server=other) is None


def test_a_renewal_is_answered_to_its_address():
    lab = Lab()
    addr = lab.lease(A)
    ((out, ack),) = lab.send(d.DHCPREQUEST, A, ciaddr=addr, src=addr)
    assert (out.ifname, out.dst, out.port) == ("", addr, 68)
    assert (ack.type, ack.ciaddr, ack.yiaddr) == (d.DHCPACK, addr, addr)


def test_broadcast_flag():
    lab = Lab()
    ((out, offer),) = lab.send(d.DHCPDISCOVER, A, flags=d.BOOTP_BROADCAST)
    assert (out.dst, out.mac, offer.flags) == (NEVER, b"\xff" * 6, d.BOOTP_BROADCAST)
    always = Lab(_conf("always-broadcast on;"))
    ((out, offer),) = always.send(d.DHCPDISCOVER, A)
    assert (out.dst, offer.flags) == (NEVER, d.BOOTP_BROADCAST)


def test_ports_and_another_address_for_broadcasts():
    everybody = inet_aton("10.9.0.255")
    lab = Lab(_conf("always-broadcast on;"), broadcast=everybody, local_port=6700, remote_port=6701)
    ((out, _offer),) = lab.send(d.DHCPDISCOVER, A)
    assert (out.dst, out.port, out.mac) == (everybody, 6701, b"\xff" * 6)
    ((out, _nak),) = lab.send(d.DHCPREQUEST, A, wanted=1)
    assert (out.dst, out.port) == (everybody, 6701)
    ((out, _offer),) = lab.send(d.DHCPDISCOVER, A, giaddr=SERVER)
    assert (out.dst, out.port) == (SERVER, 6700)


# -- release, decline, inform


def test_release():
    lab = Lab()
    addr = lab.lease(A, options={12: b"box"})
    lab.send(d.DHCPRELEASE, B, ciaddr=addr)
    assert lab.log == ["DHCPRELEASE of 10.9.0.10 from 02:00:00:01:00:02 via wm0 (not found)"]
    again = lab.answer(d.DHCPREQUEST, A, ciaddr=addr, options={12: b"box"})
    assert again.type == d.DHCPACK
    assert lab.send(d.DHCPRELEASE, A, ciaddr=addr) == []
    assert lab.log == ["DHCPRELEASE of 10.9.0.10 from 02:00:00:01:00:01 (box) via wm0 (found)"]
    last = lab.disk.text[lab.disk.text.rindex("lease ") :]
    assert "  binding state free;\n  hardware ethernet 02:00:00:01:00:01;\n}\n" in last
    assert "client-hostname" not in last


def test_decline():
    lab = Lab(last=11)
    addr = lab.lease(A)
    lab.send(d.DHCPDECLINE, B, wanted=addr)
    assert lab.log == ["DHCPDECLINE of 10.9.0.10 from 02:00:00:01:00:02 via wm0: not found"]
    lab.send(d.DHCPDECLINE, A, wanted=addr)
    assert lab.log == [
        "Abandoning IP address 10.9.0.10: declined.",
        "DHCPDECLINE of 10.9.0.10 from 02:00:00:01:00:01 via wm0: abandoned",
    ]
    entry = read_leases(lab.disk.text, "x").leases[addr]
    assert (entry.state, entry.hardware, entry.uid) == ("abandoned", None, None)
    assert entry.times["ends"] == entry.times["tstp"] == EPOCH + 1000 + 86400
    assert lab.lease(A) == addr + 1
    # Nothing else is left for B, so it gets what nobody wanted.
    assert lab.answer(d.DHCPDISCOVER, B).yiaddr == addr
    assert lab.log[0] == "Reclaiming abandoned lease 10.9.0.10."


def test_an_abandoned_address_is_given_to_who_asks_for_it():
    lab = Lab()
    addr = lab.lease(A)
    lab.send(d.DHCPDECLINE, A, wanted=addr)
    assert lab.answer(d.DHCPDISCOVER, A, wanted=addr).yiaddr != addr
    assert lab.answer(d.DHCPREQUEST, A, wanted=addr).type == d.DHCPACK
    assert "Reclaiming REQUESTed abandoned IP address 10.9.0.10." in lab.log


@pytest.mark.parametrize(("rule", "line"), [("deny", ["ignored"]), ("ignore", [])])
def test_declines_may_count_for_nothing(rule, line):
    lab = Lab(_conf(f"{rule} declines;"))
    addr = lab.lease(A)
    lab.send(d.DHCPDECLINE, A, wanted=addr)
    assert [text.rpartition(": ")[2] for text in lab.log] == line
    assert lab.answer(d.DHCPREQUEST, A, ciaddr=addr).type == d.DHCPACK


def test_inform():
    lab = Lab()
    addr = inet_aton("10.9.0.77")
    ((out, ack),) = lab.send(d.DHCPINFORM, A, ciaddr=addr, asks=(3, 51, 58, 59))
    assert (out.ifname, out.dst, out.port) == ("", addr, 68)
    assert (ack.type, ack.yiaddr, ack.ciaddr) == (d.DHCPACK, 0, addr)
    assert list(ack.options) == [53, 54, 1, 3]
    assert lab.log == [
        "DHCPINFORM from 10.9.0.77 via wm0",
        "DHCPACK to 10.9.0.77 (02:00:00:01:00:01) via wm0",
    ]
    ((out, ack),) = lab.send(d.DHCPINFORM, A, src=addr)
    assert (out.dst, ack.ciaddr) == (addr, 0)
    assert lab.send(d.DHCPINFORM, A) == []
    assert lab.log == ["DHCPINFORM from 0.0.0.0 via wm0: ignored (null source address)."]
    lab.send(d.DHCPINFORM, A, ciaddr=1)
    assert lab.log == ["DHCPINFORM from 0.0.0.1 via wm0: unknown subnet for client address 0.0.0.1"]


def test_nobody_makes_the_server_shout():
    lab = Lab()
    assert lab.send(d.DHCPINFORM, A, ciaddr=inet_aton("10.9.0.255")) == []
    assert lab.server.dropped == {"broadcast": 1}
    lab = Lab(_conf(f"option log-servers {', '.join(['10.9.0.1'] * 600)};"))
    ((out, reply),) = lab.send(d.DHCPDISCOVER, A, asks=(7,), options={57: b"\xff\xff"})
    assert len(out.octets) <= 1472
    assert reply.type == d.DHCPOFFER


def test_inform_to_a_server_without_authority():
    lab = Lab(CONF.format(last=13).replace("authoritative;", ""))
    addr = inet_aton("10.9.0.77")
    assert lab.send(d.DHCPINFORM, A, ciaddr=addr) == []
    assert lab.log[0] == "DHCPINFORM from 10.9.0.77 via wm0: not authoritative for subnet 10.9.0.0"
    assert lab.log[1] == "If this DHCP server is authoritative for that subnet,"
    assert len(lab.log) == 6
    lab.send(d.DHCPINFORM, A, ciaddr=addr)
    assert len(lab.log) == 1


# -- hosts, BOOTP


HOST = (
    "host printer { hardware ethernet 02:00:00:01:00:01; fixed-address 10.8.0.5, 10.9.0.5;"
    ' filename "boot"; next-server 10.9.0.7; }'
)


def test_fixed_address():
    lab = Lab(_conf(rest=HOST))
    reply = lab.answer(d.DHCPDISCOVER, A)
    assert (reply.yiaddr, reply.file, reply.siaddr) == (
        inet_aton("10.9.0.5"),
        b"boot",
        inet_aton("10.9.0.7"),
    )
    assert lab.lease(A) == inet_aton("10.9.0.5")
    assert "lease" not in lab.disk.text
    nak = lab.answer(d.DHCPREQUEST, A, wanted=FIRST)
    assert (nak.type, nak.text(56)) == (d.DHCPNAK, "requested address is incorrect")
    assert lab.lease(B) == FIRST


def test_a_fixed_address_in_a_range_is_given_to_nobody_else():
    lab = Lab(_conf(rest=HOST.replace("10.9.0.5", "10.9.0.10")))
    assert lab.lease(B) == FIRST + 1
    assert lab.answer(d.DHCPREQUEST, B, wanted=FIRST).type == d.DHCPNAK
    assert lab.lease(A) == FIRST


def test_a_fixed_address_that_somebody_had_before_is_complained_of():
    lab = Lab()
    lab.lease(B)
    lab.conf = _conf(rest=HOST.replace("10.9.0.5", "10.9.0.10"))
    lab.start()
    lab.send(d.DHCPDISCOVER, A)
    assert lab.log[:3] == [
        "Dynamic and static leases present for 10.9.0.10.",
        "Remove host declaration printer or remove 10.9.0.10",
        "from the dynamic address pool for 10.9.0.0",
    ]


def test_a_fixed_address_by_name():
    hosts = {"printer.lab": bytes((10, 9, 0, 6))}
    lab = Lab(_conf(rest=HOST.replace("10.8.0.5, 10.9.0.5", "printer.lab")), lookup=hosts.get)
    assert lab.lease(A) == inet_aton("10.9.0.6")


def test_bootp():
    lab = Lab(_conf(rest=HOST))
    ((out, reply),) = lab.send(0, A)
    assert (reply.yiaddr, reply.type, out.port) == (inet_aton("10.9.0.5"), 0, 68)
    assert list(reply.options) == [1]
    assert len(out.octets) == 300
    assert lab.log == [
        "BOOTREQUEST from 02:00:00:01:00:01 via wm0",
        "BOOTREPLY for 10.9.0.5 to printer (02:00:00:01:00:01) via wm0",
    ]
    assert lab.send(0, B) == []
    assert lab.log == [
        "BOOTREQUEST from 02:00:00:01:00:02 via wm0: BOOTP from dynamic client and no dynamic leases"
    ]


def test_hosts_that_the_lease_file_declares():
    text = (
        "host one { dynamic; hardware ethernet 02:00:00:01:00:02; fixed-address 10.9.0.6; }\n"
        "host gone { dynamic; hardware ethernet 02:00:00:01:00:03; fixed-address 10.9.0.7; }\n"
        "host gone { dynamic; deleted; }\nhost printer { dynamic; deleted; }\n"
    )
    lab = Lab(_conf(rest=HOST), leases=text)
    assert lab.server.dynamic == 1
    assert [inet_ntoa(lab.lease(one)) for one in (A, B, C)] == [
        "10.9.0.10",
        "10.9.0.6",
        "10.9.0.11",
    ]
    assert lab.disk.text.startswith(text)


def test_a_client_with_two_leases_is_told_of():
    lab = Lab()
    addr = lab.lease(A, uid=b"u")
    assert lab.answer(d.DHCPREQUEST, A, uid=b"u", wanted=addr + 1).type == d.DHCPACK
    lab.run(10)
    assert lab.answer(d.DHCPREQUEST, A, uid=b"u", wanted=addr + 1).type == d.DHCPACK
    assert lab.answer(d.DHCPREQUEST, A, uid=b"u", wanted=addr).type == d.DHCPACK
    assert lab.log[0] == "client 02:00:00:01:00:01 has duplicate leases on 10.9.0.0"


def test_dynamic_bootp():
    lab = Lab(
        _conf("dynamic-bootp-lease-length 3600;", pool="range dynamic-bootp 10.9.0.10 10.9.0.13;")
    )
    ((_out, reply),) = lab.send(0, B)
    assert reply.yiaddr == FIRST
    assert lab.log == [
        "BOOTREQUEST from 02:00:00:01:00:02 via wm0",
        "BOOTREPLY on 10.9.0.10 to 02:00:00:01:00:02 via wm0",
    ]
    assert "  dynamic-bootp;\n" in lab.disk.text
    lab.run(3700)
    assert "binding state free" in lab.disk.text
    pool = "range dynamic-bootp 10.9.0.10 10.9.0.13;"
    lab = Lab(_conf(f"dynamic-bootp-lease-cutoff {EPOCH + 5000};", pool=pool))
    lab.send(0, B)
    assert read_leases(lab.disk.text, "x").leases[FIRST].times["ends"] == EPOCH + 5000
    for word, text in (("deny", [": bootp disallowed"]), ("ignore", [])):
        lab = Lab(_conf(f"{word} bootp;", pool="range dynamic-bootp 10.9.0.10 10.9.0.13;"))
        assert lab.send(0, B) == []
        assert [line[line.rindex(": ") :] for line in lab.log] == text


def test_a_bootp_client_without_options_gets_its_vendor_field_back():
    lab = Lab(_conf(rest=HOST))
    octets = message(0, A, cookie=False)[: d.HDRLEN] + b"vendor".ljust(64, b"\0")
    (out,) = lab.put(octets)
    assert out.octets[d.HDRLEN :] == b"vendor".ljust(64, b"\0")
    lab = Lab(_conf("always-reply-rfc1048 on;", rest=HOST))
    (out,) = lab.put(octets)
    assert out.octets[d.HDRLEN : d.HDRLEN + 4] == d.COOKIE


@pytest.mark.parametrize(
    ("rule", "rest", "why"),
    [
        ("deny unknown-clients;", "", "unknown client"),
        ("deny booting;", "host a { hardware ethernet 02:00:00:01:00:01; }", "booting disallowed"),
        ("min-secs 5;", "", "message dropped."),
    ],
)
def test_clients_that_are_not_served(rule, rest, why):
    lab = Lab(_conf(rule, rest=rest))
    assert lab.send(d.DHCPDISCOVER, A) == []
    assert lab.log[-1].endswith(why)


def test_rules_of_pools():
    lab = Lab(
        _conf(
            pool="pool { range 10.9.0.10; deny unknown-clients; }"
            ' pool { range 10.9.0.20; allow members of "phone"; } pool { range 10.9.0.30;'
            ' deny members of "phone"; deny known-clients; }',
            rest="host a { hardware ethernet 02:00:00:01:00:01; }",
            top='class "phone" { match if substring(hardware, 5, 2) = 00:02; }',
        )
    )
    assert [inet_ntoa(lab.lease(one)) for one in (A, B, C)] == [
        "10.9.0.10",
        "10.9.0.20",
        "10.9.0.30",
    ]


def test_a_class_has_so_many_leases_and_no_more():
    top = 'class "few" { match if exists user-class; lease limit 1; }'
    lab = Lab(_conf(top))
    member = {77: b"x"}
    addr = lab.lease(A, options=member)
    assert lab.send(d.DHCPDISCOVER, B, options=member) == []
    assert lab.log[-1].endswith(
        ": no available billing: lease limit reached in all matching classes"
    )
    assert '  billing class "few";\n' in lab.disk.text
    lab.start()
    assert lab.send(d.DHCPDISCOVER, B, options=member) == []
    assert lab.answer(d.DHCPREQUEST, A, ciaddr=addr, options=member).type == d.DHCPACK
    lab.send(d.DHCPRELEASE, A, ciaddr=addr)
    assert lab.lease(B, options=member)


def test_a_spawned_class_limits_each_circuit():
    top = 'class "port" { spawn with option agent.circuit-id; lease limit 1; }'
    lab = Lab(_conf(top))
    here, there = {82: b"\1\2p1"}, {82: b"\1\2p2"}
    assert lab.lease(A, giaddr=SERVER, options=here)
    assert lab.send(d.DHCPDISCOVER, B, giaddr=SERVER, options=here) == []
    assert lab.lease(B, giaddr=SERVER, options=there)
    assert '  billing subclass "port" 70:31;\n' in lab.disk.text


def test_one_lease_per_client():
    two = _conf("{}", rest="subnet 10.8.0.0 netmask 255.255.255.0 {{ range 10.8.0.10 10.8.0.13; }}")
    for word, held in (("", 2), ("one-lease-per-client on;", 1)):
        lab = Lab(two.replace("{}", word).replace("{{", "{").replace("}}", "}"))
        lab.lease(A)
        lab.lease(A, giaddr=inet_aton("10.8.0.1"))
        states = [lease.state for lease in lab.server.table.by_addr.values()]
        assert states.count("active") == held


# -- relays and networks


NETS = """
authoritative; ping-check off;
shared-network campus {
  subnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.10; option routers 10.9.0.1; }
  subnet 10.10.0.0 netmask 255.255.0.0 { range 10.10.0.10; option routers 10.10.0.1; }
}
subnet 10.8.0.0 netmask 255.255.255.0 { range 10.8.0.10 10.8.0.20; }
"""


def test_a_shared_network_gives_addresses_of_all_its_subnets():
    lab = Lab(NETS)
    assert [inet_ntoa(lab.lease(one)) for one in (A, B)] == ["10.9.0.10", "10.10.0.10"]
    reply = lab.answer(d.DHCPREQUEST, B, wanted=inet_aton("10.10.0.10"), asks=(1, 3))
    assert reply.addr(1) == inet_aton("255.255.0.0")
    assert reply.addr(3) == inet_aton("10.10.0.1")
    lab.send(d.DHCPDISCOVER, C)
    assert lab.log[-1].endswith("network campus: no free leases")


def test_a_relay_says_which_network():
    lab = Lab(NETS)
    relay = inet_aton("10.8.0.1")
    ((out, offer),) = lab.send(d.DHCPDISCOVER, A, giaddr=relay, options={82: b"\1\2ab\2\1x"})
    assert (out.ifname, out.dst, out.port) == ("", relay, 67)
    assert inet_ntoa(offer.yiaddr) == "10.8.0.10"
    assert list(offer.options.items())[-1] == (82, b"\1\2ab\2\1x")
    assert lab.log[0] == "DHCPDISCOVER from 02:00:00:01:00:01 via 10.8.0.1"
    assert lab.send(d.DHCPDISCOVER, A, giaddr=inet_aton("10.99.0.1")) == []
    assert lab.log == ["DHCPDISCOVER from 02:00:00:01:00:01 via 10.99.0.1: unknown network segment"]


def test_link_selection_and_subnet_selection():
    lab = Lab(NETS)
    link = b"\5\4" + inet_aton("10.8.0.0").to_bytes(4, "big")
    reply = lab.answer(d.DHCPDISCOVER, A, giaddr=SERVER, options={82: link})
    assert inet_ntoa(reply.yiaddr) == "10.8.0.10"
    chosen = inet_aton("10.8.0.0").to_bytes(4, "big")
    reply = lab.answer(d.DHCPDISCOVER, B, options={118: chosen})
    assert inet_ntoa(reply.yiaddr) == "10.8.0.11"
    assert reply.options[118] == chosen
    assert lab.send(d.DHCPDISCOVER, B, options={118: b"\1"}) == []


def test_stashed_agent_options_count_when_the_client_renews():
    top = 'class "p" { match if option agent.circuit-id = "p1"; option root-path "/p1"; }'
    for word, path in (("", "/p1"), ("stash-agent-options off;", None)):
        lab = Lab(_conf(top + word))
        addr = lab.lease(A, giaddr=SERVER, options={82: b"\1\2p1"})
        lab.start()
        ack = lab.answer(d.DHCPREQUEST, A, ciaddr=addr, asks=(17,))
        assert ack.text(17) == path
        assert 82 not in ack.options


# -- names and variables


def test_names_for_clients():
    host = "host declared { hardware ethernet 02:00:00:01:00:01; }"
    lab = Lab(_conf("use-host-decl-names on;", rest=host))
    assert lab.answer(d.DHCPDISCOVER, A, asks=(12,)).text(12) == "declared"
    lab = Lab(_conf("get-lease-hostnames on;"), name_of={FIRST: "ten"}.get)
    assert lab.answer(d.DHCPDISCOVER, A, asks=(12,)).text(12) == "ten"
    lab = Lab(_conf("use-lease-addr-for-default-route on;"))
    assert lab.answer(d.DHCPDISCOVER, A, asks=(3,)).addr(3) == FIRST


def test_variables_live_with_the_lease():
    lab = Lab(
        _conf(
            'if option user-class = "x" { set seen = "yes"; } on commit { set n = 5; }'
            ' on release { log(info, concat("bye ", seen)); }'
            ' option root-path = concat("/", seen);'
        )
    )
    addr = lab.lease(A, options={77: b"x"})
    assert '  set seen = "yes";\n  set n = %5;\n' in lab.disk.text
    lab.start()
    assert lab.answer(d.DHCPREQUEST, A, ciaddr=addr, asks=(17,)).text(17) == "/yes"
    lab.send(d.DHCPRELEASE, A, ciaddr=addr)
    assert "bye yes" in lab.log
    assert lab.answer(d.DHCPREQUEST, B, wanted=addr, asks=(17,)).text(17) is None


# -- the ping


def test_ping_before_offer():
    lab = Lab(_conf().replace("ping-check off;", ""))
    assert lab.send(d.DHCPDISCOVER, A) == []
    (ping,) = lab.pings()
    assert ping.dst == FIRST
    assert lab.send(d.DHCPDISCOVER, A) == []
    assert lab.log[-1].endswith(": already acking lease 10.9.0.10")
    # Others are served meanwhile, with another address.
    assert lab.send(d.DHCPDISCOVER, B) == []
    lab.out, lab.log = [], []
    lab.run(1.0)
    assert [d.Dhcp.parse(out.octets).yiaddr for out in lab.out] == [FIRST, FIRST + 1]
    assert lab.log[0] == "DHCPOFFER on 10.9.0.10 to 02:00:00:01:00:01 via wm0"
    # It has just been found unused.
    assert lab.answer(d.DHCPDISCOVER, A).yiaddr == FIRST


def test_a_ping_that_is_answered():
    lab = Lab(_conf().replace("ping-check off;", "ping-timeout 3;"))
    lab.send(d.DHCPDISCOVER, A)
    (ping,) = lab.pings()
    server = lab.server
    server.echo_input(FIRST, ping.ident ^ 1, lab.now, lab.wall())
    lab.out = []
    lab.run(2.5)
    assert lab.out == []
    server.echo_input(FIRST, ping.ident, lab.now, lab.wall())
    lab.run(10)
    assert lab.out == []
    assert "Abandoning IP address 10.9.0.10: pinged before offer" in lab.log
    server.echo_input(FIRST, ping.ident, lab.now, lab.wall())
    server.echo_input(1, ping.ident, lab.now, lab.wall())
    lab.settle()
    assert lab.log[-2:] == [
        "ICMP Echo Reply for 10.9.0.10 late or spurious.",
        "unexpected ICMP Echo Reply from 0.0.0.1",
    ]
    lab.send(d.DHCPDISCOVER, A)
    assert lab.pings() == [Ping(FIRST + 1, ping.ident, ping.seq + 1)]


# -- the file


def test_no_ack_without_an_entry():
    lab = Lab()
    lab.answer(d.DHCPDISCOVER, A)
    lab.disk.full = True
    assert lab.send(d.DHCPREQUEST, A, wanted=FIRST, server=SERVER) == []
    assert lab.log[-1].endswith("via wm0: database update failed")
    assert len(lab.log) == 1
    lab.disk.full = False
    assert lab.answer(d.DHCPREQUEST, A, wanted=FIRST, server=SERVER).type == d.DHCPACK
    assert "lease 10.9.0.10 {" in lab.disk.text


def test_the_entry_is_there_before_the_ack():
    lab = Lab()
    lab.answer(d.DHCPDISCOVER, A)
    lab.server.input(message(d.DHCPREQUEST, A, wanted=FIRST), "wm0", 0, lab.now, lab.wall())
    assert lab.server.take_output() == []
    assert "lease 10.9.0.10 {" in lab.server.take_journal()
    assert lab.server.take_output() == []
    lab.server.committed(True)
    (out,) = lab.server.take_output()
    assert d.Dhcp.parse(out.octets).type == d.DHCPACK


def test_a_file_cut_anywhere_loses_only_the_entry_that_was_being_written():
    lab = Lab(last=40)
    marks = []
    for n in range(4):
        lab.lease(mac(n), uid=b"\1" + bytes((n,)), options={12: b'na"me}'})
        marks.append(len(lab.disk.text))
    whole = lab.disk.text
    for cut in range(len(whole) + 1):
        # The last newline is not needed to tell that an entry is whole.
        kept = sum(mark - 1 <= cut for mark in marks)
        again = Lab(last=40, leases=whole[:cut])
        again.now = lab.now
        for n in range(kept):
            lease = again.server.table.by_addr[FIRST + n]
            assert (lease.state, lease.hardware) == ("active", (1, mac(n))), cut
        assert again.lease(mac(9)) == FIRST + kept


def test_the_file_is_written_anew_every_hour_and_when_the_clock_is_set():
    lab = Lab()
    lab.lease(A)
    addr = lab.lease(A)
    assert lab.disk.text.count("lease 10.9.0.10 {") == 2
    lab.run(REWRITE_S + 1)
    assert lab.disk.text.count("lease 10.9.0.10 {") == 1
    lab.lease(A)
    before = read_leases(lab.disk.text, "x").leases[addr].times["ends"]
    lab.jumped = 86400
    lab.run(11)
    assert read_leases(lab.disk.text, "x").leases[addr].times["ends"] == before + 86400
    lab.start()
    assert lab.answer(d.DHCPREQUEST, B, wanted=addr).type == d.DHCPNAK


def test_a_young_lease_is_not_written_again_where_the_configuration_says_so():
    lab = Lab(_conf("dhcp-cache-threshold 25; default-lease-time 1000;"))
    addr = lab.lease(A)
    text = lab.disk.text
    lab.run(200)
    ack = lab.answer(d.DHCPREQUEST, A, ciaddr=addr)
    assert (ack.type, ack.number(51, 4), lab.disk.text) == (d.DHCPACK, 800, text)
    assert lab.log[0] == (
        "reuse_lease: lease age 200 (secs) under 25% threshold, reply with unaltered,"
        " existing lease for 10.9.0.10"
    )
    lab.run(50)
    ack = lab.answer(d.DHCPREQUEST, A, ciaddr=addr)
    assert ack.number(51, 4) == 1000
    assert len(lab.disk.text) > len(text)


def test_a_lease_that_could_not_be_written_is_written_again():
    lab = Lab(_conf("dhcp-cache-threshold 25;"))
    lab.answer(d.DHCPDISCOVER, A)
    lab.disk.full = True
    assert lab.answer(d.DHCPREQUEST, A, wanted=FIRST) is None
    assert lab.answer(d.DHCPREQUEST, A, wanted=FIRST) is None
    lab.disk.full = False
    assert lab.answer(d.DHCPREQUEST, A, wanted=FIRST).type == d.DHCPACK
    assert "lease 10.9.0.10 {" in lab.disk.text


def test_a_reserved_lease_is_nobody_elses():
    lab = Lab(
        _conf(f"infinite-is-reserved on; default-lease-time {NEVER}; max-lease-time {NEVER};")
    )
    addr = lab.lease(A)
    assert "  reserved;\n" in lab.disk.text
    lab.send(d.DHCPRELEASE, A, ciaddr=addr)
    assert lab.answer(d.DHCPREQUEST, B, wanted=addr).type == d.DHCPNAK
    assert [lab.lease(mac(n)) for n in range(10, 14)].count(None) == 1
    lab.start()
    assert lab.lease(A) == addr


def test_a_clock_that_was_set_back_makes_no_lease_longer_than_it_was():
    lab = Lab()
    addr = lab.lease(A)
    lab.jumped = -(10**8)  # while the server is down
    lab.start()
    assert lab.answer(d.DHCPREQUEST, B, wanted=addr).type == d.DHCPNAK
    lab.run(610)
    assert lab.answer(d.DHCPREQUEST, B, wanted=addr).type == d.DHCPACK


def test_what_belongs_to_no_range_is_kept_while_it_lasts():
    text = (
        "lease 10.7.0.1 {\n  starts 0 2026/11/22 00:00:00;\n  ends never;\n  binding state active;\n"
        "  hardware ethernet 02:00:00:00:00:01;\n}\n"
        "host x { dynamic; hardware ethernet 02:00:00:00:00:02; }\n"
    )
    lab = Lab(leases=text)
    assert lab.disk.text.count("lease 10.7.0.1 {") == 1
    assert "host x { dynamic;" in lab.disk.text


# -- limits and strangers


def test_a_class_b_network_is_allocated_at_one_price():
    conf = "ping-check off; subnet 10.0.0.0 netmask 255.0.0.0 { range 10.9.0.0 10.9.255.255; }"
    lab = Lab(conf)
    table = lab.server.table
    assert len(table.by_addr) == 0
    for n in range(300):
        lab.lease(n.to_bytes(6, "big"))
    assert len(table.by_addr) == 300
    (pool,) = table.pools_of(lab.config.networks[0])
    assert (pool.size, pool.active) == (65536, 300)


def test_a_pool_that_is_used_up_recovers():
    lab = Lab()
    assert [lab.lease(mac(n)) is not None for n in range(6)] == [True] * 4 + [False] * 2
    lab.run(700)
    assert [lab.lease(mac(n)) is not None for n in range(6)] == [True] * 4 + [False] * 2


def test_adaptive_lease_times_and_thresholds():
    lab = Lab(
        _conf(
            "default-lease-time 7200; min-lease-time 300; adaptive-lease-time-threshold 50;"
            " log-threshold-high 50; log-threshold-low 10;"
        )
    )
    for n in range(3):
        lab.lease(mac(n))
    assert lab.answer(d.DHCPDISCOVER, mac(8)).number(51, 4) == 300
    # Who has a long lease keeps what is left of it.
    lab.run(200)
    ack = lab.answer(d.DHCPREQUEST, mac(0), ciaddr=FIRST)
    assert 6900 < ack.number(51, 4) <= 7000
    lab = Lab(_conf("log-threshold-high 50; log-threshold-low 10;"))
    lab.lease(A)
    lab.lease(B)
    assert lab.log[0].startswith(
        "Pool threshold exceeded; shared network: 10.9.0.0; address: 10.9.0.11; high threshold 50%"
    )


def test_lease_queries_and_other_peoples_messages():
    lab = Lab()
    assert lab.send(10, A, ciaddr=FIRST) == []
    assert lab.log == ["DHCPLEASEQUERY from 10.9.0.10: LEASEQUERY not allowed, query ignored"]
    for kind in (d.DHCPOFFER, d.DHCPACK, d.DHCPNAK, 99):
        assert lab.send(kind, A) == []
    assert lab.log == ["type 99 from 02:00:00:01:00:01 via wm0: unknown packet type"]
    for value in (b"", b"\0", b"\1\1"):
        assert lab.send(0, A, options={53: value}) == []
    assert lab.put(message(1, A), ifname="wm7") == []
    assert lab.put(b"\2" + message(1, A)[1:]) == []
    assert lab.put(message(1, A)[:240] + b"\x35\xff") == []
    assert lab.server.dropped == {"type": 8, "interface": 1, "reply": 1, "malformed": 1}


_ADDRS = st.one_of(
    st.integers(0, 0xFFFFFFFF), st.integers(FIRST - 2, FIRST + 5), st.just(SERVER), st.just(0)
)
_OPTIONS = st.dictionaries(
    st.one_of(
        st.sampled_from((12, 50, 51, 53, 54, 55, 57, 61, 77, 81, 82, 118)), st.integers(1, 254)
    ),
    st.one_of(st.binary(max_size=6), st.binary(max_size=300)),
    max_size=6,
)
_RICH = _conf(
    'class "c" { spawn with option agent.circuit-id; lease limit 2; }'
    'class "u" { match if substring(option user-class, 0, 1) = "a"; option root-path "r"; }'
    "one-lease-per-client on; stash-agent-options on; use-host-decl-names on;"
    "set who = option host-name; option log-servers = packet(24, 4);"
    "on commit { set n = extract-int(substring(hardware, 3, 2), 16); }"
    'on release or expiry { log(info, concat("bye ", who)); }',
    pool="range dynamic-bootp 10.9.0.10 10.9.0.13;",
    rest=HOST + " subnet 10.8.0.0 netmask 255.255.255.0 { range 10.8.0.10 10.8.0.20; }",
)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.integers(0, 3),
            _ADDRS,
            _ADDRS,
            _ADDRS,
            _OPTIONS,
            st.integers(0, 400),
        ),
        max_size=12,
    )
)
def test_no_message_does_harm(messages):
    lab = Lab(_RICH)
    for kind, who, ciaddr, giaddr, wanted, options, wait in messages:
        rows = {code: value for code, value in options.items() if code != 52}
        client = mac(who) if who else b""
        octets = message(kind, client, ciaddr=ciaddr, giaddr=giaddr, wanted=wanted, options=rows)
        for out in lab.put(octets, src=ciaddr):
            if not isinstance(out, Ping):
                d.Dhcp.parse(out.octets)
        lab.run(wait)
    again = read_leases(lab.disk.text, "x")
    assert not again.errors
    assert not again.unfinished
    owners = [
        (lease.uid or lease.hardware)
        for lease in lab.server.table.by_addr.values()
        if lease.state == "active"
    ]
    assert None not in owners
    lab.start()


@settings(max_examples=150)
@given(st.binary(max_size=700), st.integers(0, 3))
def test_no_octets_do_harm(octets, where):
    lab = Lab(_RICH)
    whole = message(1, A, options={12: b"x" * 40})
    mixed = (octets, whole[:28] + octets, whole[:240] + octets, octets[:100] + whole[100:])
    lab.put(mixed[where])
    lab.run(200)


@settings(max_examples=60)
@given(st.text(max_size=200), st.binary(max_size=200))
def test_no_lease_file_does_harm(text, octets):
    entry = "lease 10.9.0.10 {\n  starts 0 2026/11/22 00:00:00;\n  ends never;\n"
    for leases in (text, octets.decode("latin-1"), entry + octets.decode("latin-1") + "}\n"):
        lab = Lab(leases=leases.encode("latin-1", "replace").decode("latin-1"))
        lab.lease(A)
        lab.run(1000)
