# The session of `make demo`: two hosts on one wire, each command a process of its own.

== BoxA comes up
[BoxA]# slogger
[BoxA]# io-pkt-v4-hc -d i82544
[BoxA]# ifconfig
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33192
	inet 127.0.0.1 netmask 0xff000000
wm0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500
	capabilities rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	capabilities tx=3f<IP4CSUM,TCP4CSUM,UDP4CSUM,TCP6CSUM,UDP6CSUM,TSO4>
	enabled=0
	address: ...
	media: Ethernet autoselect
	status: no carrier
[BoxA]# ifconfig wm0 10.0.0.1 netmask 255.255.255.0
[BoxA]# ifconfig wm0
wm0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	capabilities rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	capabilities tx=3f<IP4CSUM,TCP4CSUM,UDP4CSUM,TCP6CSUM,UDP6CSUM,TSO4>
	enabled=0
	address: ...
	media: Ethernet autoselect (1000baseT full-duplex)
	status: active
	inet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255

== BoxB comes up on the same wire
[BoxB]# io-pkt-v4-hc -d i82544
[BoxB]# ifconfig wm0 10.0.0.2/24
[BoxB]# if_up wm0

== they talk
[BoxA]# ping -c 3 10.0.0.2
PING 10.0.0.2 (10.0.0.2): 56 data bytes
64 bytes from 10.0.0.2: icmp_seq=0 ttl=... time=... ms
64 bytes from 10.0.0.2: icmp_seq=1 ttl=... time=... ms
64 bytes from 10.0.0.2: icmp_seq=2 ttl=... time=... ms

----10.0.0.2 PING Statistics----
3 packets transmitted, 3 packets received, 0.0% packet loss
round-trip min/avg/max/stddev = .../.../.../... ms
[BoxA]# arp -an
...
? (10.0.0.2) at ... on wm0
...
[BoxA]# route -n show
Routing tables

Internet:
Destination        Gateway            Flags    Refs      Use    Mtu  Interface
10.0.0/24          link#2 ...
10.0.0.2 ...
...

== a frame of 3000 octets crosses in fragments, one of 8000 whole
[BoxB]# ping -c 1 -s 3000 10.0.0.1
PING 10.0.0.1 (10.0.0.1): 3000 data bytes
3008 bytes from 10.0.0.1: icmp_seq=0 ttl=... time=... ms
...
[BoxB]# netstat -s -p ip | grep fragment
...
	... fragments received
...
[BoxA]# ifconfig wm0 mtu 8100
[BoxB]# ifconfig wm0 mtu 8100
[BoxB]# ping -c 1 -s 8000 10.0.0.1
PING 10.0.0.1 (10.0.0.1): 8000 data bytes
8008 bytes from 10.0.0.1: icmp_seq=0 ttl=... time=... ms
...

== errors are the original's
[BoxA]# ifconfig wm9
ifconfig: SIOCGIFFLAGS wm9: No such device or address
[status 1]
[BoxA]# route add default 192.168.7.1
route: writing to routing socket: Network is unreachable
add net default: gateway 192.168.7.1: Network is unreachable
[status 1]
[BoxA]# sloginfo
Time             Sev Major Minor Args
...
