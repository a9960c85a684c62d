"""Numbers of <sys/socket.h> and <netinet/in.h>: what both ends of a socket call say."""

from __future__ import annotations

from typing import Final

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3

SOL_SOCKET: Final = 0xFFFF

SO_DEBUG: Final = 0x0001
SO_ACCEPTCONN: Final = 0x0002
SO_REUSEADDR: Final = 0x0004
SO_KEEPALIVE: Final = 0x0008
SO_DONTROUTE: Final = 0x0010
SO_BROADCAST: Final = 0x0020
SO_USELOOPBACK: Final = 0x0040
SO_LINGER: Final = 0x0080
SO_OOBINLINE: Final = 0x0100
SO_REUSEPORT: Final = 0x0200
SO_TIMESTAMP: Final = 0x0400
SO_BINDTODEVICE: Final = 0x0800
SO_SNDBUF: Final = 0x1001
SO_RCVBUF: Final = 0x1002
SO_SNDLOWAT: Final = 0x1003
SO_RCVLOWAT: Final = 0x1004
SO_ERROR: Final = 0x1007
SO_TYPE: Final = 0x1008

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_DONTROUTE: Final = 0x4

SHUT_RD: Final = 0
SHUT_WR: Final = 1
SHUT_RDWR: Final = 2

IPPROTO_IP: Final = 0
IPPROTO_ICMP: Final = 1
IPPROTO_IGMP: Final = 2
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_RAW: Final = 255

IP_OPTIONS: Final = 1
IP_HDRINCL: Final = 2
IP_TOS: Final = 3
IP_TTL: Final = 4
IP_RECVOPTS: Final = 5
IP_RECVDSTADDR: Final = 7
IP_MULTICAST_IF: Final = 9
IP_MULTICAST_TTL: Final = 10
IP_MULTICAST_LOOP: Final = 11
IP_ADD_MEMBERSHIP: Final = 12
IP_DROP_MEMBERSHIP: Final = 13
IP_PORTRANGE: Final = 19
IP_RECVIF: Final = 20
IP_RECVTTL: Final = 23
IP_DONTFRAG: Final = 67  # FreeBSD's number; the era's ping -D builds its own header instead
