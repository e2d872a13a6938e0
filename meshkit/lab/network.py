"""The network of one node: a namespace of its own and a link to this machine.

The link carries only what runs between the machine and the node; other clusters are reached through the WAN device
(``meshkit.lab.wan``) alone. There is no default route: a lab cluster has no internet. Pods are joined by a plain
bridge, which does not enforce NetworkPolicies: they are stored, and nothing is refused because of them.
"""

from __future__ import annotations

import json
from pathlib import Path

from meshkit.lab.command import run
from meshkit.lab.topology import HOST_ADDRESS, Node

NAMESPACES = Path("/run/netns")
SETTINGS = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.route_localnet=1",
    # Replies to other clusters leave by the WAN device whichever way the request came in.
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
)


def up(node: Node) -> None:
    """Make the namespace and the link; what is there already stays."""
    link = host_interface(node)
    if not exists(node):
        run("ip", "netns", "add", node.namespace)
    if not _has_interface("", link):
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", node.namespace)
    inside = ("ip", "-n", node.namespace)
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "address", "replace", f"{node.address}/32", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "route", "replace", f"{HOST_ADDRESS}/32", "dev", "eth0", "src", node.address)
    # Services are known to iptables alone, which are asked once there is a route: the API server calls webhooks.
    run(*inside, "route", "replace", node.service_cidr, "dev", "eth0", "src", node.address)
    run("ip", "address", "replace", f"{HOST_ADDRESS}/32", "dev", link)
    run("ip", "link", "set", link, "up")
    run("ip", "route", "replace", f"{node.address}/32", "dev", link, "src", HOST_ADDRESS)
    run("nsenter", f"--net={NAMESPACES / node.namespace}", "--", "sysctl", "-qw", *SETTINGS)


def down(node: Node) -> None:
    """Delete link and namespace, and with it every rule and route inside."""
    if _has_interface("", host_interface(node)):
        run("ip", "link", "delete", host_interface(node))
    if exists(node):
        run("ip", "netns", "delete", node.namespace)


def exists(node: Node) -> bool:
    """Whether the namespace is there."""
    return (NAMESPACES / node.namespace).exists()


def host_interface(node: Node) -> str:
    """This machine's end of the link; interface names end at 15 letters, so the index stands for the name."""
    return f"meshkit{node.index}"


def _has_interface(namespace: str, name: str) -> bool:
    where = ("-n", namespace) if namespace else ()
    links = json.loads(run("ip", "-json", *where, "link", "show") or "[]")
    return any(link["ifname"] == name for link in links)
