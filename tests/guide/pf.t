# Chapter 2 of the guide: packet filtering.

== 2.1 before the module is there
[BoxA]# io-pkt-v4-hc -di82544
[BoxA]# ls /dev/pf
ls: ...
[status 2]
[BoxA]# pfctl -e
pfctl: /dev/pf: No such file or directory
[status 1]

== 2.2 the module makes the device, pfctl switches the filter on and off
[BoxA]# mount -Tio-pkt /lib/dll/lsm-pf-v4.so
[BoxA]# ls /dev/pf
/dev/pf
[BoxA]# ifconfig pflog0
pflog0: flags=0... mtu 33192
[BoxA]# pfctl -e
pf enabled
[BoxA]# pfctl -e
pfctl: pf already enabled
[status 1]
[BoxA]# pfctl -d
pf disabled
[BoxA]# pfctl -d
pfctl: pf not enabled
[status 1]
[BoxA]# mount -Tio-pkt /lib/dll/lsm-pf-v4.so
mount: Can't mount ...
mount: Possible reason: Operation already in progress...
[status 1]
[BoxA]# mount -Tio-pkt /lib/dll/lsm-pf-v6.so
mount: Can't mount ...
mount: Possible reason: Can't access shared library...
[status 1]

== 2.2 at start, and by the name that people paste
[AtStart]# io-pkt-v4-hc -di82544 -ppf-v4
[AtStart]# waitfor /dev/pf
[AtStart]# pfctl -e
pf enabled
[Pasted]# io-pkt-v4-hc
[Pasted]# mount -Ttcpip lsm-pfv4.so
[Pasted]# pfctl -e
pf enabled
[Older]# io-pkt-v4-hc
[Older]# mount -Tio-pkt -o dialect=38 lsm-pf-v4.so
mount: Can't mount ...
mount: Possible reason: Invalid argument...
[status 1]
[Older]# mount -Tio-pkt -o dialect=37 lsm-pf-v4.so
[Older]# echo pass | pfctl -ef -
pf enabled
[Older]# pfctl -sr
pass all

== 2.2 a filter between two boxes
[BoxA]# ifconfig wm0 10.0.0.1/24
[BoxB]# io-pkt-v4-hc -di82544
[BoxB]# ifconfig wm0 10.0.0.2/24
[BoxB]# ping -q -c 1 10.0.0.1 | grep -c ' 0.0% packet loss'
1
[BoxA]# echo 'block in proto icmp' | pfctl -ef -
pf enabled
[BoxB]# ping -q -c 1 -w 1 10.0.0.1 | grep -c '100.0% packet loss'
1
[BoxA]# pfctl -d
pf disabled
[BoxB]# ping -q -c 1 10.0.0.1 | grep -c ' 0.0% packet loss'
1
[BoxA]# pfctl -sr
block drop in proto icmp all

== 2.2 a rule that the module refuses, after many that it takes
[BoxA]# (for n in $(seq 200); do echo "pass in proto tcp to port $n"; done; echo 'pass out rtable 7') | pfctl -f -
pfctl: DIOCADDRULE: Resource busy
[status 1]
[BoxA]# pfctl -sr
block drop in proto icmp all
[BoxA]# (for n in $(seq 200); do echo "pass in proto tcp from 10.0.0.$n to port $n"; done) | pfctl -o none -f -
[BoxA]# pfctl -sr | wc -l
200
