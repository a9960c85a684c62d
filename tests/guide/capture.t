# Chapter 2 of the guide: seeing the packets.

== 2.4 and 2.5 readers of /dev/bpf, each with its own filter
[BoxA]# io-pkt-v4-hc -d i82544
[BoxA]# ifconfig wm0 10.0.0.1/24
[BoxB]# io-pkt-v4-hc -d i82544
[BoxB]# ifconfig wm0 10.0.0.2/24
[BoxA]# ls /dev/bpf
/dev/bpf
[BoxA]# (tcpdump -n -c 4 -i wm0 icmp >/tmp/one 2>/tmp/err1 &); (tcpdump -n -c 2 -i wm0 arp >/tmp/two 2>/tmp/err2 &); (tcpdump -c 6 -w /tmp/w.pcap -i wm0 >/tmp/err3 2>&1 &)
[BoxA]# until grep -q listening /tmp/err1 && grep -q listening /tmp/err2 && grep -q listening /tmp/err3; do sleep 0.1; done
[BoxB]# ping -c 2 -i 0.2 10.0.0.1 | grep received
2 packets transmitted, 2 packets received, 0.0% packet loss
[BoxA]# until grep -q 'dropped by' /tmp/err1 && grep -q 'dropped by' /tmp/err2 && grep -q 'dropped by' /tmp/err3; do sleep 0.1; done; cat /tmp/one /tmp/two
... IP 10.0.0.2 > 10.0.0.1: ICMP echo request, id ..., seq 0, length 64
... IP 10.0.0.1 > 10.0.0.2: ICMP echo reply, id ..., seq 0, length 64
... IP 10.0.0.2 > 10.0.0.1: ICMP echo request, id ..., seq 1, length 64
... IP 10.0.0.1 > 10.0.0.2: ICMP echo reply, id ..., seq 1, length 64
... ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28
... ARP, Reply 10.0.0.1 is-at ..., length 28
[BoxA]# cat /tmp/err1
tcpdump: verbose output suppressed, use -v[v]... for full protocol decode
listening on wm0, link-type EN10MB (Ethernet), snapshot length ... bytes
4 packets captured
... packets received by filter
0 packets dropped by kernel
[BoxA]# tcpdump -nr /tmp/w.pcap 2>/dev/null | wc -l
6
[BoxA]# tcpdump -i wm9
tcpdump: wm9: No such device exists
...
[status 1]
[BoxA]# tcpdump -i wm0 'icmp and and'
tcpdump: ...syntax error...
[status 1]
