"""Tags of image names, whatever else is in the name."""

from __future__ import annotations

import pytest

from meshkit.consul import image


@pytest.mark.parametrize(
    ("name", "tag", "retagged"),
    [
        ("hashicorp/consul:1.22.7", "1.22.7", "hashicorp/consul:1.22.8"),
        ("registry:5000/consul", "", "registry:5000/consul:1.22.8"),
        ("registry:5000/consul:1.22.7-ubi", "1.22.7-ubi", "registry:5000/consul:1.22.8"),
        ("consul", "", "consul:1.22.8"),
    ],
)
def test_tags(name: str, tag: str, retagged: str) -> None:
    """A registry's port is no tag."""
    assert image.version(name) == tag
    assert image.in_version(name, "1.22.8") == retagged


def test_digest_has_no_version() -> None:
    """A digest is not taken for one."""
    assert image.version("consul:1.22.7@sha256:0123") == ""


def test_images_of_the_charts_own_parts() -> None:
    """Those that carry the chart's version go with it; one of the user's own making stays."""
    given = {"global": {"imageK8S": "r/k8s:1.9.7", "imageConsulDataplane": "r/dataplane:mine", "image": "r/c:1.22.7"}}
    found = image.follow_chart(given, "1.9.7", "1.9.11")["global"]
    assert found == {"imageK8S": "r/k8s:1.9.11", "imageConsulDataplane": "r/dataplane:mine", "image": "r/c:1.22.7"}
    assert image.follow_chart({"server": {}}, "1.9.7", "1.9.11") == {"server": {}}
