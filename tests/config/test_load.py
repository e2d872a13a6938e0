"""mesh.yaml to a Federation: every way in which it can be wrong has a line, a key and an expectation."""

from __future__ import annotations

import io
import json
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meshkit.config import load
from meshkit.config.document import LARGEST_BYTES
from meshkit.errors import UsageError
from meshkit.model import Federation

FULL = """\
federation: shop
primary: eks
namespace: mesh
chart: light
servers: 3
gateways: 2
gatewayPort: 8443
datacenters:
  aks: {context: aks}
  eks:
    context: "arn:aws:eks:eu-west-1:1:cluster/prod"
    namespace: consul
    servers: 1
    gateways: 1
    gatewayPort: 443
    values: {server: {storage: 20Gi, since: 2020-01-01}}
"""
GOOD = """\
datacenters:
  aks: {context: aks}
  eks:
    context: eks
"""
CANARY = "hunter2canary"
BOMB = "a: &a0 [x]\n" + "".join(f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts its mesh.yaml; the file's name in errors is as the user gave it."""
    monkeypatch.chdir(tmp_path)
    return Path("mesh.yaml")


def refused(path: Path, text: str | bytes) -> UsageError:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        load(path)
    return caught.value


def test_every_key_reaches_the_federation(mesh: Path) -> None:
    """What stands at the top holds for datacenters that say nothing, what stands in one wins there."""
    mesh.write_text(FULL)
    federation = load(mesh)
    aks, eks = federation.datacenters
    assert (federation.name, federation.chart, federation.primary) == ("shop", "light", eks)
    assert (aks.namespace, aks.servers, aks.gateways, aks.gateway_port, aks.values) == ("mesh", 3, 2, 8443, {})
    assert (eks.namespace, eks.servers, eks.gateways, eks.gateway_port) == ("consul", 1, 1, 443)
    assert eks.context == "arn:aws:eks:eu-west-1:1:cluster/prod"


def test_values_can_be_written_as_json(mesh: Path) -> None:
    """Helm gets them as JSON; a date stays the text it is in Helm."""
    mesh.write_text(FULL)
    values = json.loads(json.dumps(load(mesh).datacenters[1].values))
    assert values == {"server": {"storage": "20Gi", "since": "2020-01-01"}}


def test_values_for_the_probe_are_a_datacenter_s_own(mesh: Path) -> None:
    """Laid over the mesh-probe chart's own values."""
    mesh.write_text(GOOD + "    probe: {networkPolicies: {apiServerCIDRs: [10.0.0.0/16]}}\n")
    assert [dc.probe for dc in load(mesh).datacenters][-1] == {"networkPolicies": {"apiServerCIDRs": ["10.0.0.0/16"]}}


def test_values_with_only_comments_below_are_no_values(mesh: Path) -> None:
    """This is how an example that was not uncommented looks."""
    mesh.write_text(GOOD + "    values:\n      # server: {}\n")
    assert load(mesh).datacenters[1].values == {}


def test_a_datacenter_may_be_called_no(mesh: Path) -> None:
    """YAML 1.1 would see the value false: Norway's problem is not ours."""
    mesh.write_text("datacenters:\n  no: {context: a}\n  1: {context: b}\n")
    assert [dc.name for dc in load(mesh).datacenters] == ["no", "1"]


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its errors call it by name."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(GOOD.encode() + b"    servers: 2\n")))
    with pytest.raises(UsageError, match=r"^standard input:5: datacenters\.eks\.servers: expected 1, 3 or 5, not 2$"):
        load("-")


def test_a_chart_is_found_beside_the_file(tmp_path: Path) -> None:
    """A relative chart starts at mesh.yaml's folder, so that both can move together."""
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("{name: consul, version: 1.9.11}")
    path = tmp_path / "mesh.yaml"
    path.write_text(GOOD + "chart: chart\n")
    assert load(path).chart_path == str(tmp_path / "chart")


WRONG = {
    "a text for a number": (
        GOOD + "    servers: three\n",
        '5: datacenters.eks.servers: expected 1, 3 or 5, not "three"',
    ),
    "a chart that is a number": (GOOD + "chart: 3\n", "5: chart: expected light, hashicorp, or the folder"),
    "a registry with a scheme": (GOOD + "imageRegistry: https://r\n", "5: imageRegistry: expected a registry: HOST"),
    "an API server without TLS": (
        GOOD + "    k8sAuthMethodHost: http://a\n",
        "5: datacenters.eks.k8sAuthMethodHost: expected the https:// URL",
    ),
    "a version of the light chart": (
        GOOD + "chart: light\nchartVersion: 1.9.11\n",
        "6: chartVersion: the light chart comes with meshkit",
    ),
    "an even number of servers": (GOOD + "servers: 2\n", "5: servers: expected 1, 3 or 5, not 2"),
    "a fraction": (GOOD + "servers: 3.0\n", "5: servers: expected 1, 3 or 5, not 3.0"),
    "a switch for a number": (GOOD + "gateways: yes\n", "5: gateways: expected a whole number from 1 to 20, not true"),
    "nothing for a number": (GOOD + "gateways:\n", "5: gateways: expected a whole number from 1 to 20, not nothing"),
    "a port beyond the last": (GOOD + "gatewayPort: 65536\n", "5: gatewayPort: expected a port from 1 to 65535"),
    "a namespace in upper case": (GOOD + "namespace: A\n", "5: namespace: expected a namespace"),
    "a number for a context": (GOOD.replace("eks\n", "5\n"), "4: datacenters.eks.context: expected a context"),
    "a chart that is not there": (GOOD + "chart: nope\n", "5: chart: expected light, hashicorp, or the folder"),
    "an unknown key with a neighbour": (
        GOOD + "gatewayport: 1\n",
        "5: gatewayport: no such key, did you mean gatewayPort?",
    ),
    "an unknown key of a datacenter": (
        GOOD + "    server: 3\n",
        "5: datacenters.eks.server: no such key, did you mean servers?",
    ),
    "an unknown key without a neighbour": (
        GOOD + "xyz: 3\n",
        "5: xyz: no such key, expected one of federation, primary",
    ),
    "a datacenter without a context": (
        GOOD + "  gke: {servers: 1}\n",
        "5: datacenters.gke.context: missing, expected a context",
    ),
    "an empty datacenter": (GOOD + "  gke:\n", "5: datacenters.gke: expected a mapping with at least the key context"),
    "no datacenters": ("servers: 1\n", "1: datacenters: missing, expected a mapping from each datacenter's name"),
    "datacenters as a list": (
        "datacenters: [a, b]\n",
        "1: datacenters: expected a mapping from each datacenter's name",
    ),
    "a single datacenter": ("datacenters:\n  a: {context: a}\n", "1: datacenters: a federation needs two clusters"),
    "an unknown primary": (GOOD + "primary: gke\n", '5: primary: no datacenter is named "gke"'),
    "a name with a dot": (GOOD + "  a.b: {context: c}\n", '5: datacenters.a.b: the name "a.b" is not legal'),
    "a context given twice": (
        GOOD + "  gke: {context: aks}\n",
        "5: datacenters.gke.context: context aks is that of datacenter aks already",
    ),
    "a datacenter given twice": (GOOD + "  aks: {context: c}\n", "5: datacenters.aks: given twice, first in line 2"),
    "a key given twice": (GOOD + "    context: c\n", "5: datacenters.eks.context: given twice, first in line 4"),
    "a value given twice": (GOOD + "    values: {a: 1,\n      a: 2}\n", "6: datacenters.eks.values.a: given twice"),
    "values for the probe that are a list": (
        GOOD + "    probe: [1]\n",
        "5: datacenters.eks.probe: expected a mapping of Helm values, not that",
    ),
    "Consul's datacenter among the values": (
        GOOD + "    values:\n      global: {datacenter: x}\n",
        "6: datacenters.eks.values.global.datacenter: this value can't be set here",
    ),
    "values that Helm can't hold": (GOOD + "    values: {a: .nan}\n", "5: datacenters.eks.values.a: a number beyond"),
    "a tag": (GOOD + "    values: {a: !!binary aGk=}\n", "5: datacenters.eks.values.a: tags such as !!binary"),
    "a tag that does not fit": (
        GOOD + "    values: {a: !!int x}\n",
        "5: datacenters.eks.values.a: the tag !!int does not",
    ),
    "a template that nobody filled in": (
        GOOD + "    values: {a: {{ .b }} }\n",
        "5: datacenters.eks.values.a: a key must",
    ),
    "a merge key": (GOOD + "    <<: {}\n", "5: datacenters.eks: merge keys (<<) are not supported"),
    "a list": ("- a\n- b\n", "1: expected keys such as federation and datacenters, not a list"),
    "a text": ("hello\n", '1: expected keys such as federation and datacenters, not "hello"'),
    "a tab": (GOOD + "\tx: 1\n", "5: a tab where YAML wants spaces"),
    "broken YAML": (GOOD + "x: [1,\n", "6: broken YAML: "),
    "a colon too many": (GOOD + "x: y: z\n", "5: broken YAML: mapping values are not allowed here"),
    "an unknown alias": (GOOD + "x: *y\n", "5: an alias (*) of something that is named nowhere"),
    "two documents": (GOOD + "---\n" + GOOD, "5: a second document begins"),
    "a document that nests without end": ("a: " + "[" * 5000, "1: nested deeper than 40 levels"),
    "aliases that unfold to billions": (BOMB, "aliases that unfold without end"),
    "an alias of itself": ("a: &x [*x]\n", "1: aliases that unfold without end"),
    "half a character": (
        GOOD + '    values: {a: "\\ud800"}\n',
        "5: datacenters.eks.values.a: an escape that is no character",
    ),
    "a null byte": ("a: b\n\x00", "2: a character that YAML does not allow (U+0000)"),
    "no UTF-8": (b"a: b\n\xff\xfe", "2: not a text in UTF-8"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_one_line_with_its_place(mesh: Path, text: str | bytes, expected: str) -> None:
    """File, line, key and what is expected; exit code 2 and a hint."""
    error = refused(mesh, text)
    assert expected in error.message
    assert error.message.startswith("mesh.yaml:")
    assert error.hint
    assert error.exit_code == 2
    assert not error.detail


UNREADABLE = {
    "empty": (b"", "mesh.yaml: the file is empty"),
    "only comments": (b"# nothing\n---\n", "mesh.yaml: the file is empty"),
    "huge": (b"#" * (LARGEST_BYTES + 1), "mesh.yaml: larger than 256 KiB"),
}


@pytest.mark.parametrize(("content", "expected"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_holds_nothing_says_so(mesh: Path, content: bytes, expected: str) -> None:
    """These have no line to point at."""
    assert refused(mesh, content).message.startswith(expected)


def test_a_missing_file_says_how_to_get_one(mesh: Path) -> None:
    """The command that writes one is the hint."""
    with pytest.raises(UsageError, match=r"mesh\.yaml: there is no such file") as caught:
        load(mesh)
    assert "meshkit init" in caught.value.hint


@pytest.mark.parametrize("path", [".", "\0", "x" * 5000], ids=["a folder", "a null byte", "a name without end"])
def test_a_path_that_can_not_be_read_is_one_line(mesh: Path, path: str) -> None:
    """Whatever the system says, it is a UsageError."""
    del mesh
    with pytest.raises(UsageError, match=r"can't be read"):
        load(path)


def test_all_problems_of_a_file_are_listed_by_line(mesh: Path) -> None:
    """The message counts them, the detail has one line each, in the file's order."""
    error = refused(mesh, GOOD + "    servers: x\n    vaules: {}\nprimary: zzz\nnamespace: A\n")
    assert error.message == "mesh.yaml: 4 problems"
    assert [line.split(": ")[0] for line in error.detail.splitlines()] == [f"mesh.yaml:{n}" for n in (5, 6, 7, 8)]


SECRET_PLACES = {
    "values that are a text": f"    values: {CANARY}\n",
    "a probe that is a text": f"    probe: {CANARY}\n",
    "a value with a tag": f"    values: {{a: !!int {CANARY}}}\n",
    "a value that is an alias": f"    values: {{a: *{CANARY}}}\n",
    "a value with an unknown tag handle": f"    values: {{a: !{CANARY}!x y}}\n",
    "a broken quote": f'    values: {{password: "{CANARY}\n',
    "a broken escape": f'    values: {{password: "{CANARY}\\q"}}\n',
    "an escape beyond Unicode": f'    values: {{password: "{CANARY}\\UFFFFFFFF"}}\n',
    "a broken line": f"    values:\n      password: {CANARY}: x\n",
    "a misspelt key": f"    vaules: {{password: {CANARY}}}\n",
    "a duplicate": f"    values: {{password: {CANARY}, password: {CANARY}}}\n",
    "a wrong key beside it": f"    values: {{password: {CANARY}}}\n    servers: 2\n",
}


@pytest.mark.parametrize("text", SECRET_PLACES.values(), ids=SECRET_PLACES.keys())
def test_values_are_never_shown(mesh: Path, text: str) -> None:
    """They may be secret: not in the message, nor in the traceback that -v prints."""
    error = refused(mesh, GOOD + text)
    shown = "".join(traceback.format_exception(error)) + error.message + error.hint + error.detail
    assert CANARY not in shown


CHANGES = st.lists(
    st.tuples(
        st.integers(0, len(FULL)),
        st.integers(0, 12),
        st.one_of(
            st.sampled_from(
                [
                    "\t",
                    ":",
                    ": ",
                    "- ",
                    "\n",
                    "\n  ",
                    "{",
                    "}",
                    "[",
                    "]",
                    "'",
                    '"',
                    "&a ",
                    "*a",
                    "!!int ",
                    "!!set ",
                    "|\n",
                ]
            ),
            st.sampled_from(
                ["<<: ", "? ", "---\n", "%YAML 3\n", "null", "true", ".inf", "0x", "1_0", "1:30", "=", "~", "#"]
            ),
            st.text(max_size=4),
        ),
    ),
    min_size=1,
    max_size=6,
)


def outcome(path: Path, content: bytes) -> Federation | UsageError:
    path.write_bytes(content)
    try:
        return load(path)
    except UsageError as error:
        return error


def acceptable(found: Federation | UsageError) -> bool:
    if isinstance(found, UsageError):
        return found.message.isprintable() and bool(found.hint)
    return (
        len(found.datacenters) > 1 and bool(found.primary) and bool(json.dumps([d.values for d in found.datacenters]))
    )


@settings(max_examples=1200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_a_damaged_file_is_a_federation_or_a_usage_error(tmp_path: Path, changes: list[tuple[int, int, str]]) -> None:
    """A thousand mutations of a full file: never another exception, never a line that can't be printed."""
    text = FULL
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    assert acceptable(outcome(tmp_path / "mesh.yaml", text.encode(errors="surrogatepass")))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
@example(b'a: "\\UFFFFFFFF"')
@example(b"a: !!float x")
@example(b"? [x]\n: y")
def test_any_bytes_are_a_federation_or_a_usage_error(tmp_path: Path, content: bytes) -> None:
    """As above, from nothing."""
    assert acceptable(outcome(tmp_path / "mesh.yaml", content))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(
    [
        "federation",
        "primary",
        "namespace",
        "chart",
        "servers",
        "gateways",
        "gatewayPort",
        "datacenters",
        "context",
        "values",
        "probe",
        "x",
    ]
)
SHAPES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("escape", "said"),
    [(r"\ud83d\ude00", '"prod 😀"'), (r"\ud83d", "an escape that is no character"), (r"\ude00\ud83d", "an escape")],
    ids=["two halves of a character", "one half", "two halves the wrong way round"],
)
def test_escapes_of_halves(tmp_path: Path, escape: str, said: str) -> None:
    """JSON's form of a character is that character; half of one is told, and nothing stumbles over it."""
    content = f'{{"datacenters": {{"prod {escape}": {{"context": "a {escape}"}}, "b": {{"context": "b"}}}}}}'
    error = outcome(tmp_path / "mesh.yaml", content.encode())
    assert isinstance(error, UsageError)
    assert said in error.message + error.detail


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.dictionaries(KEYS, SHAPES, max_size=6))
def test_any_shape_is_a_federation_or_a_usage_error(tmp_path: Path, shape: object) -> None:
    """Well-formed YAML (as JSON) with the right keys in the wrong places."""
    assert acceptable(outcome(tmp_path / "mesh.yaml", json.dumps(shape).encode()))
