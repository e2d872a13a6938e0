"""Whether a cluster's DNS is meant to ask Consul about ``.consul``: only then is it a fault that it does not.

Where that is said depends on the cloud: CoreDNS's own Corefile, AKS's ``coredns-custom``, GKE's ``kube-dns``.
"""

from __future__ import annotations

import re

from meshkit.backends.base import Kube, Ref

NAMESPACE = "kube-system"
PLACES = ("coredns", "coredns-custom", "kube-dns")
ZONE = re.compile(
    r"""
    ^[^\n{\#]* (?<![\w.-]) consul\.? (?::\d+)? (?=[\s,{]) [^\n{\#]*\{   # a server block of a Corefile
    | ^\s* forward \s+ consul\.? \s                                     # its plugin, within a block for more
    | "consul\.?"\s*:                                                  # a stub domain of kube-dns
    """,
    re.MULTILINE | re.VERBOSE,
)


def forwards(kube: Kube) -> bool:
    """Whether any of its configurations names the zone."""
    found = (kube.get(Ref("ConfigMap", name, NAMESPACE)) for name in PLACES)
    return any(ZONE.search(str(text)) for each in found if each for text in (each.get("data") or {}).values())
