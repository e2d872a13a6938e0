"""scripts/test-official: what it takes from the environment, and what it says when there is nothing to test with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hashicorp.given import WITHOUT_IMAGES, Given, WrongError, given

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "test-official"
CHART = "MESHKIT_OFFICIAL_CHART"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A chart beside an archive of images."""
    (tmp_path / "consul.tgz").touch()
    images = tmp_path / "images"
    images.mkdir()
    (images / "consul.tar").touch()
    (images / "notes.txt").touch()
    return tmp_path


def test_without_a_chart_the_script_is_skipped_and_says_so(tmp_path: Path) -> None:
    """With exit code 0, as skipped tests have, and before anything is set up."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MESHKIT_")}
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    assert done.stderr.startswith(f"test-official: skipped: {CHART} is not set")


def test_the_script_tells_of_every_variable() -> None:
    """The text at its top is its help."""
    told = SCRIPT.read_text()
    for name in ("CHART", "CHART_VERSION", "UPGRADE", "IMAGES", "REGISTRY", "CONTEXTS"):
        assert f"#   MESHKIT_OFFICIAL_{name}" in told
        assert f"MESHKIT_OFFICIAL_{name}" in WITHOUT_IMAGES or name in ("CHART", "CHART_VERSION", "UPGRADE")


def test_scripts_test_leaves_it_out_and_says_so() -> None:
    """It has the chart on no machine by itself."""
    told = (ROOT / "scripts" / "test").read_text()
    assert "--ignore integration/hashicorp" in told
    assert "official chart: skipped" in told


def test_nothing_is_given_without_a_chart() -> None:
    assert given({}) is None
    assert given({"MESHKIT_OFFICIAL_IMAGES": "/images"}) is None


@pytest.mark.parametrize(
    ("environment", "helm", "meshkit"),
    [
        pytest.param(
            {CHART: "https://charts.example"},
            "consul --repo https://charts.example",
            "--chart hashicorp --chart-repo https://charts.example",
            id="a repository",
        ),
        pytest.param(
            {CHART: "oci://registry.example/charts", "MESHKIT_OFFICIAL_CHART_VERSION": "1.9.11"},
            "oci://registry.example/charts/consul --version 1.9.11",
            "--chart hashicorp --chart-repo oci://registry.example/charts --chart-version 1.9.11",
            id="a version from an OCI registry",
        ),
        pytest.param(
            {CHART: "https://charts.example", "MESHKIT_OFFICIAL_REGISTRY": "registry.example/mirror"},
            "consul --repo https://charts.example",
            "--chart hashicorp --chart-repo https://charts.example --image-registry registry.example/mirror",
            id="images from another registry",
        ),
    ],
)
def test_the_chart_is_named_as_each_program_takes_it(environment: dict[str, str], helm: str, meshkit: str) -> None:
    found = given(environment)
    assert found
    assert " ".join(found.for_helm) == helm
    assert " ".join(found.for_meshkit) == meshkit


def test_a_chart_on_this_machine_is_a_path_and_images_come_from_folders_and_files(archive: Path) -> None:
    """Whatever the folder of the run is; what is no archive is passed over in a folder."""
    images = f"{archive / 'images'}{os.pathsep}{archive / 'images' / 'consul.tar'}"
    found = given({CHART: str(archive / "consul.tgz"), "MESHKIT_OFFICIAL_IMAGES": images})
    assert found == Given(str(archive / "consul.tgz"), images=(archive / "images" / "consul.tar",) * 2)
    assert found.for_helm == (str(archive / "consul.tgz"),)
    assert found.for_meshkit == ("--chart", str(archive / "consul.tgz"))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({CHART: "/nowhere/consul.tgz"}, "there is no /nowhere/consul.tgz", id="no such chart"),
        pytest.param({"MESHKIT_OFFICIAL_IMAGES": "/nowhere"}, "there is no archive at /nowhere", id="no such archive"),
        pytest.param({"MESHKIT_OFFICIAL_CONTEXTS": "kind-a"}, "two names are needed", id="one cluster"),
        pytest.param(
            {"MESHKIT_OFFICIAL_CONTEXTS": "a,b", "MESHKIT_OFFICIAL_IMAGES": str(SCRIPT)},
            "is for the lab's nodes",
            id="archives for clusters that are not the lab's",
        ),
    ],
)
def test_what_can_not_be_meant_is_said(environment: dict[str, str], message: str) -> None:
    """By the variable's name, before a cluster is started."""
    with pytest.raises(WrongError, match=message) as raised:
        given({CHART: "https://charts.example"} | environment)
    assert str(raised.value).startswith("MESHKIT_OFFICIAL_")
