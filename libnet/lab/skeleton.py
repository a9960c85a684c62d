"""What lies in the root of a new box: its directories and its /etc, as strings."""

from __future__ import annotations

from typing import Final

from libnet.conf.pfconf.pfos import PF_OS
from libnet.drivers.table import ROWS

VERSION: Final = "4\n"  # of the skeleton; another one on disk is brought up to date

# What /lib/dll has: the drivers, and the names of what comes later or has no device of its own.
MODULES: Final[tuple[str, ...]] = (
    *(f"{row.module}.so" for row in ROWS),
    *(f"devnp-{name}.so" for name in ("sam", "shim")),
    *(f"lsm-{name}.so" for name in ("autoip", "pf-v4", "pf-v6", "qnet", "slip")),
)

DIRS: Final[tuple[tuple[str, int], ...]] = (
    ("dev", 0o755),
    ("etc", 0o755),
    ("etc/rc.d", 0o755),
    ("lib", 0o755),
    ("lib/dll", 0o755),
    ("net", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/chroot", 0o755),
    ("var/db", 0o755),
    ("var/log", 0o755),
    ("var/run", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
)

PROTOCOLS: Final = """\
# Internet protocols: name, number, aliases
ip\t0\tIP
icmp\t1\tICMP
igmp\t2\tIGMP
ggp\t3\tGGP
ipencap\t4\tIP-ENCAP
tcp\t6\tTCP
egp\t8\tEGP
pup\t12\tPUP
udp\t17\tUDP
hmp\t20\tHMP
xns-idp\t22\tXNS-IDP
rdp\t27\tRDP
ipv6\t41\tIPv6
ipv6-route\t43\tIPv6-Route
ipv6-frag\t44\tIPv6-Frag
rsvp\t46\tRSVP
gre\t47\tGRE
esp\t50\tESP
ah\t51\tAH
mobile\t55\tMOBILE
ipv6-icmp\t58\tIPv6-ICMP icmp6
ipv6-nonxt\t59\tIPv6-NoNxt
ipv6-opts\t60\tIPv6-Opts
etherip\t97\tETHERIP
encap\t98\tENCAP
pim\t103\tPIM
ipcomp\t108\tIPComp
carp\t112\tCARP vrrp
l2tp\t115\tL2TP
sctp\t132\tSCTP
pfsync\t240\tPFSYNC
"""

# name port protocols aliases; t tcp, u udp.
_SERVICES: Final = """\
tcpmux 1 t|echo 7 tu|discard 9 tu sink null|systat 11 t users|daytime 13 tu|netstat 15 t
qotd 17 t quote|chargen 19 tu ttytst source|ftp-data 20 t|ftp 21 t|ssh 22 tu|telnet 23 t
smtp 25 t mail|time 37 tu timserver|nameserver 42 t name|whois 43 t nicname|tacacs 49 tu
domain 53 tu|bootps 67 tu|bootpc 68 tu|tftp 69 u|gopher 70 t|finger 79 t|www 80 tu http
kerberos 88 tu kerberos5|hostnames 101 t hostname|iso-tsap 102 t|rtelnet 107 t|pop2 109 t
pop3 110 t|sunrpc 111 tu portmap rpcbind|auth 113 t authentication tap ident|sftp 115 t
uucp-path 117 t|nntp 119 t readnews untp|ntp 123 tu|netbios-ns 137 tu|netbios-dgm 138 tu
netbios-ssn 139 tu|imap 143 t imap2|snmp 161 tu|snmptrap 162 u snmp-trap|xdmcp 177 tu
bgp 179 t|irc 194 tu|ldap 389 tu|https 443 tu|snpp 444 tu|microsoft-ds 445 tu
isakmp 500 tu|exec 512 t|biff 512 u comsat|login 513 t|who 513 u whod|shell 514 t cmd
syslog 514 u|printer 515 t spooler|talk 517 u|ntalk 518 u|route 520 u router routed|ripng 521 u
timed 525 u timeserver|uucp 540 t uucpd|klogin 543 t|kshell 544 t krcmd|dhcpv6-client 546 tu
dhcpv6-server 547 tu|rtsp 554 tu|submission 587 tu|ipp 631 tu|ldaps 636 tu|ldp 646 tu
rsync 873 tu|ftps-data 989 tu|ftps 990 tu|telnets 992 tu|imaps 993 tu|pop3s 995 tu|socks 1080 tu
openvpn 1194 tu|l2f 1701 tu l2tp|pptp 1723 t|radius 1812 tu|radius-acct 1813 tu radacct
hsrp 1985 u|nfsd 2049 tu nfs|cvspserver 2401 tu|svn 3690 tu|mysql 3306 tu|rdp 3389 tu
ipsec-nat-t 4500 tu|sip 5060 tu|sip-tls 5061 tu|mdns 5353 tu|postgresql 5432 tu|x11 6000 tu
qconn 8000 t|www-alt 8080 tu http-alt|vxlan 4789 u|iperf 5001 tu
"""

HOSTS: Final = """\
# Host names of this box
127.0.0.1\tlocalhost localhost.localdomain
::1\tlocalhost
"""

NETWORKS: Final = """\
# Network names and numbers
loopback\t127
link-local\t169.254
"""

RESOLV_CONF: Final = """\
# Name servers of this box, for example:
# domain example.net
# nameserver 10.0.0.1
lookup file bind
"""

NSSWITCH_CONF: Final = """\
# Where names are looked up, in this order
group: files
hosts: files dns
netgroup: files
networks: files
passwd: files
protocols: files
services: files
"""


def services() -> str:
    """Return the text of /etc/services."""
    lines = ["# Internet services: name, port/protocol, aliases"]
    for entry in _SERVICES.replace("\n", "|").split("|"):
        if not entry:
            continue
        name, port, kinds, *aliases = entry.split()
        for kind in kinds:
            words = [name, f"{port}/{'tcp' if kind == 't' else 'udp'}", *aliases]
            lines.append("\t".join(words))
    return "\n".join(lines) + "\n"


def files() -> dict[str, str]:
    """Return the text of each file of a new box, by its path in the root."""
    made = {
        "etc/hosts": HOSTS,
        "etc/networks": NETWORKS,
        "etc/nsswitch.conf": NSSWITCH_CONF,
        "etc/pf.os": PF_OS,
        "etc/protocols": PROTOCOLS,
        "etc/resolv.conf": RESOLV_CONF,
        "etc/services": services(),
    }
    for module in MODULES:
        made[f"lib/dll/{module}"] = f"# iopkt module {module.removesuffix('.so')}\n"
    return made
