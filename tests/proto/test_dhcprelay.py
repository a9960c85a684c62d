"""The relay's core: what it makes of requests and replies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.proto.dhcprelay import Circuit, Relay, RelayConf, ToClient, ToServer
from libnet.wire.dhcp import BOOTP_BROADCAST, Dhcp, suboptions

GATEWAY, SERVER, CLIENT = 0x0A2A2A01, 0x0A4D0402, 0x0A2A2A64
MAC = bytes.fromhex("0200000c0101")
CIRCUITS = [Circuit("abc0", bytes.fromhex("0200000c0201"), (GATEWAY,)), Circuit("wm0", MAC, (7,))]


def _message(op=1, *, giaddr=0, hops=0, flags=0, yiaddr=0, options=None):
    options = {53: b"\x01"} if options is None else options
    return Dhcp(
        op, 1, 6, hops, 0x1234, 0, flags, 0, yiaddr, 0, giaddr, MAC, b"", b"", options
    ).build()


def _request(octets, **conf):
    relay = Relay(RelayConf([SERVER], **conf), CIRCUITS)
    relay.request_input(octets, "abc0")
    return relay, relay.take_output()


def _reply(octets, **conf):
    relay = Relay(RelayConf([SERVER], **conf), CIRCUITS)
    relay.reply_input(octets)
    return relay, relay.take_output()


def test_a_request_goes_to_every_server_with_our_address():
    relay = Relay(RelayConf([SERVER, 9]), CIRCUITS)
    relay.request_input(_message(), "abc0")
    output = relay.take_output()
    assert [(item.src, item.dst) for item in output] == [(GATEWAY, SERVER), (GATEWAY, 9)]
    assert output[0].octets == _message(giaddr=GATEWAY, hops=1)
    assert output[0].text == "forwarded BOOTREQUEST for 02:00:00:0c:01:01 to 10.77.4.2"


def test_the_first_relay_stays_the_one_to_answer_to():
    _relay, (item,) = _request(_message(giaddr=0x0B000001, hops=1))
    assert item.octets == _message(giaddr=0x0B000001, hops=2)


def test_what_has_come_too_far_or_from_ourselves_is_dropped():
    assert _request(_message(hops=9))[1] != []
    assert _request(_message(hops=10))[0].dropped == {"hops": 1}
    assert _request(_message(hops=4), hops=4)[1] == []
    assert _request(_message(giaddr=GATEWAY, hops=1))[0].dropped == {"own": 1}


def test_a_reply_goes_to_the_client_itself_or_to_all():
    _relay, (item,) = _reply(_message(2, giaddr=GATEWAY, yiaddr=CLIENT))
    assert (item.ifname, item.src, item.dst, item.mac) == ("abc0", GATEWAY, CLIENT, MAC)
    assert item.text == "forwarded BOOTREPLY for 02:00:00:0c:01:01 to 10.42.42.100"
    octets = _message(2, giaddr=GATEWAY, yiaddr=CLIENT, flags=BOOTP_BROADCAST)
    _relay, (item,) = _reply(octets)
    assert (item.dst, item.mac) == (0xFFFFFFFF, b"\xff" * 6)
    _relay, (item,) = _reply(_message(2, giaddr=GATEWAY))  # a NAK has no address to go to
    assert item.dst == 0xFFFFFFFF


def test_a_forged_giaddr_goes_nowhere():
    relay, output = _reply(_message(2, giaddr=0x01020304, yiaddr=CLIENT))
    assert output == []
    assert relay.take_log() == ["packet to bogus giaddr 1.2.3.4."]


def test_the_option_is_added_and_taken_out_again():
    relay, (item,) = _request(_message(), agent=True)
    assert relay.take_log() == ["Adding 8-byte relay agent option"]
    assert len(item.octets) == len(_message())
    options = Dhcp.parse(item.octets).options
    assert list(options) == [53, 82]
    assert suboptions(options[82]) == {1: b"abc0"}
    octets = _message(2, giaddr=GATEWAY, yiaddr=CLIENT, options=options)
    _relay, (item,) = _reply(octets, agent=True)
    assert 82 not in Dhcp.parse(item.octets).options
    _relay, (item,) = _reply(octets)  # without -a the option is not ours to take
    assert item.octets == octets


def test_the_circuit_says_where_a_reply_belongs():
    octets = _message(2, giaddr=GATEWAY, yiaddr=CLIENT, options={82: b"\x01\x03wm0"})
    assert _reply(octets, agent=True)[1][0].ifname == "wm0"
    missing = _message(2, giaddr=GATEWAY, yiaddr=CLIENT)
    assert _reply(missing, agent=True)[1] != []
    assert _reply(missing, agent=True, drop=True)[0].dropped == {"no-circuit": 1}
    strange = _message(2, giaddr=GATEWAY, yiaddr=CLIENT, options={82: b"\x01\x03xx9"})
    assert _reply(strange, agent=True, drop=True)[0].dropped == {"circuit": 1}


def test_the_four_ways_with_an_option_that_is_there():
    octets = _message(giaddr=5, hops=1, options={53: b"\x01", 82: b"\x02\x01r"})

    def value(mode):
        _relay, output = _request(octets, agent=True, mode=mode)
        return [Dhcp.parse(item.octets).options[82] for item in output]

    assert value("append") == [b"\x02\x01r\x01\x04abc0"]
    assert value("replace") == [b"\x01\x04abc0"]
    assert value("forward") == [b"\x02\x01r"]
    assert value("discard") == []


def test_a_client_that_plays_relay_is_not_heard():
    octets = _message(options={53: b"\x01", 82: b"\x01\x04abc0"})
    assert _request(octets, agent=True)[0].dropped == {"spoofed": 1}


def test_without_room_the_option_stays_out():
    octets = _message(options={53: b"\x01", 60: b"x" * 250, 61: b"y" * 60})
    _relay, (item,) = _request(octets, agent=True, length=300)
    assert 82 not in Dhcp.parse(item.octets).options
    _relay, (item,) = _request(octets, agent=True)
    assert 82 in Dhcp.parse(item.octets).options


@given(st.binary(max_size=600), st.binary(max_size=80), st.booleans(), st.sampled_from((1, 2)))
def test_no_octets_upset_it(octets, options, whole, op):
    if whole:
        octets = _message(op, giaddr=GATEWAY)[:240] + options
    relay = Relay(RelayConf([SERVER], agent=True), CIRCUITS)
    relay.request_input(octets, "abc0")
    relay.reply_input(octets)
    for item in relay.take_output():
        assert isinstance(item, ToServer | ToClient)
        assert len(item.octets) >= 236
