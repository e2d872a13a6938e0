"""The data file holds together: every reference leads somewhere, every entry says what users will need."""

from __future__ import annotations

import re

import pytest

from meshkit.platforms.catalogue import LoadBalancer, Platform, Plugin, catalogue, title

KNOWN = catalogue()
ANNOTATION = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9][-A-Za-z0-9_.]*")


@pytest.mark.parametrize("platform", KNOWN.platforms.values(), ids=lambda p: p.key)
def test_platform(platform: Platform) -> None:
    """A platform has evidence, labels, a remedy for a missing StorageClass, and load balancers that exist."""
    seen = platform.evidence
    assert any((seen.groups, seen.version, seen.labels, seen.providers, seen.server, seen.contexts, seen.plugins))
    assert platform.title
    assert platform.storage
    assert platform.node
    assert ANNOTATION.fullmatch(platform.region)
    assert ANNOTATION.fullmatch(platform.zone)
    assert set(platform.balancers) <= set(KNOWN.load_balancers)
    assert all("name" in form.groupindex for form in seen.contexts)
    assert set(seen.plugins) <= set(KNOWN.plugins)


@pytest.mark.parametrize("platform", KNOWN.platforms.values(), ids=lambda p: p.key)
def test_a_load_balancer_of_last_resort(platform: Platform) -> None:
    """Only the last of a platform's load balancers is taken whatever is installed: none behind it is ever reached."""
    groups = [KNOWN.load_balancers[key].group for key in platform.balancers]
    assert all(groups[:-1])


@pytest.mark.parametrize("balancer", KNOWN.load_balancers.values(), ids=lambda b: b.key)
def test_load_balancer(balancer: LoadBalancer) -> None:
    """Annotations are legal texts, an internal one differs from a public one, and some platform has it."""
    for each in (balancer.annotations, balancer.public, balancer.internal or {}):
        assert all(ANNOTATION.fullmatch(key) and isinstance(value, str) for key, value in each.items())
    assert balancer.answers in ("address", "hostname")
    assert balancer.internal != balancer.public
    assert not set(balancer.annotations) & {*balancer.public, *(balancer.internal or ())}
    assert any(balancer.key in platform.balancers for platform in KNOWN.platforms.values())


@pytest.mark.parametrize("plugin", KNOWN.plugins.values(), ids=KNOWN.plugins)
def test_plugin(plugin: Plugin) -> None:
    """A login program belongs to a platform and comes with both hints."""
    assert plugin.platform in KNOWN.platforms
    assert plugin.install
    assert plugin.login


def test_removed_providers_have_a_successor() -> None:
    """Both providers that Kubernetes removed are explained by the command that writes the entry anew."""
    assert {"gcp", "azure"} == set(KNOWN.providers)
    assert all("get-credentials" in successor for successor in KNOWN.providers.values())


def test_the_title_of_what_is_not_known() -> None:
    """A cluster of no known platform is plain Kubernetes."""
    assert title("eks") == "EKS"
    assert title("") == "Kubernetes"
