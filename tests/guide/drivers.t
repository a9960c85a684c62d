# Chapter 6 of the guide: network drivers.
#! box Two i82544:lan0 i82544:lan0 e1000:lan0
#! box Hw i82544:lan1,irq=11 i82544:lan1,irq=11 speedo:lan1,irq=9

== 6.1 loading drivers
[BoxA]# slogger
[BoxA]# io-pkt-v4-hc -di82544
[BoxA]# mount -Tio-pkt /lib/dll/devnp-i82544.so
[BoxA]# mount -Tio-net /lib/dll/devnp-i82544.so
[BoxA]# ifconfig -l
lo0 wm0 wm1 wm2
[Two]# io-pkt-v4-hc -di82544
[Two]# ifconfig -l
lo0 wm0 wm1
[Two]# mount -Tio-pkt devnp-e1000.so
[Two]# ifconfig -l
lo0 wm0 wm1 wm2
[Two]# mount -Tio-pkt devnp-e1000.so
mount: Can't mount ...
mount: Possible reason: No such device
[status 1]

== 6.2 taking one away
[BoxA]# ifconfig wm1 destroy
[BoxA]# ifconfig -l
lo0 wm0 wm2
[BoxA]# ifconfig wm1
ifconfig: SIOCGIFFLAGS wm1: No such device or address
[status 1]
[BoxA]# ifconfig wm2 destroy
[BoxA]# ifconfig wm0 destroy
[BoxA]# sloginfo | grep unloaded
... devnp-i82544.so: unloaded

== 6.3 a legacy driver
[Old]# io-pkt-v4-hc -d tulip
[Old]# ifconfig -l
lo0 en0
[Old]# ls /dev/io-net
en0
[Old]# ifconfig en0 media 100baseTX
ifconfig: SIOCSIFMEDIA: Operation not supported
[status 1]
[Old]# ifconfig en0 mtu 8100
ifconfig: SIOCSIFMTU: Invalid argument
[Old]# sloginfo | grep shim
... devn-tulip.so: loaded through devnp-shim.so

== 6.4 waiting for an interface
[Old]# if_up -p en0
[Old]# waitfor /dev/io-net/en0
[Old]# umount /dev/io-net/en0
[Old]# ifconfig -l
lo0
[Old]# ls /dev/io-net
[BoxA]# mount -Tio-pkt devnp-i82544.so
[BoxA]# if_up -p wm0
[BoxA]# if_up -r 1 wm0
[status 1]
[BoxA]# waitfor /dev/io-net/wm0 0.2
Unable to access "/dev/io-net/wm0" (2)
[status 1]

== 6.5 trouble
[BoxA]# ifconfig wm0 10.0.0.1/24
[BoxA]# nicinfo wm0
wm0: 
  INTEL PRO/1000 Gigabit (Copper) Ethernet Controller
  Link is up
...
  Current Operation Rate ..................... 1000.00 Mb/s full-duplex
...
  Packets Transmitted OK ..................... ...
...
[BoxA]# netstat -I wm0
Name  Mtu   Network       Address              Ipkts Ierrs    Opkts Oerrs Colls
wm0   1500  <Link>        ...
wm0   1500  10.0.0/24     10.0.0.1  ...
[BoxA]# ifconfig -v wm0
wm0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
...
	input: ... packets, ... bytes
	output: ... packet..., ... bytes...
	inet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255
[HOST]# lab cable BoxA:wm0 down
...
[BoxA]# ifconfig wm0
wm0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
...
	status: no carrier
...
[BoxA]# nicinfo wm0 | grep Link
  Link is DOWN
[HOST]# lab cable BoxA:wm0 up
...
[BoxA]# ifconfig wm0 down
[BoxA]# ifconfig wm0
wm0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500
...
	status: no carrier
...
[Loud]# io-pkt-v4-hc -d i82544 verbose=10
[Loud]# ifconfig wm0 up
[Loud]# sloginfo | grep 'wm0: tx' | head -n 1
...

== 6.6 jumbo frames and checksums
[JumboA]# io-pkt-v6-hc -d i82544 -p tcpip pagesize=8192,mclbytes=8192
[JumboA]# ifconfig wm0 ip4csum tcp4csum udp4csum
[JumboA]# ifconfig wm0 mtu 8100
[JumboA]# ifconfig wm0 10.42.110.237
[JumboB]# io-pkt-v4-hc -d i82544
[JumboB]# ifconfig wm0 mtu 8100
[JumboB]# ifconfig wm0 10.42.110.238
[JumboA]# ifconfig wm0
wm0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 8100
	capabilities rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	capabilities tx=3f<IP4CSUM,TCP4CSUM,UDP4CSUM,TCP6CSUM,UDP6CSUM,TSO4>
	enabled rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	enabled tx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	address: ...
	media: Ethernet autoselect (1000baseT full-duplex)
	status: active
	inet 10.42.110.237 netmask 0xff000000 broadcast 10.255.255.255
[JumboB]# ping -c 1 -s 8072 10.42.110.237
PING 10.42.110.237 (10.42.110.237): 8072 data bytes
8080 bytes from 10.42.110.237: icmp_seq=0 ttl=... time=... ms
...
[JumboA]# netstat -s -p ip | grep -c 'fragments received'
...
[JumboA]# netstat -s -p ip | grep 'fragments received'
	0 fragments received

== 6.8 threads
[Usb]# io-pkt-v4 -t1 -d asix
[Usb]# pidin -p io-pkt-v4 thread
     pid name               thread name          STATE       Blocked
...io-pkt-v4 ...io-pkt main ...SIGWAITINFO...
...io-pkt-v4 ...io-pkt#0x00 ...RECEIVE ...1
...io-pkt-v4 ...asixx Rx ...RECEIVE ...22

== 6.9 interrupts
[Hw]# io-pkt-v4-hc -d i82544 -d speedo
[Hw]# pci -v | grep -i interrupt
...11...
...
