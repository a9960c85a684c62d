# Chapter 4 of the guide, addresses: what a box does without a server.

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
