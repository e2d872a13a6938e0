"""The few questions that several parts ask of a Kubernetes object."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit import kubernetes


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"conditions": [{"type": "Ready", "status": "True"}]}, True, id="ready"),
        pytest.param({"conditions": [{"type": "Ready", "status": "False"}]}, False, id="not ready"),
        pytest.param({"conditions": [{"type": "Initialized", "status": "True"}]}, False, id="another condition"),
        pytest.param({}, False, id="no conditions yet"),
    ],
)
def test_is_ready(status: dict[str, Any], *, expected: bool) -> None:
    """A pod is ready by its condition, and not when it has none."""
    assert kubernetes.is_ready({"status": status}) is expected


def test_a_pod_without_status() -> None:
    """A pod that was just created has no status at all."""
    assert kubernetes.is_ready({}) is False


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}, "203.0.113.1", id="an IP address"),
        pytest.param(
            {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}, "lb.example.com", id="a host name"
        ),
        pytest.param({"loadBalancer": {"ingress": [{"ip": "1.2.3.4", "hostname": "x"}]}}, "1.2.3.4", id="both"),
        pytest.param({"loadBalancer": {"ingress": [{}]}}, "", id="an entry with neither"),
        pytest.param({"loadBalancer": {"ingress": None}}, "", id="null"),
        pytest.param({"loadBalancer": None}, "", id="no load balancer"),
        pytest.param({}, "", id="no status"),
    ],
)
def test_load_balancer_address(status: dict[str, Any], expected: str) -> None:
    """The address as the cloud gives it, empty while there is none."""
    assert kubernetes.load_balancer_address({"status": status}) == expected


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        pytest.param({"sidecar": True, "agent": False}, True, id="only the one aside is not ready"),
        pytest.param({"sidecar": False, "agent": False}, False, id="another one is not ready either"),
        pytest.param({"sidecar": True}, False, id="the pod is not ready for a reason of its own"),
        pytest.param({"agent": False}, False, id="there is nothing but the one aside"),
        pytest.param({}, False, id="nothing is known yet"),
    ],
)
def test_a_container_that_nobody_depends_on_is_left_aside(states: dict[str, bool], *, ready: bool) -> None:
    """A pod without its Ready condition."""
    pod = {"status": {"containerStatuses": [{"name": name, "ready": well} for name, well in states.items()]}}
    assert kubernetes.is_ready_without(pod, "agent") is ready


def test_a_ready_pod_is_ready_without_any_container() -> None:
    assert kubernetes.is_ready_without({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "agent")


@pytest.mark.parametrize(
    ("context", "namespace", "expected"),
    [
        pytest.param("aks", "", "kubectl --context aks", id="a plain name"),
        pytest.param("admin@eu west", "mesh", "kubectl --context 'admin@eu west' -n mesh", id="one with a space"),
    ],
)
def test_a_command_can_be_pasted(context: str, namespace: str, expected: str) -> None:
    """Contexts may be called anything."""
    assert kubernetes.kubectl(context, namespace) == expected
