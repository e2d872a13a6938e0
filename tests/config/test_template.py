"""The mesh.yaml that ``meshkit init`` prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from meshkit.cli.init import app
from meshkit.config import from_arguments, load, template
from meshkit.errors import UsageError

CLUSTERS = ["aks", "prod=arn:aws:eks:eu-west-1:1234:cluster/prod"]
CONTEXTS = st.text(min_size=1, max_size=30).filter(lambda t: t.isprintable() and t.strip() and "=" not in t)


def test_the_template_is_the_one_in_the_golden_file(golden: Callable[[str, str], None]) -> None:
    """Its comments are for people; changing them is a decision."""
    golden("mesh.yaml", template(CLUSTERS))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contexts=st.lists(CONTEXTS, min_size=2, max_size=4, unique=True))
def test_loading_the_template_gives_what_the_arguments_give(tmp_path: Path, contexts: list[str]) -> None:
    """For any printable contexts, whatever they mean to YAML (on, 1e3, null, quotes, colons)."""
    clusters = [f"dc{place}={context}" for place, context in enumerate(contexts)]
    path = tmp_path / "mesh.yaml"
    path.write_text(template(clusters), encoding="utf-8")
    assert load(path) == from_arguments(clusters)


def test_the_commented_example_is_right_once_uncommented(tmp_path: Path) -> None:
    """An example that does not load would be worse than none."""
    commented = template(CLUSTERS)
    head, tail = commented.split("    # servers: 3\n")
    lines = [line.replace("# ", "", 1) for line in tail.splitlines() if not line.endswith(".")]
    path = tmp_path / "mesh.yaml"
    path.write_text(head + "    servers: 3\n" + "\n".join(lines) + "\n")
    last = load(path).datacenters[-1]
    assert last.gateway_address == "mesh.example.com"
    assert (last.servers, last.values) == (3, {"server": {"storage": "20Gi"}})
    assert last.probe == {"monitoring": {"prometheusRule": {"enabled": True}}}


def test_wrong_clusters_print_no_template() -> None:
    """The same rules as for the arguments of federate."""
    with pytest.raises(UsageError, match="two clusters or more"):
        template(["aks"])


def test_init_prints_the_template_and_nothing_else() -> None:
    """Standard output is data."""
    result = CliRunner().invoke(app, CLUSTERS)
    assert (result.exit_code, result.stdout, result.stderr) == (0, template(CLUSTERS), "")
