# Chapter 1 of the guide: the stack, its options, its variants.
#! box Board my_board:lan0 my_board:lan0

== 1.1 loopback checksums in the sysctl tree
[BoxA]# io-pkt-v4-hc
[BoxA]# sysctl -a | grep do_loopback_cksum
net.inet.ip.do_loopback_cksum = 0
net.inet.tcp.do_loopback_cksum = 0
net.inet.udp.do_loopback_cksum = 0

== 1.2 a second stack beside the first
[BoxA]# mount -T io-pkt /lib/dll/devnp-i82544.so
[BoxA]# io-pkt-v4-hc -ptcpip prefix=/alt
[BoxA]# SOCK=/alt ifconfig
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33192
	inet 127.0.0.1 netmask 0xff000000
[BoxA]# ifconfig -l
lo0 wm0
[BoxA]# SOCK=/alt ifconfig lo0 127.0.0.9 alias
[BoxA]# ifconfig lo0
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33192
	inet 127.0.0.1 netmask 0xff000000
[BoxA]# io-pkt-v4-hc -ptcpip prefix=/alt
io-pkt-v4-hc: unable to attach /alt/dev/socket: Resource busy
[status 1]
[BoxA]# io-pkt-v4-hc
io-pkt-v4-hc: unable to attach /dev/socket: Resource busy
[status 1]

== 1.3 priority of the receive threads
[Prio]# io-pkt-v4 -ptcpip rx_pulse_prio=50
[Prio]# pidin -p io-pkt-v4 -F "%h %p" | grep '#0x00'
io-pkt#0x00 ...50...

== 1.4 a priority for each interface
[Board]# io-pkt-v4 -t2 -dmy_board syspage=1,priority=20,pci=0 -dmy_board syspage=1,priority=50,pci=1
[Board]# ifconfig -l
lo0 my_board0 my_board1
[Board]# pidin -p io-pkt-v4 -F "%h %p" | grep '#0x'
io-pkt#0x00 ...20...
io-pkt#0x01 ...50...
[Few]# io-pkt-v4 -t1 -dmy_board syspage=1,priority=20 -dmy_board syspage=1,priority=50
[Few]# sloginfo | grep ignored
... my_board1: priority=50 ignored: 1 stack thread for 2 interfaces
[Few]# pidin -p io-pkt-v4 -F "%h %p" | grep '#0x'
io-pkt#0x00 ...21...

== 1.5 what the reduced variant lacks
[Small]# io-pkt-v4 -d abc
[Small]# sloginfo | grep -c 'unknown symbol'
...
[Small]# ifconfig abc0
ifconfig: SIOCGIFFLAGS abc0: No such device or address
[status 1]
[Small]# mount -T io-pkt /lib/dll/devnp-abc.so
mount: Can't mount ...
mount: Possible reason: Can't access shared library
[status 1]
[Small]# ifconfig bridge0 create
ifconfig: SIOCIFCREATE: Invalid argument
[status 1]
[Small]# ifconfig gre0 create
ifconfig: SIOCIFCREATE: Invalid argument
[status 1]
[Small]# ifconfig lo0 inet6 ::1
ifconfig: socket: Address family not supported by protocol family
[status 1]

== 1.6 nicinfo without operands
[Nics]# io-pkt-v4-hc -d i82544 -d xyz
[Nics]# nicinfo
wm0: 
  INTEL PRO/1000 Gigabit (Copper) Ethernet Controller
...
nicinfo: xyz0: Operation not supported
[status 1]
[Nics]# nicinfo wm0 | head -n 1
wm0:
