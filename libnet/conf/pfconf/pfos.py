"""The pf.os(5) that a new box has in /etc; etc/pf.os is the same text."""

from __future__ import annotations

from typing import Final

PF_OS: Final = """\
# Passive fingerprints of operating systems, for "os" in pf.conf(5). See pf.os(5).
#
# Written for this package from what the stacks named here are documented to put into a SYN: initial
# window, time to live, the don't-fragment bit, the length of the packet, and the TCP options in
# order. The first field may be a number, * for any, %n for a multiple of n, Sn for n times the MSS,
# Tn for n times the MTU.
#
# window:ttl:df:size:options:class:version:subtype:description

# This package's own stack, and the BSD stacks that it follows
32768:64:1:52:M*,N,W0,S:iopkt:::iopkt network stack
32768:64:1:64:M*,N,W3,S,N,N,N,N,T:NetBSD:4.0::NetBSD 4.0
32768:64:1:60:M*,N,W0,N,N,T0:NetBSD:1.6::NetBSD 1.6
32768:64:1:64:M*,N,W3,N,N,T,S:NetBSD:5.0::NetBSD 5.0
16384:64:1:64:M*,N,N,S,N,W0,N,N,T:OpenBSD:3.0-3.9::OpenBSD 3.0 to 3.9
16384:64:1:64:M*,N,N,S,N,W0,N,N,T:OpenBSD:4.0-4.2::OpenBSD 4.0 to 4.2
16384:64:0:64:M*,N,N,S,N,W0,N,N,T:OpenBSD:3.0-3.9:no-df:OpenBSD 3.0 to 3.9, scrubbed without DF
57344:64:1:60:M*,N,W0,N,N,T:FreeBSD:4.6-4.9::FreeBSD 4.6 to 4.9
65535:64:1:60:M*,N,W1,N,N,T:FreeBSD:5.0-5.5::FreeBSD 5.0 to 5.5
65535:64:1:60:M*,N,W3,S,T:FreeBSD:6.0-6.4::FreeBSD 6.0 to 6.4

# QNX Neutrino
16384:64:0:44:M512:QNX:4::QNX 4, TCP/IP 5.0
16384:64:0:44:M*:QNX:6.0-6.1::QNX 6.0 and 6.1, tiny stack
16384:64:0:60:M*,N,W0,N,N,T0:QNX:6.2-6.3::QNX 6.2 and 6.3, io-net
32768:64:1:64:M*,N,W3,S,N,N,N,N,T:QNX:6.4-6.6::QNX 6.4 to 6.6, io-pkt

# Linux
S4:64:1:60:M*,S,T,N,W0:Linux:2.4::Linux 2.4 and early 2.6
S4:64:1:60:M*,S,T,N,W0:Linux:2.6::Linux 2.4 and early 2.6
S4:64:1:60:M*,S,T,N,W2:Linux:2.6:1-7:Linux 2.6.1 to 2.6.7
S4:64:1:60:M*,S,T,N,W7:Linux:2.6:newer:Linux 2.6.17 and after
S10:64:1:60:M*,S,T,N,W7:Linux:3.0-3.19::Linux 3
S20:64:1:60:M*,S,T,N,W7:Linux:4.0-4.20::Linux 4
S44:64:1:60:M*,S,T,N,W7:Linux:5.0-5.19::Linux 5
S4:64:1:52:M*,N,N,S,N,W0:Linux:2.4:ts:Linux 2.4 without timestamps
32120:64:1:60:M*,S,T,N,W0:Linux:2.2::Linux 2.2

# Windows
8192:128:1:44:M*:Windows:95::Windows 95
8192:128:1:48:M*,N,N,S:Windows:98::Windows 98
16384:128:1:48:M*,N,N,S:Windows:2000::Windows 2000
65535:128:1:48:M*,N,N,S:Windows:XP::Windows XP
65535:128:1:52:M*,N,W0,N,N,S:Windows:XP:scaled:Windows XP with window scaling
8192:128:1:52:M*,N,W8,N,N,S:Windows:7::Windows 7

# Others
65535:64:1:64:M*,N,W3,N,N,T,S:MacOS:10::Mac OS X
S17:255:1:44:M*:Solaris:2.5::Solaris 2.5
S34:64:1:48:M*,N,N,S:Solaris:8::Solaris 8
4128:255:0:44:M*:Cisco:IOS::Cisco IOS
*:64:1:40:.:*Scanner:syn::a SYN without options
1024:64:0:40:.:*Scanner:nmap::nmap SYN scan
2048:64:0:40:.:*Scanner:nmap::nmap SYN scan
3072:64:0:40:.:*Scanner:nmap::nmap SYN scan
4096:64:0:40:.:*Scanner:nmap::nmap SYN scan
"""
