"""dhcpd.conf(5): text to declarations, statements, expressions and option definitions.

    config = parse(text, "/etc/dhcpd.conf")
    for error in config.errors:
        print(error)                     # file, line, message, the line, the caret
    for subnet in config.subnets: ...

parse() never raises: what is wrong with the text is in Config.errors, in the order it was met, and
the rest has been read. The grammar is that of ISC DHCP 3.x.
"""

from __future__ import annotations

from libnet.conf.dhcpdconf.lexer import Complaint
from libnet.conf.dhcpdconf.parser import parse
from libnet.conf.dhcpdconf.tree import Config

__all__ = ["Complaint", "Config", "parse"]
