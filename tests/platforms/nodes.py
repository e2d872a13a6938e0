"""Nodes as each platform makes them, by hand from its documentation: no more of them than is looked at."""

from __future__ import annotations

from meshkit.kubernetes import Manifest

ZONES = "topology.kubernetes.io/"


def node(provider: str, cpu: str = "1930m", memory: str = "3Gi", **labels: str) -> Manifest:
    """A node as far as it is looked at: 2 vCPU and 4 GiB, less what the platform keeps for itself."""
    return {
        "metadata": {"name": "node", "labels": dict(labels)},
        "spec": {"providerID": provider},
        "status": {"allocatable": {"cpu": cpu, "memory": memory}},
    }


def _labelled(found: Manifest, **labels: str) -> Manifest:
    found["metadata"]["labels"] |= labels
    return found


def _placed(provider: str, region: str, zone: str, **labels: str) -> Manifest:
    return _labelled(node(provider), **{f"{ZONES}region": region, f"{ZONES}zone": zone}, **labels)


AKS = _placed(
    "azure:///subscriptions/1/resourceGroups/mc_shop_prod_westeurope/providers/Microsoft.Compute/"
    "virtualMachineScaleSets/aks-nodepool1-1-vmss/virtualMachines/0",
    "westeurope",
    "westeurope-1",
    **{"kubernetes.azure.com/cluster": "MC_shop_prod_westeurope", "agentpool": "nodepool1"},
)
EKS = _placed(
    "aws:///eu-west-1a/i-0123456789abcdef0",
    "eu-west-1",
    "eu-west-1a",
    **{"eks.amazonaws.com/nodegroup": "workers", "node.kubernetes.io/instance-type": "t3.medium"},
)
EKS_SELF_MANAGED = _placed("aws:///eu-west-1a/i-0123456789abcdef1", "eu-west-1", "eu-west-1a")
GKE = _placed(
    "gce://shop-123/europe-west1-b/gke-prod-default-pool-1",
    "europe-west1",
    "europe-west1-b",
    **{"cloud.google.com/gke-nodepool": "default-pool"},
)
OPENSHIFT_ON_AWS = _placed(
    "aws:///eu-central-1a/i-0fedcba9876543210", "eu-central-1", "eu-central-1a", **{"node.openshift.io/os_id": "rhcos"}
)
K3S = node("k3s://edge-1", **{"node.kubernetes.io/instance-type": "k3s"})
K3S_ON_AWS = _placed("aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", "eu-west-1", "eu-west-1a")
KIND = node("kind://docker/kind/kind-control-plane")
LAB = node("meshkit-lab://aks")
KUBEADM = node("")
