"""Flags and configuration files of a node's components."""

from __future__ import annotations

import json
from pathlib import Path

from meshkit.lab import cgroups, images, pki
from meshkit.lab.command import run
from meshkit.lab.topology import Node

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
DNS_HOST = "0.10"
"""Last two octets of the DNS Service's address."""


def flags(node: Node, component: str) -> list[str]:
    """The command line of a component; no secret stands on any, only names of files."""
    return {
        "etcd": _etcd,
        "kube-apiserver": _apiserver,
        "kube-controller-manager": _controller_manager,
        "kube-scheduler": _scheduler,
        "kubelet": _kubelet,
        "kube-proxy": _proxy,
    }[component](node)


def runtime_folder(node: Node) -> Path:
    """Sockets and container state: on tmpfs, and short, since a socket's path ends at 107 letters."""
    return Path("/run/meshkit-lab") / node.name


def containerd_socket(node: Node) -> Path:
    """Where containerd answers."""
    return runtime_folder(node) / "containerd.sock"


def containerd_config(node: Node) -> Path:
    """The file that ``write_containerd`` writes."""
    return node.folder / "containerd.toml"


def dns_address(node: Node) -> str:
    """The DNS Service's address."""
    return f"{node.service_prefix}.{DNS_HOST}"


def write_containerd(node: Node) -> None:
    """Containerd's and the pod network's configuration."""
    folder = node.folder / "cni"
    folder.mkdir(exist_ok=True)
    (folder / "10-bridge.conflist").write_text(json.dumps(_pod_network(node), indent=1))
    runtime_folder(node).mkdir(parents=True, exist_ok=True)
    containerd_config(node).write_text(
        _CONTAINERD.format(
            root=node.folder / "containerd",
            state=runtime_folder(node) / "containerd",
            socket=containerd_socket(node),
            pause=images.PAUSE,
            snapshotter=_snapshotter(node.folder),
            cni=folder,
        )
    )


def write_kubelet(node: Node) -> None:
    """The kubelet's configuration; ``failCgroupV1`` and ``failSwapOn`` off because the machine is the user's."""
    (node.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    folder = node.folder / "pki"
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(folder / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        # The sign that load balancers can be had, as in a cloud.
        "providerID": f"meshkit-lab://{node.name}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name(node)}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "clusterDNS": [dns_address(node)],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{containerd_socket(node)}",
        "tlsCertFile": str(folder / "node.crt"),
        "tlsPrivateKeyFile": str(folder / "node.key"),
        "resolvConf": str(node.folder / "resolv.conf"),
        "evictionHard": {"memory.available": "50Mi"},
        # Images came from archives and can't be pulled again.
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        # Two kubelets on one machine collect each other's logs in /var/log/pods.
        "podLogsDir": str(node.folder / "podlogs"),
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "10s",
    }
    (node.folder / "kubelet.json").write_text(json.dumps(settings, indent=1))


def _etcd(node: Node) -> list[str]:
    return [
        f"--data-dir={node.folder / 'etcd'}",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--log-level=warn",
        "--unsafe-no-fsync",  # a lab's data is not worth waiting for the disk
    ]


def _apiserver(node: Node) -> list[str]:
    keys = node.folder / "pki"
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={node.service_cidr}",
        "--secure-port=6443",
        f"--advertise-address={node.address}",
        f"--tls-cert-file={keys / 'api.crt'}",
        f"--tls-private-key-file={keys / 'api.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--service-account-key-file={keys / 'sa.pub'}",
        f"--service-account-signing-key-file={keys / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={keys / 'admin.crt'}",
        f"--kubelet-client-key={keys / 'admin.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
    ]


def _controller_manager(node: Node) -> list[str]:
    keys = node.folder / "pki"
    return [
        f"--kubeconfig={pki.write_kubeconfig(node, pki.ADMIN)}",
        f"--service-account-private-key-file={keys / 'sa.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--cluster-cidr={node.pod_cidr}",
        "--allocate-node-cidrs=true",
        f"--cluster-signing-cert-file={keys / 'ca.crt'}",
        f"--cluster-signing-key-file={keys / 'ca.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
    ]


def _scheduler(node: Node) -> list[str]:
    return [f"--kubeconfig={pki.write_kubeconfig(node, pki.ADMIN)}", "--leader-elect=false"]


def _kubelet(node: Node) -> list[str]:
    return [
        f"--config={node.folder / 'kubelet.json'}",
        f"--kubeconfig={pki.write_kubeconfig(node, pki.NODE)}",
        f"--root-dir={node.folder / 'kubelet'}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    ]


def _proxy(node: Node) -> list[str]:
    return [
        f"--kubeconfig={pki.write_kubeconfig(node, pki.ADMIN)}",
        f"--hostname-override={node.name}",
        f"--cluster-cidr={node.pod_cidr}",
        "--proxy-mode=iptables",
        "--conntrack-max-per-core=0",  # the limit belongs to the machine, not to a namespace
        "--iptables-min-sync-period=100ms",
    ]


def _pod_network(node: Node) -> dict[str, object]:
    first = node.pod_cidr.replace("/16", "/24")
    ranges = [[{"subnet": first}]]
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(runtime_folder(node) / "ipam"),
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pod", "plugins": [bridge, ports]}


def _snapshotter(folder: Path) -> str:
    """Overlays, or copies where the folder lies on an overlay itself (in a container), which the kernel refuses."""
    kind = run("stat", "--file-system", "--format=%T", folder).strip()
    return "native" if kind == "overlayfs" else "overlayfs"


# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc dies with "can't get final child's PID from pipe: EOF".
# netns_mounts_under_state_dir: pods' namespaces are then found, and removed, with the rest of the node.
_CONTAINERD = """version = 2
root = "{root}"
state = "{state}"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
