# 4.25, the part of pf: a gateway that hides the network behind it, with two interfaces.
#! box Gateway i82544:lan0 i82544:lan1
#! box Wired i82544:lan0
#! box Client i82544:lan1

== the wired network, and the one behind the gateway
[Gateway]# io-pkt-v4-hc -d i82544
[Gateway]# ifconfig wm0 192.0.2.1/24
[Gateway]# ifconfig wm1 10.42.0.1 netmask 255.255.255.0 up
[Gateway]# sysctl -w net.inet.ip.forwarding=1
net.inet.ip.forwarding: 0 -> 1
[Wired]# io-pkt-v4-hc -d i82544
[Wired]# ifconfig wm0 192.0.2.9/24
[Client]# io-pkt-v4-hc -d i82544
[Client]# ifconfig wm0 10.42.0.7/24
[Client]# route add default 10.42.0.1
add net default: gateway 10.42.0.1
[Client]# ping -q -c 1 -w 1 192.0.2.9 | grep packets
1 packets transmitted, 0 packets received, 100.0% packet loss

== 4.25 the rules of a NAT router
[Gateway]# mount -Ttcpip lsm-pfv4.so
[Gateway]# echo 'nat on wm0 from wm1:network to any -> (wm0)' >/etc/pf.conf
[Gateway]# echo 'rdr on wm0 inet proto tcp from any to (wm0) port 8888 -> 10.42.0.7 port 81' >>/etc/pf.conf
[Gateway]# echo 'block in on wm0' >>/etc/pf.conf
[Gateway]# echo 'pass in on wm0 inet proto tcp from any to 10.42.0.7 port 81' >>/etc/pf.conf
[Gateway]# pfctl -e -f /etc/pf.conf
pf enabled
[Gateway]# pfctl -s nat
nat on wm0 inet from 10.42.0.0/24 to any -> (wm0) round-robin
rdr on wm0 inet proto tcp from any to (wm0) port = 8888 -> 10.42.0.7 port 81
[Gateway]# pfctl -s rules
block drop in on wm0 all
pass in on wm0 inet proto tcp from any to 10.42.0.7 port = 81 flags S/SA keep state

== 4.25 the client reaches a host on the wired side
[Client]# ping -c 1 192.0.2.9 | grep from
64 bytes from 192.0.2.9: icmp_seq=0 ttl=254 time=... ms
[Wired]# (echo hello from the wire | nc -l -v 7 >/tmp/heard 2>&1 &)
[Wired]# until sockstat -ln | grep -q '\*\.7 '; do sleep 0.1; done
[Client]# echo hello from behind | nc 192.0.2.9 7
hello from the wire
[Wired]# grep -c 'from 192.0.2.1 ' /tmp/heard; grep behind /tmp/heard
1
hello from behind
[Gateway]# pfctl -s state | grep tcp
all tcp 10.42.0.7:... -> 192.0.2.1:... -> 192.0.2.9:7       FIN_WAIT_2:FIN_WAIT_2
[Gateway]# pfctl -s state | grep icmp
all icmp 10.42.0.7:... -> 192.0.2.1:... -> 192.0.2.9       0:0
[Wired]# ping -q -c 1 -w 1 10.42.0.7 | grep packets
ping: sendto: No route to host
1 packets transmitted, 0 packets received, 100.0% packet loss

== 4.25 and a server behind it is reached through the gateway's own address
[Client]# (echo page | nc -l 81 >/tmp/asked 2>&1 &)
[Client]# until sockstat -ln | grep -q '\*\.81 '; do sleep 0.1; done
[Wired]# echo GET / | nc 192.0.2.1 8888
page
[Client]# cat /tmp/asked
GET /
[Gateway]# pfctl -s state | grep 8888
all tcp 10.42.0.7:81 <- 192.0.2.1:8888 <- 192.0.2.9:...       FIN_WAIT_2:FIN_WAIT_2
[Gateway]# pfctl -d
pf disabled
[Wired]# nc -w 1 192.0.2.1 8888
[status 1]
