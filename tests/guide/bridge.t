# Chapter 4 of the guide: acting as a bridge, with two wired members.
#! box AP i82544:lan0 i82544:lan1
#! box Left i82544:lan0
#! box Right i82544:lan1

== 4.15 a bridge
[AP]# io-pkt-v4-hc -d i82544
[AP]# ifconfig wm0 up
[AP]# ifconfig wm1 up
[AP]# ifconfig bridge0 create
[AP]# brconfig bridge0 add wm1 add wm0 up
[AP]# brconfig bridge0
bridge0: flags=41<UP,RUNNING>
	Configuration:
		priority 32768 hellotime 2 fwddelay 15 maxage 20
	Interfaces:
		wm0 flags=3<LEARNING,DISCOVER>
			port 2 priority 128
		wm1 flags=3<LEARNING,DISCOVER>
			port 3 priority 128
	Address cache (max cache: 100, timeout: 1200):
[AP]# ifconfig wm0
wm0: flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1500
...
[Left]# io-pkt-v4-hc -d i82544
[Left]# ifconfig wm0 10.0.0.1/24
[Right]# io-pkt-v4-hc -d i82544
[Right]# ifconfig wm0 10.0.0.2/24
[Left]# ping -c 2 -i 0.2 10.0.0.2
PING 10.0.0.2 (10.0.0.2): 56 data bytes
64 bytes from 10.0.0.2: icmp_seq=0 ttl=255 time=... ms
64 bytes from 10.0.0.2: icmp_seq=1 ttl=255 time=... ms

----10.0.0.2 PING Statistics----
2 packets transmitted, 2 packets received, 0.0% packet loss
...
[AP]# brconfig bridge0
bridge0: flags=41<UP,RUNNING>
	Configuration:
		priority 32768 hellotime 2 fwddelay 15 maxage 20
	Interfaces:
		wm0 flags=3<LEARNING,DISCOVER>
			port 2 priority 128
		wm1 flags=3<LEARNING,DISCOVER>
			port 3 priority 128
	Address cache (max cache: 100, timeout: 1200):
		... wm1 1... flags=0<>
		... wm0 1... flags=0<>

== 4.15 an address to manage the bridge by
[AP]# ifconfig wm0 10.0.0.3/24
[Left]# ping -c 1 10.0.0.3
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...
[Right]# ping -c 1 10.0.0.3
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...

== 4.15 mistakes, and the end
[AP]# brconfig bridge0 add bridge0
brconfig: add bridge0: Invalid argument
[status 1]
[AP]# brconfig wm0
brconfig: wm0 is not a bridge
[status 1]
[AP]# ifconfig wm1 destroy
[AP]# brconfig bridge0 addr
	... wm0 1... flags=0<>
[AP]# ifconfig bridge0 destroy
[AP]# ifconfig -l
lo0 wm0
[Reduced]# io-pkt-v4 -d i82544
[Reduced]# ifconfig bridge0 create
ifconfig: SIOCIFCREATE: Invalid argument
[status 1]
[Reduced]# ifconfig gre0 create
ifconfig: SIOCIFCREATE: Invalid argument
[status 1]
