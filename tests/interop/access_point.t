# The guide's access point, end to end: WEP on the air, addresses by dhcpd, NAT to the wired side, where
# the Linux kernel stands behind a TAP and serves a file. Needs root; test_access_point.py plays it.
#! box AP abc:air0 i82544:lan0
#! box Client abc:air0

== the wired side
[HOST]# lab tap lan0 --netns $NETNS --ifname t0 --address 192.0.2.2/24
...
[HOST]# ip netns exec $NETNS python3 -m http.server 8000 -b 192.0.2.2 -d $PAGES >$PAGES/log 2>&1 & echo $! >$PAGES/pid

== the access point
[AP]# io-pkt-v4-hc -d abc -d i82544
[AP]# ifconfig wm0 192.0.2.1/24
[AP]# sysctl -w net.inet.ip.forwarding=1
net.inet.ip.forwarding: 0 -> 1
[AP]# ifconfig abc0 mediaopt hostap
[AP]# ifconfig abc0 ssid MY_WIRELESS_NET nwkey MYWIRELESSWEP
[AP]# ifconfig abc0 10.42.0.1 up
[AP]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done
[AP]# ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid MY_WIRELESS_NET apbridge nwkey MYWIRELESSWEP
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect hostap (autoselect mode 11b hostap)
	status: active
	inet 10.42.0.1 netmask 0xff000000 broadcast 10.255.255.255

== addresses for its clients
[AP]# printf 'subnet 10.42.0.0 netmask 255.255.255.0 {\n  range 10.42.0.2 10.42.0.120;\n  option routers 10.42.0.1;\n  option domain-name-servers 192.0.2.2;\n}\n' >/etc/dhcpd.conf
[AP]# mkdir -p /var/state/dhcp; : >/etc/dhcpd.leases
[AP]# dhcpd -q -cf /etc/dhcpd.conf -lf /etc/dhcpd.leases abc0

== NAT
[AP]# mount -Ttcpip lsm-pfv4.so
[AP]# echo 'nat on wm0 from 10.42.0.0/24 to any -> (wm0)' >/etc/pf.conf
[AP]# pfctl -ef /etc/pf.conf
pf enabled

== a client takes an address
[Client]# io-pkt-v4-hc -d abc
[Client]# ifconfig abc0 ssid MY_WIRELESS_NET nwkey MYWIRELESSWEP up
[Client]# until ifconfig abc0 | grep -q 'status: active'; do sleep 0.1; done
[Client]# dhcp.client -i abc0
[Client]# until ifconfig abc0 | grep -q 'inet 10'; do sleep 0.1; done
[Client]# ifconfig abc0
abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ssid MY_WIRELESS_NET nwkey MYWIRELESSWEP
	powersave off
	bssid ... chan ...
	address: ...
	media: IEEE802.11 autoselect (DS11 mode 11b)
	status: active
	inet 10.42.0... netmask 0xffffff00 broadcast 10.42.0.255
[Client]# netstat -rn | grep default
default            10.42.0.1          UGS ...
[Client]# grep ^nameserver /etc/resolv.conf
nameserver 192.0.2.2
[AP]# grep -c 'binding state active' /etc/dhcpd.leases
1

== what the client fetches is translated on its way
[AP]# (tcpdump -n -c 2 -i abc0 'tcp[tcpflags] & tcp-syn != 0' >/tmp/ap.air 2>/tmp/ap.err1 &); (tcpdump -n -c 2 -i wm0 'tcp[tcpflags] & tcp-syn != 0' >/tmp/ap.wire 2>/tmp/ap.err2 &)
[AP]# until grep -q listening /tmp/ap.err1 && grep -q listening /tmp/ap.err2; do sleep 0.1; done
[Client]# netpy -c 'import urllib.request as u; print(u.urlopen("http://192.0.2.2:8000/page").read() == b"x" * 300000)'
True
[AP]# until grep -q 'dropped by' /tmp/ap.err1 && grep -q 'dropped by' /tmp/ap.err2; do sleep 0.1; done; cat /tmp/ap.air /tmp/ap.wire
... IP 10.42.0.2... > 192.0.2.2.8000: Flags [S], seq ...
... IP 192.0.2.2.8000 > 10.42.0.2...: Flags [S.], seq ...
... IP 192.0.2.1... > 192.0.2.2.8000: Flags [S], seq ...
... IP 192.0.2.2.8000 > 192.0.2.1...: Flags [S.], seq ...
[HOST]# grep -o '^192.*GET[^"]*' $PAGES/log
192.0.2.1 - - [...] "GET /page HTTP/1.1
[AP]# pfctl -s state
all tcp 10.42.0.2:... -> 192.0.2.1:... -> 192.0.2.2:8000       ...:...
...
[AP]# wlanctl abc0
...
abc0: mac ... bss ...
	node flags 0002<sta>
	ess <MY_WIRELESS_NET>
	chan ...
...
[AP]# kill $(cat /var/run/dhcpd.pid); pfctl -d
pf disabled

== the same with a bridge: one broadcast domain
[AP]# ifconfig abc0 10.42.0.1 delete
[AP]# ifconfig bridge0 create
[AP]# brconfig bridge0 add abc0 add wm0 up
[AP]# ifconfig abc0
abc0: flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1500
	ssid MY_WIRELESS_NET apbridge nwkey MYWIRELESSWEP
...
[Client]# ifconfig abc0 192.0.2.3/24
[Client]# netpy -c 'import urllib.request as u; print(u.urlopen("http://192.0.2.2:8000/page").read() == b"x" * 300000)'
True
[HOST]# tail -1 $PAGES/log
192.0.2.3 - - [...] "GET /page HTTP/1.1" 200 -
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
