"""What intentions say should be seen: allowed passes, denied is refused, HTTP permissions decide for themselves."""

from __future__ import annotations

from fakes.federation import FakeFederation
from meshkit.consul import config_entries
from meshkit.consul.config_entries import Intention
from meshkit.federation import segmentation
from meshkit.federation.probing import expected


def expectations(mesh: FakeFederation) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(e.sources[0], str(e.target["service"])): e.expect for e in expected.expected(mesh.context())}


def test_by_default_everything_between_probes_is_refused(mesh: FakeFederation) -> None:
    assert expectations(mesh) == {("aks", "mesh-probe-eks"): ("refused",), ("eks", "mesh-probe-aks"): ("refused",)}


def test_what_is_allowed_is_to_be_reachable(mesh: FakeFederation) -> None:
    segmentation.write(mesh.context(), Intention("mesh-probe-aks", "mesh-probe-eks", "allow"))
    assert expectations(mesh)["aks", "mesh-probe-eks"] == ("reachable",)
    assert expectations(mesh)["eks", "mesh-probe-aks"] == ("refused",)


def test_a_wildcard_decides_where_nothing_else_does(mesh: FakeFederation) -> None:
    segmentation.write(mesh.context(), Intention("*", "mesh-probe-eks", "allow"))
    assert expectations(mesh)["aks", "mesh-probe-eks"] == ("reachable",)


def test_http_permissions_are_not_tried(mesh: FakeFederation) -> None:
    entry = {
        "Kind": config_entries.INTENTIONS,
        "Name": "mesh-probe-eks",
        "Sources": [{"Name": "mesh-probe-aks", "Permissions": [{"Action": "allow", "HTTP": {"PathExact": "/"}}]}],
    }
    mesh.context().consul("aks").write_config_entry(entry)
    assert ("aks", "mesh-probe-eks") not in expectations(mesh)
