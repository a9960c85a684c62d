"""tcpdump(8): print, write or count the packets of an interface or of a capture file."""

from __future__ import annotations

from typing import Any, Final

from cmds._bsd import command, flag, operands, option, program
from libnet.libsocket.ctx import Ctx

VERSION: Final = "tcpdump version 4.99.3 (iopkt)\nlibpcap version 1.10.3 (iopkt)\n"
USAGE: Final = (
    VERSION
    + """\
Usage: tcpdump [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ] [ --count ]
\t\t[ -C file_size ] [ -E algo:secret ] [ -F file ] [ -G seconds ]
\t\t[ -i interface ] [ --immediate-mode ] [ -j tstamptype ]
\t\t[ -M secret ] [ --number ] [ --print ] [ -Q in|out|inout ]
\t\t[ -r file ] [ -s snaplen ] [ -T type ] [ --version ]
\t\t[ -V file ] [ -w file ] [ -W filecount ] [ -y datalinktype ]
\t\t[ --time-stamp-precision precision ] [ --micro ] [ --nano ]
\t\t[ -z postrotate-command ] [ -Z user ] [ expression ]
"""
)


@command(usage=USAGE)
@flag("-a", "_old")
@option("-A", "ascii_", count=True)
@flag("-b", "asdot")
@option("-B", "--buffer-size", "buffer_size")
@option("-c", "count")
@option("-C", "file_size")
@option("-d", "dump_code", count=True)
@flag("-D", "--list-interfaces", "list_interfaces")
@flag("-e", "link_header")
@option("-E", "esp_secret")
@flag("-f", "foreign")
@option("-F", "filter_file")
@option("-G", "rotate_seconds")
@flag("-h", "--help", "help_")
@flag("-H", "mesh")
@option("-i", "--interface", "interface")
@flag("-I", "--monitor-mode", "monitor")
@option("-j", "--time-stamp-type", "stamp_type")
@flag("-J", "--list-time-stamp-types", "list_stamp_types")
@flag("-K", "--dont-verify-checksums", "no_checksums")
@flag("-l", "line_buffered")
@flag("-L", "--list-data-link-types", "list_dlts")
@option("-m", "mib_modules", multiple=True)
@option("-M", "sig_secret")
@option("-n", "numeric", count=True)
@flag("-N", "no_domain")
@flag("-O", "--no-optimize", "no_optimize")
@flag("-p", "--no-promiscuous-mode", "no_promiscuous")
@option("-q", "quick", count=True)
@option("-Q", "--direction", "direction")
@option("-r", "read_file")
@option("-s", "--snapshot-length", "snaplen")
@flag("-S", "--absolute-tcp-sequence-numbers", "absolute")
@option("-t", "times", count=True)
@option("-T", "packet_type")
@flag("-u", "undecoded_nfs")
@flag("-U", "--packet-buffered", "unbuffered")
@option("-v", "verbose", count=True)
@option("-V", "list_file")
@option("-w", "write_file")
@option("-W", "file_count")
@option("-x", "hexadecimal", count=True)
@option("-X", "hex_ascii", count=True)
@option("-y", "--linktype", "linktype")
@option("-z", "postrotate")
@option("-Z", "--relinquish-privileges", "user")
@flag("-#", "--number", "number")
@flag("--count", "count_only")
@flag("--immediate-mode", "immediate")
@option("--time-stamp-precision", "precision")
@option("--micro", "precision", flag_value="micro")
@option("--nano", "precision", flag_value="nano")
@flag("--print", "also_print")
@flag("--version", "version")
@operands
def run(ctx: Ctx, operands: tuple[str, ...], **given: Any) -> int:
    """Run."""
    if given["help_"]:
        ctx.stdout.write(USAGE)
        return 0
    if given["version"]:
        ctx.stdout.write(VERSION)
        return 0
    from cmds.tcpdump.session import Session

    return Session(ctx, given, operands).run()


main = program("tcpdump", run)
