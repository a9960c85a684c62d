# Chapter 4 of the guide: an access point that bridges, then one that gives addresses and routes.
#! box AP abc:air0 i82544:lan0
#! box Sta abc:air0
#! box Host i82544:lan0

== 4.15 a wireless client reaches a wired host at layer 2
[AP]# io-pkt-v4-hc -d abc -d i82544
[AP]# ifconfig abc0 ssid "my lan" nwkey corpseckey456 mediaopt hostap up
[AP]# ifconfig wm0 up
[AP]# ifconfig bridge0 create
[AP]# brconfig bridge0 add abc0 add wm0 up
[AP]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done; ifconfig abc0
abc0: flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1500
	ssid "my lan" apbridge nwkey corpseckey456
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect hostap (autoselect mode 11b hostap)
	status: active
[Host]# io-pkt-v4-hc -d i82544
[Host]# ifconfig wm0 10.42.0.9/24
[Sta]# io-pkt-v4-hc -d abc
[Sta]# ifconfig abc0 ssid "my lan" nwkey corpseckey456 10.42.0.8/24 up
[Sta]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done
[Sta]# ping -c 2 -i 0.2 10.42.0.9
PING 10.42.0.9 (10.42.0.9): 56 data bytes
64 bytes from 10.42.0.9: icmp_seq=0 ttl=255 time=... ms
64 bytes from 10.42.0.9: icmp_seq=1 ttl=255 time=... ms

----10.42.0.9 PING Statistics----
2 packets transmitted, 2 packets received, 0.0% packet loss
...
[AP]# brconfig bridge0
bridge0: flags=41<UP,RUNNING>
	Configuration:
		priority 32768 hellotime 2 fwddelay 15 maxage 20
	Interfaces:
		wm0 flags=3<LEARNING,DISCOVER>
			port ... priority 128
		abc0 flags=3<LEARNING,DISCOVER>
			port ... priority 128
	Address cache (max cache: 100, timeout: 1200):
		...
		...
[AP]# ifconfig bridge0 destroy
[Sta]# ifconfig abc0 10.42.0.8 delete

== 4.20 and 4.23 the client takes a lease from the access point
[AP]# ifconfig abc0 192.168.20.1
[AP]# printf 'subnet 192.168.20.0 netmask 255.255.255.0 {\n  range 192.168.20.41 192.168.20.254;\n  option routers 192.168.20.1;\n  option domain-name-servers 192.168.20.1;\n  option domain-name "soho.com";\n}\n' >/etc/dhcpd.conf
[AP]# : >/etc/dhcpd.leases
[AP]# dhcpd -q -cf /etc/dhcpd.conf -lf /etc/dhcpd.leases abc0
[Sta]# dhcp.client -i abc0
[Sta]# until ifconfig abc0 | grep -q inet; do sleep 0.1; done; ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid "my lan" nwkey corpseckey456
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect (DS11 mode 11b)
	status: active
	inet 192.168.20.41 netmask 0xffffff00 broadcast 192.168.20.255
[Sta]# netstat -rnf inet | grep default
default            192.168.20.1       UGS...
[Sta]# cat /etc/resolv.conf
domain soho.com
nameserver 192.168.20.1
...

== 4.25 and reaches the wired side through it
[AP]# sysctl -w net.inet.ip.forwarding=1
net.inet.ip.forwarding: 0 -> 1
[AP]# ifconfig wm0 10.42.0.1/24
[AP]# mount -Ttcpip lsm-pfv4.so
[AP]# echo 'nat on wm0 from 192.168.20.0/24 to any -> (wm0)' | pfctl -e -f -
pf enabled
[Sta]# ping -c 1 10.42.0.9
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...
