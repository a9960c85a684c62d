"""pfctl against OpenBSD's regression suite and the recorded output of two pfctls of the era.

See tests/data/pfctl/README.md for where the data come from.
"""

from __future__ import annotations

import io
import json
import pathlib
import re

import pytest

from cmds.pfctl import main
from libnet.errors import NetError
from libnet.lab.memory import World
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.loop.host import RealHost

DATA = pathlib.Path(__file__).parent.parent / "data" / "pfctl"
SUITE = json.loads((DATA / "suite.json").read_text())
FIXTURE = str(DATA / "fixture")
# Upstream's own files in a format older than OpenBSD 4.2's.
STALE = {"pf33", "pf35", "pf43"}
PARSE = ["-o", "none", "-nv", "-f", "-"]


def rows(name):
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def family(name, key="ok"):
    return sorted(n for n in SUITE if re.fullmatch(name + r"\d+", n) and key in SUITE[n])


def no_stack(_prefix):
    raise NetError("ENOENT")


@pytest.fixture
def pfctl(tmp_path, monkeypatch):
    """Run pfctl without a stack; returns (status, stdout, stderr)."""
    monkeypatch.chdir(DATA)

    def call(argv, text, *, dialect=None, fixture=FIXTURE):
        environ = {"IOPKT_PF_FIXTURE": fixture}
        if dialect:
            environ["IOPKT_PF_DIALECT"] = str(dialect)
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            "pfctl",
            stdin=io.StringIO(text),
            stdout=out,
            stderr=err,
            environ=environ,
            host=RealHost(),
            box=BoxPaths(str(tmp_path), "A"),
            connect=no_stack,
        )
        return main(argv, ctx), out.getvalue(), err.getvalue()

    return call


@pytest.mark.parametrize("name", family("pf"))
def test_what_is_read_prints_as_upstreams_does_and_again(pfctl, name):
    case = SUITE[name]
    assert pfctl(PARSE, case["in"])[:2] == (0, case["ok"])
    assert pfctl(PARSE, case["ok"])[:2] == (0, case["ok"])


@pytest.mark.parametrize("name", family("pfail"))
def test_every_error_is_told_as_upstream_tells_it(pfctl, name):
    status, out, err = pfctl(PARSE, SUITE[name]["in"])
    assert err + out == SUITE[name]["ok"]
    assert status == 1


@pytest.mark.parametrize("name", family("pfopt"))
def test_options_choose_what_is_read(pfctl, name):
    case = SUITE[name]
    assert pfctl([*PARSE, *case["opts"].split()], case["in"])[1] == case["ok"]


@pytest.mark.parametrize("name", family("pfsimple", "in"))
def test_simple_files_parse(pfctl, name):
    assert pfctl(["-o", "none", "-nf", "-"], SUITE[name]["in"])[0] == 0


def as_recorded(row):
    return row["rc"], row["stdout"], row["stderr"]


@pytest.mark.parametrize("row", rows("probes.jsonl"), ids=lambda row: row["id"])
def test_probes_print_as_both_dialects_did(pfctl, row):
    assert pfctl(PARSE, row["input"]) == as_recorded(row["netbsd52"])
    old = pfctl(["-nv", "-f", "-"], row["input"], dialect=37)
    assert old == as_recorded(row["netbsd401"])


@pytest.mark.parametrize("row", rows("suite-netbsd401.jsonl"), ids=lambda row: row["id"])
def test_the_suite_prints_as_the_older_dialect_did(pfctl, row):
    got = pfctl(["-nv", "-f", "-"], SUITE[row["id"]]["in"], dialect=37)
    assert got == as_recorded(row.get("netbsd401", row))


@pytest.fixture(scope="module")
def samples_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("fixture")
    for name in ("services", "protocols", "users", "groups"):
        (path / name).write_text((DATA / "fixture" / name).read_text())
    (path / "interfaces").write_text((DATA / "fixture" / "interfaces-samples").read_text())
    return str(path)


@pytest.mark.parametrize("row", rows("samples/expected.jsonl"), ids=lambda row: row["id"])
def test_real_rule_files_print_as_both_dialects_did(pfctl, row, samples_fixture):
    text = (DATA / "samples" / row["id"]).read_text()
    assert pfctl(PARSE, text, fixture=samples_fixture) == as_recorded(row["netbsd52"])
    old = pfctl(["-nv", "-f", "-"], text, dialect=37, fixture=samples_fixture)
    assert old == as_recorded(row["netbsd401"])


# With a filter that runs.


@pytest.fixture(scope="module")
def running():
    """Run pfctl on a box whose stack has the module."""
    with World(seed=5) as world:
        box = world.box("A", nic=["i82544:lan0", "i82544:lan1"])
        assert box.sh("io-pkt-v6-hc -d i82544 -p pf-v4").status == 0

        def call(argv, text=""):
            out, err = io.StringIO(), io.StringIO()
            environ = {**box.environ, "IOPKT_PF_FIXTURE": FIXTURE}
            stdin = io.StringIO(text)
            ctx = box.ctx("pfctl", stdin=stdin, stdout=out, stderr=err, environ=environ)
            return main(argv, ctx), out.getvalue(), err.getvalue()

        yield call


@pytest.mark.parametrize("name", [n for n in family("pf", "loaded") if n not in STALE])
def test_loaded_rules_list_as_upstreams_do(running, name):
    case = SUITE[name]
    assert running(["-o", "none", "-a", "regress", "-f", "-"], case["in"])[0] == 0
    nat = running(["-o", "none", "-a", "regress/*", "-gvvsn"])[1]
    rules = running(["-o", "none", "-a", "regress/*", "-gvvsr"])[1]
    running(["-a", "regress", "-Fa"])
    assert nat + rules == case["loaded"]


@pytest.mark.parametrize("name", family("pf", "optimized"))
def test_optimized_rules_list_as_upstreams_do(running, name):
    case = SUITE[name]
    assert running(["-obasic", "-a", "regress", "-f", "-"], case["in"])[0] == 0
    nat = running(["-o", "none", "-a", "regress", "-gvvsn"])[1]
    rules = running(["-o", "none", "-a", "regress", "-gvvsr"])[1]
    running(["-a", "regress", "-Fa"])
    assert nat + rules == case["optimized"]


def joined(result, *, sort=False):
    _status, out, err = result
    lines = (err + out).splitlines(keepends=True)
    return "".join(sorted(lines) if sort else lines)


def table_script(running, text):
    """Do what upstream's pfr.exec does with a script; return what it prints."""
    base, table = ["-a", "regress"], ["-a", "regress", "-t", "regress"]
    for flush in ("-FT", "-Fr", "-Fn"):
        running([*base, flush])
    out = "# create\n"
    out += joined(running([*base, "-Tl", "-f", "-"], "table <regress> persist\n"))
    for line in text.splitlines():
        result, *words = line.split(" ")
        if result not in ("pass", "fail"):
            continue
        command, *args = [*words, ""][: words.index("") if "" in words else len(words)] or [""]
        shown = " ".join(args)
        if result == "pass" and command in ("add", "delete", "replace"):
            for flags, tail, stdin in (
                ("-nT", f"-n {shown}", None),
                ("-nT", "-nf-", "# test\n " + "\n".join(args) + "\n"),
                ("-nqvT", f"-nqv {shown}", None),
                ("-nqvvT", f"-nqvv {shown}", None),
            ):
                out += f"# pass {command} {tail}\n"
                rest = args if stdin is None else ["-f-"]
                out += joined(running([*table, flags, command, *rest], stdin or ""), sort=True)
        out += f"# {result} {command} {shown}\n"
        if command == "list":
            out += joined(running([*base, "-sT"])) + "# pass list -v\n"
            out += joined(running([*base, "-gvsT"]))
        elif command == "load":
            what = shown.replace("DIR", ".") if result == "pass" else "ARGS"
            out += joined(running([*base, "-Tl", "-f-"], what + "\n"))
        elif command == "rule":
            out += joined(running([*base, "-f-"], shown + "\n"))
        else:
            got = running([*table, "-T", command, *args])
            out += joined(got, sort=result == "pass")
    out += "# kill\n"
    return out + "".join(joined(running([*base, flush])) for flush in ("-FT", "-Fr", "-Fn"))


@pytest.mark.parametrize("name", family("pfr"))
def test_table_commands_answer_as_upstreams_do(running, name, monkeypatch):
    monkeypatch.chdir(DATA)
    got = table_script(running, SUITE[name]["in"])
    want = "".join(
        line
        for line in SUITE[name]["ok"].splitlines(keepends=True)
        if not line.startswith(("ktable:", "kentry:"))  # counters of a kernel's allocator
    )
    assert got == want


@pytest.mark.parametrize("name", family("pfaltq"))
def test_queues_list_as_upstreams_do(running, name):
    """The suite's tunnels are made in the stack, where queues are; pfaltq5 has no optimizer."""
    running(["-Fa"])
    assert running(["-o", "none", "-f", "-"], SUITE[name]["in"])[0] == 0
    got = running(["-gsq"])[1] + running(["-gsr"])[1]
    running(["-Fa"])
    assert got == SUITE[name]["ok"]


def if2ip(pfctl, text):
    """Do what upstream's if2ip does: addresses by pfctl against those that pf keeps itself."""
    quiet, out = False, ""
    for word in text.split():
        if word == "-q":
            quiet = True
            continue
        rows = [line.split() for line in pfctl(["-nvf-"], f"pass in from {word}\n")[1].splitlines()]
        mine = sorted({row[6] if row[2] == "on" else row[4] for row in rows})
        name, slash, length = word.partition("/")
        spec = f"({name}){slash}{length}"
        rule = f"pass in on tun100 from {spec}\n"
        shown = pfctl(["-a", "regress/if2ip", "-f-", "-vf-"], rule)[1]
        table = re.sub("[()]", "", shown.split()[5])
        status, listed, err = pfctl(["-a", "_pf", "-t", table, "-Ts"])
        pfctl(["-a", "regress/if2ip", "-qFr"])
        theirs = sorted(line.strip() for line in listed.splitlines())
        assert (status, err) == (0, "")
        if quiet:
            out += f"{word} and {spec} {'match' if mine == theirs else 'mismatch'}.\n"
        else:
            out += " ".join([f"{word}:", *mine]) + "\n" + " ".join([f"{spec}:", *theirs]) + "\n"
    return out


@pytest.mark.parametrize("name", family("pfi"))
def test_interface_words_mean_the_same_in_and_out_of_parentheses(running, name):
    assert if2ip(running, SUITE[name]["in"]) == SUITE[name]["ok"]


@pytest.mark.parametrize("name", family("pfi"))
def test_without_a_fixture_the_stack_is_asked_both_times(box_with, name):
    box, pfctl = box_with()
    assert box.sh("ifconfig wm0 10.0.0.1/24").status == 0
    assert if2ip(pfctl, SUITE[name]["in"]) == SUITE[name]["ok"]
    assert if2ip(pfctl, "wm0 wm0:network wm0:broadcast wm0/16 wm0:0") == (
        "wm0: 10.0.0.1\n(wm0): 10.0.0.1\n"
        "wm0:network: 10.0.0.0/24\n(wm0:network): 10.0.0.0/24\n"
        "wm0:broadcast: 10.0.0.255\n(wm0:broadcast): 10.0.0.255\n"
        "wm0/16: 10.0.0.0/16\n(wm0)/16: 10.0.0.0/16\n"
        "wm0:0: 10.0.0.1\n(wm0:0): 10.0.0.1\n"
    )


@pytest.fixture
def box_with():
    """Make a box whose stack has pf; returns it and its pfctl, for which the stack is the source."""
    with World(seed=5) as world:

        def make():
            box = world.box("A", nic=["i82544:lan0", "i82544:lan1"])
            assert box.sh("io-pkt-v6-hc -d i82544 -p pf-v4").status == 0

            def call(argv, text=""):
                out, err = io.StringIO(), io.StringIO()
                ctx = box.ctx("pfctl", stdin=io.StringIO(text), stdout=out, stderr=err)
                return main(argv, ctx), out.getvalue(), err.getvalue()

            return box, call

        yield make


@pytest.mark.parametrize("name", family("pfchksum"))
def test_the_checksum_of_the_rules_is_upstreams(running, name):
    running(["-Fa"])
    assert running(["-o", "none", "-f", "-"], SUITE[name]["in"])[0] == 0
    told = running(["-vsi"])[1]
    running(["-Fa"])
    assert [line for line in told.splitlines(True) if "Checksum" in line] == [SUITE[name]["ok"]]


def test_no_rules_have_the_checksum_of_nothing(running):
    running(["-Fr"])
    assert "\nChecksum: 0xd41d8cd98f00b204e9800998ecf8427e\n" in running(["-vsi"])[1]


@pytest.mark.parametrize("name", family("pfsetup"))
def test_rules_follow_what_ifconfig_has_set_up(box_with, name):
    box, pfctl = box_with()
    box.sh("ifconfig lo1000000 create")

    def ifconfig(lines):
        for line in lines.splitlines():
            got = box.sh(line)
            assert (got.status, got.err) == (0, ""), line

    ifconfig(SUITE[name]["setup"])
    assert pfctl(PARSE, SUITE[name]["in"])[:2] == (0, SUITE[name]["ok"])
    ifconfig(SUITE[name]["clean"])
