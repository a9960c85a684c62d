# Chapter 4 of the guide: ad hoc networks.
#! box AdA abc:air0
#! box AdB abc:air0

== 4.3 ad hoc and back
[AdA]# io-pkt-v4-hc -d abc
[AdA]# ifconfig abc0 mediaopt adhoc
[AdA]# ifconfig abc0 | grep media
	media: IEEE802.11 autoselect adhoc...
[AdA]# ifconfig abc0 -mediaopt adhoc
[AdA]# ifconfig abc0 | grep media
	media: IEEE802.11 autoselect

== 4.5 ad hoc: active when there is a peer
[AdA]# ifconfig abc0 ssid "network name" mediaopt adhoc 10.1.0.1/24 up
[AdA]# sleep 3; ifconfig abc0 | grep status
	status: no network
[AdB]# io-pkt-v6-hc -dabc
[AdB]# ifconfig abc0 ssid "network name" mediaopt adhoc 10.1.0.2/24 up
[AdB]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done
[AdA]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid "network name"
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect adhoc (autoselect mode ... adhoc)
	status: active
	inet 10.1.0.1 netmask 0xffffff00 broadcast 10.1.0.255
[AdA]# ping -c 1 10.1.0.2
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...

== 4.21 addresses where nobody gives any
[AdA]# ifconfig abc0 10.1.0.1 delete
[AdB]# ifconfig abc0 10.1.0.2 delete
[AdA]# mount -Tio-pkt -o ip=169.254.20.20,delay=100 lsm-autoip.so
[AdA]# until ifconfig abc0 | grep -q inet; do sleep 0.1; done; ifconfig abc0 | grep inet
	inet 169.254.20.20 netmask 0xffff0000 broadcast 169.254.255.255

== 4.21 an address that somebody has is not taken
[AdB]# mount -Tio-pkt -o if=abc0,ip=169.254.20.20,delay=100 lsm-autoip.so
[AdB]# until ifconfig abc0 | grep -q inet; do sleep 0.1; done; ifconfig abc0 | grep inet
	inet 169.254... netmask 0xffff0000 broadcast 169.254.255.255
[AdB]# ifconfig abc0 | grep 'inet 169.254.20.20 '
[status 1]
[AdB]# ping -c 1 169.254.20.20
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...

== 4.22 an address by hand
[AdA]# ifconfig abc0 10.0.0.5
[AdA]# route add default 10.0.0.1
add net default: gateway 10.0.0.1
[AdB]# ifconfig abc0 10.0.0.1
[AdA]# ping -c 1 10.0.0.1
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...
