"""What ISC dhcpd 4.4.3-P1 answered, and logged, when it was handed the same packets."""

from __future__ import annotations

import pytest

from libnet.addr import inet_aton
from libnet.wire import dhcp as d
from tests.proto.dhcpd.dhcpdlab import SERVER, Lab, mac

HEAD = "ddns-update-style none; ping-check off; default-lease-time 600;\n"
NET = """subnet 10.9.0.0 netmask 255.255.255.0 {{ range {bootp} 10.9.0.10 10.9.0.14;
  option routers 10.9.0.1; }}\n"""
GIVEN = (1, 3, 15, 6, 12, 28, 51, 54)
A, B, C = mac(1), mac(2), mac(3)


def lab(text="", bootp=""):
    """Return a server of the network 10.9.0.0."""
    words = 'option domain-name "lab"; option domain-name-servers 10.9.0.1;\n'
    return Lab(HEAD + words + text + NET.format(bootp=bootp))


def test_options_of_an_offer_and_the_fields():
    offer = lab().answer(d.DHCPDISCOVER, A, asks=GIVEN)
    assert list(offer.options) == [53, 54, 51, 1, 3, 15, 6]
    assert (offer.siaddr, offer.file, offer.sname, offer.flags) == (0, b"", b"", 0)
    asked = lab("option broadcast-address 10.9.0.255;").answer(d.DHCPDISCOVER, A, asks=(15, 3, 28))
    assert list(asked.options) == [53, 54, 51, 15, 1, 28, 3]


def test_a_host_by_its_client_identifier():
    text = f"""host by-uid {{ option dhcp-client-identifier "abc"; fixed-address 10.9.0.51; }}
      host by-mac {{ hardware ethernet {A.hex(":")}; fixed-address 10.9.0.50;
        filename "boot.img"; next-server 10.9.0.7; server-name "srv"; }}"""
    served = lab(text)
    assert served.answer(d.DHCPDISCOVER, B, uid=b"abc").yiaddr == inet_aton("10.9.0.51")
    # The identifier goes before the hardware address.
    assert served.answer(d.DHCPDISCOVER, A, uid=b"abc").yiaddr == inet_aton("10.9.0.51")
    offer = served.answer(d.DHCPDISCOVER, A)
    assert offer.yiaddr == inet_aton("10.9.0.50")
    assert (offer.file, offer.sname, offer.siaddr) == (b"boot.img", b"srv", inet_aton("10.9.0.7"))
    assert 61 not in offer.options
    served.answer(d.DHCPDISCOVER, A, options={12: b"name"})
    assert served.log[-1] == "DHCPOFFER on 10.9.0.50 to 02:00:00:01:00:01 via wm0"
    other = served.answer(d.DHCPREQUEST, A, wanted=inet_aton("10.9.0.10"), server=SERVER)
    assert other.type == d.DHCPNAK
    assert other.text(56) == "requested address is incorrect"


def test_a_bootp_client_has_no_say_in_the_order():
    text = f"""host b {{ hardware ethernet {A.hex(":")}; fixed-address 10.9.0.50;
      option host-name "fixed"; }}"""
    reply = lab(text).answer(0, A, asks=GIVEN)
    assert list(reply.options) == [1, 3, 6, 12, 15]


@pytest.mark.parametrize("text", ["", "deny bootp;", "deny unknown-clients;"])
def test_a_bootp_client_where_there_is_nothing_for_it(text):
    served = lab(text)
    assert served.answer(0, A) is None
    assert served.log == [
        "BOOTREQUEST from 02:00:00:01:00:01 via wm0:"
        " BOOTP from dynamic client and no dynamic leases"
    ]


def test_a_bootp_client_in_a_range_for_it():
    served = lab(bootp="dynamic-bootp")
    assert served.answer(0, A).yiaddr == inet_aton("10.9.0.10")
    assert served.log == [
        "BOOTREQUEST from 02:00:00:01:00:01 via wm0",
        "BOOTREPLY on 10.9.0.10 to 02:00:00:01:00:01 via wm0",
    ]
    denied = lab("deny bootp;", bootp="dynamic-bootp")
    assert denied.answer(0, A) is None
    assert denied.log == ["BOOTREQUEST from 02:00:00:01:00:01 via wm0: bootp disallowed"]


def test_the_leased_address_is_the_router_where_there_is_none():
    text = "use-lease-addr-for-default-route on;"
    offer = lab(text).answer(d.DHCPDISCOVER, A)
    assert offer.addrs(3) == [SERVER]
    bare = Lab(HEAD + text + "subnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.10; }")
    assert bare.answer(d.DHCPDISCOVER, A).addrs(3) == [inet_aton("10.9.0.10")]


def test_who_ends_names_with_nul_gets_them_so():
    offer = lab().answer(d.DHCPDISCOVER, A, asks=GIVEN, options={12: b"cl\0"})
    assert offer.options[15] == b"lab\0"
    assert lab().answer(d.DHCPDISCOVER, A, asks=GIVEN, options={12: b"cl"}).options[15] == b"lab"


def test_events_come_before_the_lines_of_release_and_ack():
    served = lab(
        """on commit { log (concat ("commit ", binary-to-ascii (10, 8, ".", leased-address)));
             set foo = "bar"; }
           on release { log (concat ("release ", foo)); }\n"""
    )
    addr = served.lease(A)
    assert served.log[0] == "commit 10.9.0.10"
    served.send(d.DHCPRELEASE, A, ciaddr=addr, src=addr)
    assert served.log == [
        "release bar",
        "DHCPRELEASE of 10.9.0.10 from 02:00:00:01:00:01 via wm0 (found)",
    ]


def test_a_limit_of_a_spawned_class():
    served = lab('class "c" { spawn with option agent.circuit-id; lease limit 1; }\n')
    relay = {"giaddr": inet_aton("10.9.0.9"), "options": {82: b"\1\2r0"}}
    addr = served.lease(A, **relay)
    assert served.answer(d.DHCPDISCOVER, B, **relay) is None
    assert "no available billing" in served.log[0]
    other = {"giaddr": inet_aton("10.9.0.9"), "options": {82: b"\1\2r1"}}
    offer = served.answer(d.DHCPDISCOVER, C, **other)
    assert offer.yiaddr != addr
    assert list(offer.options.items())[-1] == (82, b"\1\2r1")
    served.send(d.DHCPRELEASE, A, ciaddr=addr, **relay)
    assert served.answer(d.DHCPDISCOVER, B, **relay) is not None


def test_pools_and_their_doors():
    served = Lab(
        HEAD
        + f"""class "m" {{ match if option host-name = "m"; }}
        host k {{ hardware ethernet {A.hex(":")}; }}
        subnet 10.9.0.0 netmask 255.255.255.0 {{
          pool {{ allow members of "m"; range 10.9.0.10 10.9.0.11; }}
          pool {{ deny members of "m"; deny unknown-clients; range 10.9.0.20 10.9.0.21; }}
          pool {{ allow unknown-clients; range 10.9.0.30 10.9.0.31; default-lease-time 333; }}
        }}"""
    )
    member = {"options": {12: b"m"}}
    assert served.answer(d.DHCPDISCOVER, A).yiaddr == inet_aton("10.9.0.20")
    assert served.answer(d.DHCPDISCOVER, B, **member).yiaddr == inet_aton("10.9.0.10")
    offer = served.answer(d.DHCPDISCOVER, C)
    assert (offer.yiaddr, offer.number(51, 4)) == (inet_aton("10.9.0.30"), 333)
    for wanted in ("10.9.0.20", "10.9.0.10"):
        nak = served.answer(d.DHCPREQUEST, C, wanted=inet_aton(wanted), server=SERVER)
        assert nak.type == d.DHCPNAK


def test_the_name_in_the_log_is_that_of_the_last_message():
    served = lab()
    who = "02:00:00:01:00:01"
    named = {"options": {12: b"box"}}
    addr = served.lease(A, **named)
    served.answer(d.DHCPDISCOVER, A)
    assert served.log == [
        f"DHCPDISCOVER from {who} (box) via wm0",
        f"DHCPOFFER on 10.9.0.10 to {who} via wm0",
    ]
    served.answer(d.DHCPREQUEST, A, ciaddr=addr, **named)
    assert served.log == [
        f"DHCPREQUEST for 10.9.0.10 from {who} via wm0",
        f"DHCPACK on 10.9.0.10 to {who} (box) via wm0",
    ]
    served.send(d.DHCPDECLINE, A, wanted=addr, server=SERVER)
    assert served.log == [
        "Abandoning IP address 10.9.0.10: declined.",
        f"DHCPDECLINE of 10.9.0.10 from {who} (box) via wm0: abandoned",
    ]


def test_events_of_a_fixed_address_and_of_one_that_is_abandoned():
    text = f"""on commit {{ log (concat ("commit ", binary-to-ascii (10, 8, ".", leased-address))); }}
      on expiry {{ log ("expiry"); }}
      host h {{ hardware ethernet {A.hex(":")}; fixed-address 10.9.0.50; }}
      if static {{ option host-name "fixed"; }}\n"""
    served = lab(text)
    offer = served.answer(d.DHCPDISCOVER, A, asks=GIVEN)
    assert offer.options[12] == b"fixed"
    assert "commit 10.9.0.50" not in served.log
    served.answer(d.DHCPREQUEST, A, wanted=offer.yiaddr, server=SERVER)
    assert served.log[0] == "commit 10.9.0.50"
    reply = served.answer(0, A)
    assert served.log[0] == "commit 10.9.0.50"
    assert (reply.siaddr, reply.options[12]) == (SERVER, b"fixed")
    addr = served.lease(B)
    served.send(d.DHCPDECLINE, B, wanted=addr, server=SERVER)
    assert served.log[:2] == ["Abandoning IP address 10.9.0.10: declined.", "expiry"]


def test_a_name_that_cannot_be_printed_is_not_kept():
    served = lab()
    served.lease(A, options={12: b"x\x01y"})
    unsuitable = "(Hostname Unsuitable for Printing)"
    assert served.log[-1] == f"DHCPACK on 10.9.0.10 to 02:00:00:01:00:01 {unsuitable} via wm0"
    assert "client-hostname" not in served.disk.text


def test_variables_of_null_are_none():
    served = lab("on commit { set vdr = option vendor-class-identifier; set one = 1; }\n")
    served.lease(A)
    assert "set one = %1;" in served.disk.text
    assert "vdr" not in served.disk.text


def test_who_informs_gets_what_its_pool_says():
    served = Lab(
        HEAD
        + """authoritative; option domain-name "top";
        subnet 10.9.0.0 netmask 255.255.255.0 {
          pool { range 10.9.0.10; option domain-name "pool"; } }"""
    )
    for addr, domain in (("10.9.0.10", b"pool"), ("10.9.0.77", b"top")):
        reply = served.answer(d.DHCPINFORM, A, ciaddr=inet_aton(addr), asks=(15,))
        assert reply.options[15] == domain
