# Chapter 4 of the guide: wireless networks, open and with WEP.
#! box AP abc:air0 xyz:lan0
#! box Sta abc:air0
#! box Old abc:air1

== 4.2 the smallest stack has no 802.11 layer
[Old]# slogger
[Old]# io-pkt-v4 -d abc
...
[Old]# sloginfo | grep nresolved
...
[Old]# ifconfig abc0
ifconfig: SIOCGIFFLAGS abc0: No such device or address
[status 1]

== 4.14 a radio and a wire
[AP]# io-pkt-v4-hc -d /lib/dll/devnp-abc.so -d /lib/dll/devnp-xyz.so
[AP]# ifconfig -l
lo0 abc0 xyz0
[AP]# ifconfig abc0
abc0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500
	ssid ""
	powersave off
	address: ...
	media: IEEE802.11 autoselect
	status: no network

== 4.16 an access point, step by step
[AP]# ifconfig abc0 mediaopt hostap
[AP]# ifconfig -m abc0
abc0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500
	ssid "" apbridge
	powersave off
...
	media: IEEE802.11 autoselect hostap (autoselect mode 11b hostap)
	status: no network
	supported IEEE802.11 media:
		media autoselect
...
		media OFDM54 mode 11g mediaopt hostap
...
[AP]# ifconfig abc0 media OFDM54 mediaopt hostap
[AP]# ifconfig abc0 ssid "my lan"
[AP]# ifconfig abc0 nwkey corpseckey456
[AP]# ifconfig abc0 up
[AP]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid "my lan" apbridge nwkey corpseckey456
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 OFDM54 hostap (OFDM54 mode 11g hostap)
	status: active

== 4.16 all on one line
[AP]# ifconfig abc0 down media autoselect
[AP]# ifconfig abc0 ssid "" -nwkey
[AP]# ifconfig abc0 -mediaopt hostap
[AP]# ifconfig abc0
abc0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500
	ssid ""
	powersave off
	address: ...
	media: IEEE802.11 autoselect
	status: no network
[AP]# ifconfig abc0 ssid "my lan" nwkey corpseckey456 mediaopt hostap up
[AP]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid "my lan" apbridge nwkey corpseckey456
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect hostap (autoselect mode 11b hostap)
	status: active
[AP]# ifconfig abc0 10.0.0.1/24

== 4.1 who is there
[Sta]# slogger
[Sta]# io-pkt-v4-hc -d abc
[Sta]# ifconfig abc0 scan
ifconfig: The interface must be up before scanning.
[status 1]
[Sta]# ifconfig abc0 up
[Sta]# ifconfig abc0 scan
SSID                              BSSID              CHAN RATE  S:N     INT CAPS
my lan                            ...  11M ...  100 EP...
[Sta]# wlanctl abc0
abc0: mac ... bss ...
	node flags 0004<scan>
	ess <my lan>
	chan ... freq ...MHz flags ...
	capabilities ...<ess,privacy...>
	beacon-interval 100 TU tsft ... us
	rates ...
	assoc-id 0 assoc-failed 0 inactivity ...s
	rssi ... txseq 0 rxseq ...

== 4.7 a client with WEP
[Sta]# ifconfig abc0 ssid "my lan" nwkey corpseckey456 up
[Sta]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid "my lan" nwkey corpseckey456
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect (DS11 mode 11b)
	status: active
[Sta]# ifconfig abc0 10.0.0.2/24
[Sta]# ping -c 2 -i 0.2 10.0.0.1
PING 10.0.0.1 (10.0.0.1): 56 data bytes
64 bytes from 10.0.0.1: icmp_seq=0 ttl=255 time=... ms
64 bytes from 10.0.0.1: icmp_seq=1 ttl=255 time=... ms

----10.0.0.1 PING Statistics----
2 packets transmitted, 2 packets received, 0.0% packet loss
...
[AP]# wlanctl abc0
abc0: mac ... bss ...
	node flags 0002<sta>
	ess <my lan>
...
[Sta]# ifconfig abc0 nwkey shorty
ifconfig: SIOCS80211NWKEY: Invalid argument
[Sta]# ifconfig abc0 nwkey 0x636f727073
[Sta]# ifconfig abc0 | grep nwkey
	ssid "my lan" nwkey corps
[Sta]# ifconfig abc0 nwkey 2:abcde,corpseckey456,0x0102030405,
[Sta]# ifconfig abc0 | grep nwkey
	ssid "my lan" nwkey 2:abcde,corpseckey456,0x0102030405,""

== 4.8 a wrong key: active, and nothing passes
[Sta]# ifconfig abc0 ssid "my lan" nwkey anotherkey456
[Sta]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0 | grep -e nwkey -e status
	ssid "my lan" nwkey anotherkey456
	status: active
[Sta]# ping -c 1 -w 1 10.0.0.1
PING 10.0.0.1 (10.0.0.1): 56 data bytes

----10.0.0.1 PING Statistics----
1 packets transmitted, 0 packets received, 100.0% packet loss
[status 2]
[AP]# ifconfig -v abc0 | grep 'wep processing failed'
	rx wep processing failed: ...

== 4.4 an open network
[AP]# ifconfig abc0 ssid "network name" -nwkey media autoselect mode 11g mediaopt hostap
[AP]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done
[Sta]# ifconfig abc0 ssid "network name" -nwkey
[Sta]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid "network name"
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect (OFDM36 mode 11g)
	status: active
	inet 10.0.0.2 netmask 0xffffff00 broadcast 10.0.0.255
[Sta]# ping -c 1 10.0.0.1
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...

== 4.19 debugging
[Sta]# sysctl -a | grep 80211
...
net.link.ieee80211.debug = 0
...
net.link.ieee80211.vap0.debug = 0
...
[Sta]# sysctl -w net.link.ieee80211.debug = 1
net.link.ieee80211.debug: 0 -> 1
[Sta]# sysctl -w net.link.ieee80211.vap0.debug=0xffffffff
net.link.ieee80211.vap0.debug: 0 -> -1
[Sta]# ifconfig abc0 list scan
SSID                              BSSID              CHAN RATE  S:N     INT CAPS
network name                      ...  54M ...  100 E...
[Sta]# sysctl -w net.link.ieee80211.vap0.debug=0
net.link.ieee80211.vap0.debug: -1 -> 0
[Sta]# sloginfo | grep -c 'abc0: begin active scan'
1
