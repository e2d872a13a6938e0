"""The chart as the user names it: its kind is told from its Chart.yaml, and what is no chart of Consul is refused."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from meshkit.config import consul_chart, from_arguments
from meshkit.config.consul_chart import Chart
from meshkit.errors import UsageError
from meshkit.federation import charts

OFFICIAL = "{apiVersion: v2, name: consul, version: 1.9.11, appVersion: 1.22.7}"


def packed(path: Path, **files: str) -> Path:
    """An archive with these files, ``__`` in their names for a slash."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("_yaml", ".yaml"))
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_no_choice_is_kept_open() -> None:
    """Only the clusters can tell which chart it is to be."""
    federation = from_arguments(["a", "b"])
    assert (federation.chart, federation.official) == ("", False)


@pytest.mark.parametrize(
    "options",
    [{"chart": "hashicorp"}, {"chart_version": "2.0.3"}, {"chart_repo": "oci://r.example/charts"}],
    ids=["by name", "by version", "by repository"],
)
def test_the_official_chart(options: dict[str, str]) -> None:
    """The light chart has no versions and comes from no repository, so these name the official one."""
    assert from_arguments(["a", "b"], **options).official


def test_the_light_chart_by_path_is_light() -> None:
    """Both charts are called consul; an annotation tells them apart."""
    folder = charts.folder() / "consul"
    found = consul_chart.at(str(folder), Path())
    assert (found.kind, found.path) == ("light", str(folder))


def test_an_archive_of_the_official_chart(tmp_path: Path) -> None:
    """Its kind and versions are read once; charts inside it are not taken for it."""
    inner = "{name: other, version: 9.9.9}"
    path = packed(tmp_path / "c.tgz", consul__charts__other__Chart_yaml=inner, consul__Chart_yaml=OFFICIAL)
    assert consul_chart.at("c.tgz", tmp_path) == Chart("hashicorp", str(path), "1.9.11", "1.22.7")
    federation = from_arguments(["a", "b"], chart=str(path), chart_version="1.9.11")
    assert (federation.official, federation.chart_path, federation.chart_version) == (True, str(path), "1.9.11")


WRONG = {
    "another chart": ("{name: mysql, version: 1.0.0}", {}, "is the chart mysql, not Consul's"),
    "a chart of an unknown minor": ("{name: consul, version: 1.2.3}", {}, "is the official chart 1.2.3, with which"),
    "an empty Chart.yaml": ("", {}, "--chart: expected light, hashicorp, or the folder or .tgz of a chart"),
    "a Chart.yaml that is no YAML": ("{", {}, "--chart: expected light, hashicorp, or the folder"),
    "another version beside it": (OFFICIAL, {"chart_version": "2.0.3"}, "has the version 1.9.11"),
    "a repository beside it": (OFFICIAL, {"chart_repo": "https://r.example"}, "the chart comes from"),
}


@pytest.mark.parametrize(("text", "options", "line"), WRONG.values(), ids=WRONG.keys())
def test_a_path_that_does_not_fit(tmp_path: Path, text: str, options: dict[str, str], line: str) -> None:
    """One line that says what is there, before anything is touched."""
    path = packed(tmp_path / "c.tgz", consul__Chart_yaml=text)
    with pytest.raises(UsageError) as raised:
        from_arguments(["a", "b"], chart=str(path), **options)
    assert line in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"not an archive", b"\x1f\x8b\x08\x00" + b"\0" * 20], ids=["empty", "text", "torn"]
)
def test_an_archive_that_is_none(tmp_path: Path, content: bytes) -> None:
    """Whatever the file holds, the answer is a sentence."""
    (tmp_path / "c.tgz").write_bytes(content)
    with pytest.raises(UsageError, match="expected light, hashicorp, or the folder"):
        from_arguments(["a", "b"], chart=str(tmp_path / "c.tgz"))


def test_a_repository_with_a_password_is_refused() -> None:
    """It would be kept with the description and shown with it; helm has a place of its own for logins."""
    with pytest.raises(UsageError, match="holds no password") as raised:
        from_arguments(["a", "b"], chart_repo="https://user:hunter2@charts.example")
    assert "hunter2" not in str(raised.value)
