# 6.6 and 6.7: what the checksum and segmentation offload of a driver is set with, and shows.

== 6.6 checksums left to the driver
[BoxA]# io-pkt-v4-hc -d i82544
[BoxA]# ifconfig wm0 10.0.0.1/24
[BoxA]# ifconfig wm0 ip4csum tcp4csum udp4csum
[BoxA]# ifconfig wm0 | grep enabled
	enabled rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	enabled tx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>

== 6.7 segments leave the stack whole
[BoxA]# ifconfig wm0 tso4
[BoxA]# ifconfig wm0 | grep enabled
	enabled rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	enabled tx=27<IP4CSUM,TCP4CSUM,UDP4CSUM,TSO4>
[BoxB]# io-pkt-v4-hc -d i82544
[BoxB]# ifconfig wm0 10.0.0.2/24
[BoxB]# (netpy -c 'import socket; s=socket.create_server(("10.0.0.2", 9)); print("up", flush=True); c=s.accept()[0]; print(len(c.makefile("rb").read()), flush=True)' >/tmp/sink 2>&1 &)
[BoxB]# until grep -q up /tmp/sink; do sleep 0.1; done
[BoxA]# netpy -c 'import socket; c=socket.create_connection(("10.0.0.2", 9)); c.sendall(bytes(4000000)); c.close()'
[BoxB]# until grep -q 4000000 /tmp/sink; do sleep 0.1; done; tail -n 1 /tmp/sink
4000000
[BoxA]# p=$(ifconfig -v wm0 | sed -n 's/^.output: \([0-9]*\) packets.*/\1/p'); test $p -lt 1400 && echo fewer frames than segments
fewer frames than segments
[BoxA]# ifconfig wm0 -tso4
[BoxA]# ifconfig wm0 | grep 'enabled tx'
	enabled tx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
