"""agent.json: what is accepted, and one line for each way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import UsageError
from meshkit.probes.agent.config import Config, JobConfig, load
from meshkit.probes.agent.main import main

GOOD: dict[str, Any] = {
    "source": "aks",
    "federation": "mesh",
    "listen": 9102,
    "identity": {
        "server": "https://consul-server-api:8501",
        "server_name": "server.aks.consul",
        "ca": "/consul/tls/ca/ca.crt",
        "token_file": "/secrets/token/value",
        "service": "mesh-probe-aks",
        "directory": "/identity",
    },
    "kubernetes": {
        "namespace": "consul",
        "schedule": "mesh-probe-schedule",
        "results": "mesh-probe-results",
        "segments": 8,
        "segment_bytes": 131072,
    },
    "peers": {"eks": "http://127.0.0.1:9101/view"},
    "otlp": {"endpoint": "", "interval_s": 60},
}


def _file(folder: Path, value: Any) -> Path:
    path = folder / "agent.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_the_agreed_form_is_read(tmp_path: Path) -> None:
    config = load(_file(tmp_path, GOOD), Config)
    assert config.kubernetes.segment_bytes == 131072
    assert config.identity.service == "mesh-probe-aks"
    assert config.peers == {"eks": "http://127.0.0.1:9101/view"}


def test_identity_peers_and_export_may_be_absent(tmp_path: Path) -> None:
    config = load(_file(tmp_path, {"source": "aks", "kubernetes": {"namespace": "consul"}, "identity": None}), Config)
    assert (config.identity, config.peers, config.otlp.endpoint) == (None, {}, "")


def _changed(**changes: Any) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(GOOD))
    for where, value in changes.items():
        *parents, last = where.split("__")
        section = changed
        for parent in parents:
            section = section[parent]
        section[last] = value
    return changed


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param("{", "not JSON", id="malformed"),
        pytest.param("[" * 100_000, "not JSON", id="nested too deep"),
        pytest.param([], "not an object", id="a list"),
        pytest.param({"source": "aks"}, "kubernetes is missing", id="a section is missing"),
        pytest.param(_changed(kubernetes={}), "kubernetes.namespace is missing", id="a key of a section is missing"),
        pytest.param(_changed(kubernetes=3), "kubernetes is not an object", id="a section that is a number"),
        pytest.param(_changed(colour="red"), "colour is not known", id="an unknown key"),
        pytest.param(_changed(otlp__url="x"), "otlp.url is not known", id="an unknown key of a section"),
        pytest.param(_changed(listen="9102"), "listen is not a number", id="a text for a number"),
        pytest.param(_changed(listen=True), "listen is not a number", id="a truth for a number"),
        pytest.param(_changed(listen=9102.5), "listen is not a number", id="half a port"),
        pytest.param(_changed(listen=70000), "listen is 70000", id="a port beyond all"),
        pytest.param(_changed(source=""), "source is empty", id="no name"),
        pytest.param(_changed(source=None), "source is not a text", id="null for a text"),
        pytest.param(_changed(kubernetes__segments=0), "kubernetes.segments is 0", id="no segment"),
        pytest.param(_changed(kubernetes__segment_bytes=2_000_000), "segment_bytes", id="more than a ConfigMap takes"),
        pytest.param(_changed(peers={"eks": "ftp://x/"}), "peers.eks is not an http", id="another scheme"),
        pytest.param(_changed(peers={"eks": 3}), "peers is not an object of texts", id="a peer that is a number"),
        pytest.param(_changed(peers={"eks": "http://x:99999/"}), "peers.eks", id="a port that is none"),
        pytest.param(_changed(otlp__interval_s=0), "otlp.interval_s", id="without a pause"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        load(_file(tmp_path, value), Config)
    assert "\n" not in refused.value.message


def test_a_file_that_is_not_there_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.json")]) == 2
    assert "can't be read" in json.loads(capsys.readouterr().err)["error"]


def test_a_jobs_file_has_probes_and_a_count(tmp_path: Path) -> None:
    given = {"source": "aks", "kubernetes": {"namespace": "consul"}, "probes": [], "count": 3}
    assert load(_file(tmp_path, given), JobConfig).count == 3
    for key, value in (("count", 0), ("probes", {}), ("probes", [3])):
        with pytest.raises(UsageError, match=key):
            load(_file(tmp_path, given | {key: value}), JobConfig)
