"""The files of names: samples, slips, and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf.hosts import (
    inet_network,
    parse_hosts,
    parse_networks,
    parse_protocols,
    parse_services,
)

HOSTS = """\
# the box's own
127.0.0.1\tlocalhost localhost.localdomain
::1 localhost6
10.42.0.1 BoxA a    # first
10.42.0.2 BoxB a
nonsense here
10.42.0.3
"""


def test_the_first_line_with_a_name_wins_and_case_does_not_matter():
    hosts = parse_hosts(HOSTS)
    assert hosts.by_name["boxa"] == hosts.by_name["a"] == 0x0A2A0001
    assert hosts.by_name["boxb"] == 0x0A2A0002
    assert hosts.by_addr == {0x7F000001: "localhost", 0x0A2A0001: "BoxA", 0x0A2A0002: "BoxB"}
    assert ("::1", ("localhost6",)) in hosts.lines


@pytest.mark.parametrize(
    ("text", "net"),
    [("127", 127), ("10.1", 0x0A01), ("0x7f.0", 0x7F00), ("010", 8), ("1.2.3.4", 0x01020304)],
)
def test_network_numbers_are_packed_to_the_right(text, net):
    assert inet_network(text) == net


@pytest.mark.parametrize("text", ["", "256", "1.2.3.4.5", "x", "0x", "08", "1..2", "1_0"])
def test_a_bad_network_number_is_refused(text):
    with pytest.raises(ValueError):
        inet_network(text)


def test_services_and_protocols_read_both_ways():
    services = parse_services("domain 53/udp nameserver\ndomain 53/tcp\nbad 99999/tcp\nbad2 7\n")
    assert services.by_name == {
        ("domain", "udp"): 53,
        ("nameserver", "udp"): 53,
        ("domain", "tcp"): 53,
    }
    assert services.by_port == {(53, "udp"): "domain", (53, "tcp"): "domain"}
    assert parse_protocols("tcp 6 TCP\nbig 256\n").by_name == {"tcp": 6, "TCP": 6}
    assert parse_networks("loopback 127\nnone x\n").by_net == {127: "loopback"}


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_parses(text):
    parse_hosts(text)
    parse_networks(text)
    parse_services(text)
    parse_protocols(text)
