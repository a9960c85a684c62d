# Chapter 4 of the guide, addresses: with a server, by relay, and without one.

#! box Gate i82544:lan0
#! box Desk i82544:lan0
#! box Other i82544:lan0
#! box Printer i82544:lan0,mac=00:50:ba:85:ea:30
#! box Relay i82544:lan2 i82544:lan3
#! box Far i82544:lan3
#! box Near i82544:lan2

== 4.21 an address where nobody gives one
[AdHoc]# io-pkt-v4-hc -d i82544
[AdHoc]# mount -Tio-pkt -o if=wm0,ip=169.254.20.20,delay=100 lsm-autoip.so
[AdHoc]# if_up -r 20 wm0
[AdHoc]# ifconfig wm0 | grep inet
	inet 169.254.20.20 netmask 0xffff0000 broadcast 169.254.255.255
[AdHoc]# mount -Tio-pkt -o if=wm0 lsm-autoip.so
mount: Can't mount lsm-autoip.so (type io-pkt)
mount: Possible reason: Operation already in progress
[status 1]

== 4.22 set up by hand
[ByHand]# io-pkt-v4-hc -d i82544
[ByHand]# ifconfig wm0 10.0.0.5
[ByHand]# route add default 10.0.0.1
add net default: gateway 10.0.0.1
[ByHand]# netstat -rnf inet | grep default
default            10.0.0.1           UGS...

== 4.23 a gateway without its files
[Gate]# io-pkt-v4-hc -d i82544
[Gate]# ifconfig wm0 192.168.20.1
[Gate]# dhcpd -q -cf /etc/dhcpd.conf wm0
Can't open /etc/dhcpd.conf: No such file or directory

exiting.
[status 1]
[Gate]# printf '%s\n' \
  'ddns-update-style none;' \
  'default-lease-time 86400;' \
  '#max-lease-time 7200;' \
  'subnet 192.168.20.0 netmask 255.255.255.0 {' \
  '    range 192.168.20.41 192.168.20.254;' \
  '    option broadcast-address 192.168.20.255;' \
  '    option routers 192.168.20.1;' \
  '    option domain-name-servers 192.168.20.1;' \
  '    option domain-name "soho.com";' \
  '    host printerserver {' \
  '        hardware ethernet 00:50:BA:85:EA:30;' \
  '        fixed-address 192.168.20.2;' \
  '    }' \
  '    host networkenabledtoaster {' \
  '        hardware ethernet 00:A0:D2:11:AE:81;' \
  '        fixed-address 192.168.20.40;' \
  '    }' \
  '}' >/etc/dhcpd.conf
[Gate]# dhcpd -q -cf /etc/dhcpd.conf wm0
Can't open lease database /var/state/dhcp/dhcpd.leases: No such file or directory --
  check for failed database rewrite attempt!
Please read the dhcpd.leases manual page if you
don't know what to do about this.

exiting.
[status 1]

== 4.24 a relay to the server of the provider
[Far]# io-pkt-v4-hc -d i82544
[Far]# ifconfig wm0 10.42.42.42/24
[Far]# route add -net 10.77.3.0/24 10.42.42.1
add net 10.77.3.0: gateway 10.42.42.1
[Far]# printf '%s\n' \
  'subnet 10.42.42.0 netmask 255.255.255.0 { }' \
  'subnet 10.77.3.0 netmask 255.255.255.0 {' \
  '    range 10.77.3.100 10.77.3.110;' \
  '    option routers 10.77.3.1;' \
  '}' >/etc/dhcpd.conf
[Far]# mkdir -p /var/state/dhcp /var/run; touch /var/state/dhcp/dhcpd.leases
[Far]# dhcpd -q wm0
[Relay]# io-pkt-v4-hc -d i82544
[Relay]# ifconfig wm0 10.77.3.1/24
[Relay]# ifconfig wm1 10.42.42.1/24
[Relay]# sysctl -w net.inet.ip.forwarding=1
net.inet.ip.forwarding: 0 -> 1
[Relay]# dhcrelay -q -i wm0 10.42.42.42
[Near]# io-pkt-v4-hc -d i82544
[Near]# dhcp.client -i wm0

== 4.23 the gateway gives addresses
[Gate]# mkdir -p /var/state/dhcp /var/run
[Gate]# touch /var/state/dhcp/dhcpd.leases
[Gate]# dhcpd -cf /etc/dhcpd.conf wm0
Internet Systems Consortium DHCP Server V3.0.7
...
Wrote 0 leases to leases file.
Listening on BPF/wm0/.../192.168.20.0
Sending on   BPF/wm0/.../192.168.20.0
Sending on   Socket/fallback/fallback-net
[Gate]# dhcpd -q -cf /etc/dhcpd.conf wm0
There's already a DHCP server running.

exiting.
[status 1]
[Printer]# io-pkt-v4-hc -d i82544
[Printer]# dhcp.client -i wm0
[Desk]# io-pkt-v4-hc -d i82544
[Desk]# dhcp.client -i wm0 -u
[Desk]# ifconfig wm0 | grep inet
	inet 192.168.20.41 netmask 0xffffff00 broadcast 192.168.20.255
[Desk]# netstat -rnf inet | grep default
default            192.168.20.1       UGS...
[Desk]# head -2 /etc/resolv.conf
domain soho.com
nameserver 192.168.20.1
[Printer]# if_up -r 30 wm0
[Printer]# ifconfig wm0 | grep inet
	inet 192.168.20.2 netmask 0xffffff00 broadcast 192.168.20.255
[Gate]# cat /var/state/dhcp/dhcpd.leases
...
lease 192.168.20.41 {
  starts ...
  ends ...
  cltt ...
  binding state active;
  next binding state free;
  hardware ethernet ...
...

== 4.20 the client by its other name
[Other]# io-pkt-v4-hc -d i82544
[Other]# mkdir -p /etc/dhcp
[Other]# printf '%s\n' '#!/bin/sh' 'ifconfig wm0 >/tmp/new; mv /tmp/new /tmp/up' >/etc/dhcp/dhcp-up
[Other]# chmod +x /etc/dhcp/dhcp-up
[Other]# dhcpcd -m -iwm0
[Other]# if_up -r 20 wm0
[Other]# ifconfig wm0 | grep inet
	inet 192.168.20.42 netmask 0xffffff00 broadcast 192.168.20.255
[Other]# waitfor /tmp/up 20
[Other]# getconf _CS_RESOLVE
nameserver_192.168.20.1
[Other]# grep inet /tmp/up
	inet 192.168.20.42 netmask 0xffffff00 broadcast 192.168.20.255

== 4.20 the lease is given back
[Desk]# sockstat -4n | grep -c 192.168.20.41.68
1
[Desk]# kill $(sockstat -4n | awk '/192.168.20.41.68/ {print $3}')
[Desk]# while ifconfig wm0 | grep -q inet; do sleep 0.1; done
[Desk]# ifconfig wm0 | grep inet
[status 1]

== 4.23 the server by the client's name
[Gate]# kill $(cat /var/run/dhcpd.pid)
[Gate]# while test -e /var/run/dhcpd.pid; do sleep 0.1; done
[Gate]# dhcpcd -q -cf /etc/dhcpd.conf wm0
[Desk]# dhcp.client -i wm0 -u
[Desk]# ifconfig wm0 | grep inet
	inet 192.168.20.41 netmask 0xffffff00 broadcast 192.168.20.255

== 4.24 the client behind the relay
[Near]# if_up -r 30 wm0
[Near]# ifconfig wm0 | grep inet
	inet 10.77.3.100 netmask 0xffffff00 broadcast 10.77.3.255
[Near]# ping -c 1 10.42.42.42
...
1 packets transmitted, 1 packets received, 0.0% packet loss
...
[Far]# sloginfo | grep -c 'DHCPACK on 10.77.3.100 to .* via 10.77.3.1$'
1

== 4.26 as the guide prints it
[Gate]# printf '%s\n' \
  'subnet 10.42.42.0 netmask 255.255.255.0 {' \
  '    range 10.42.0.2 10.42.0.120;' \
  '}' >/tmp/dhcpd.conf
[Gate]# dhcpd -q -t -cf /tmp/dhcpd.conf
/tmp/dhcpd.conf line 2: address range not on network 10.42.42.0
    range 10.42.0.2 10.42.0.120;
                            ^
bad range, address 10.42.0.2 not in subnet 10.42.42.0 netmask 255.255.255.0

exiting.
[status 1]
