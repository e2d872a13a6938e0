"""What ``base.Helm`` promises, whichever Helm is behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from meshkit.backends.base import Helm, InstalledChart
from meshkit.errors import MeshkitError

NAME = "mesh-probe"
Probe = tuple[Path, dict[str, Any]]


class HelmContract:
    """Subclasses provide the fixtures.

    They are ``helm``, ``namespace`` (empty, and there), ``probe`` (chart and values) and ``leave``, which puts a
    release into the state in which a killed or failed helm leaves it.
    """

    def test_absent(self, helm: Helm, namespace: str) -> None:
        """A release that was never installed is None."""
        assert helm.release(NAME, namespace) is None
        assert helm.chart(NAME, namespace) is None
        assert helm.values(NAME, namespace) == {}

    def test_chart_and_values(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """What a release was made from can be read back: the chart with its versions, and exactly the values given."""
        chart, values = probe
        helm.install(NAME, namespace, chart, values, "meshkit one")
        described = yaml.safe_load((chart / "Chart.yaml").read_text())
        found = helm.chart(NAME, namespace)
        assert found == InstalledChart("mesh-probe", described["version"], described.get("appVersion", ""))
        assert helm.values(NAME, namespace) == values
        helm.uninstall(NAME, namespace)
        assert helm.values(NAME, namespace) == {}

    def test_template(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """Rendering gives the manifests, the release's name in them, and leaves no release."""
        found = {m["kind"]: m["metadata"]["name"] for m in helm.template(NAME, namespace, *probe)}
        assert found["Deployment"] == NAME
        assert helm.release(NAME, namespace) is None

    def test_install(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """An installed release is deployed, at its first revision, under the description it was given."""
        helm.install(NAME, namespace, *probe, "meshkit one")
        release = helm.release(NAME, namespace)
        assert release is not None
        assert (release.status, release.revision, release.description) == ("deployed", 1, "meshkit one")

    def test_upgrade(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """Installing again is an upgrade: the next revision, and the new description."""
        helm.install(NAME, namespace, *probe, "meshkit one")
        helm.install(NAME, namespace, *probe, "meshkit two")
        release = helm.release(NAME, namespace)
        assert release is not None
        assert (release.status, release.revision, release.description) == ("deployed", 2, "meshkit two")

    def test_uninstall(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """Uninstalling leaves nothing, and a second time does nothing."""
        helm.install(NAME, namespace, *probe, "meshkit one")
        helm.uninstall(NAME, namespace)
        assert helm.release(NAME, namespace) is None
        helm.uninstall(NAME, namespace)
        helm.install(NAME, namespace, *probe, "meshkit one")
        helm.uninstall(NAME, namespace, hooks=False)
        assert helm.release(NAME, namespace) is None

    def test_repair_of_nothing(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """A release that is not there, or that is well, stays so."""
        helm.repair(NAME, namespace)
        assert helm.release(NAME, namespace) is None
        helm.install(NAME, namespace, *probe, "meshkit one")
        helm.repair(NAME, namespace)
        release = helm.release(NAME, namespace)
        assert release is not None
        assert (release.status, release.revision, release.description) == ("deployed", 1, "meshkit one")

    def test_missing_chart(self, helm: Helm, namespace: str, tmp_path: Path) -> None:
        """A path without a chart is an error that names it, and leaves no release."""
        with pytest.raises(MeshkitError, match="no-such-chart"):
            helm.install(NAME, namespace, tmp_path / "no-such-chart", {}, "meshkit one")
        assert helm.release(NAME, namespace) is None

    def test_missing_namespace(self, helm: Helm, namespace: str, probe: Probe) -> None:
        """The namespace is meshkit's own to make, so Helm does not."""
        with pytest.raises(MeshkitError, match="namespaces"):
            helm.install(NAME, f"{namespace}-missing", *probe, "meshkit one")

    @pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "failed"])
    def test_repair(self, helm: Helm, namespace: str, probe: Probe, status: str, leave: Any) -> None:
        """A release left in a state in which Helm refuses to go on is brought to deployed."""
        helm.install(NAME, namespace, *probe, "meshkit one")
        helm.install(NAME, namespace, *probe, "meshkit two")
        leave(NAME, namespace, status)
        found = helm.release(NAME, namespace)
        assert found is not None
        assert found.status == status
        helm.install(NAME, namespace, *probe, "meshkit three")
        release = helm.release(NAME, namespace)
        assert release is not None
        assert (release.status, release.description) == ("deployed", "meshkit three")
