"""Names come from the files of the box, numbers from nowhere."""

from __future__ import annotations

import io

import pytest

from cmds._names import HostNotFound, Names, gethostbyname
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx


@pytest.fixture
def ctx(tmp_path):
    box = BoxPaths(str(tmp_path), "BoxA")
    etc = tmp_path / "boxes" / "BoxA" / "root" / "etc"
    etc.mkdir(parents=True)
    (etc / "hosts").write_text("10.42.0.2 BoxB\n")
    (etc / "networks").write_text("lab-net 10.42\n")
    return Ctx(
        "x",
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        environ={},
        host=None,  # type: ignore[arg-type]
        box=box,
    )


def test_numbers_need_no_file_and_names_come_from_hosts(ctx):
    assert gethostbyname(ctx, "10.1") == 0x0A000001
    assert gethostbyname(ctx, "boxb") == gethostbyname(ctx, "BoxB.") == 0x0A2A0002
    with pytest.raises(HostNotFound):
        gethostbyname(ctx, "BoxC")


def test_the_other_files(ctx):
    names = Names(ctx)
    assert names.gethostbyaddr(0x0A2A0002) == "BoxB"
    assert names.gethostbyaddr(1) is None
    assert names.getnetbyname("lab-net") == 0x0A2A
    assert names.getnetbyaddr(0x0A2A) == "lab-net"
    assert names.getprotobyname("udp") == 17
    assert names.getservbyport(80, "tcp") is None
    with pytest.raises(HostNotFound):
        names.getservbyname("http", "tcp")
