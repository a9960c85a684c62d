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
