"""What it takes to speak to Consul: the management token and the CA certificate.

From the state directory where the federation was made, else from the primary's cluster: whoever may read its Secrets
manages the federation anyway, so any laptop with the contexts can look at it and set intentions. What such a laptop
can't do is join a datacenter, since the CA's key is in no cluster.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from meshkit.backends.base import Kube, Ref
from meshkit.consul import names
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation.state import State
from meshkit.model import Datacenter, Federation
from meshkit.pki.material import Token


@dataclass(frozen=True)
class Credentials:
    """The management token, which never prints itself, and the CA certificate in PEM."""

    token: Token
    ca_certificate: str


def credentials(state: State, federation: Federation, kube: Mapping[str, Kube]) -> Credentials:
    """From the state directory, else from the primary's cluster."""
    certificate, held = state.ca_certificate(), state.secrets()
    if certificate and held and "bootstrap" in held.tokens:
        return Credentials(held.tokens["bootstrap"], certificate)
    primary = federation.primary
    try:
        token = _read(kube[primary.name], names.TOKENS["bootstrap"], primary.namespace, "token")
    except UnreachableError as error:
        raise UnreachableError(
            error.message, hint="the management token is in the primary's cluster, and this machine does not hold it"
        ) from error
    certificate = _read(kube[primary.name], names.CA, primary.namespace, "tls.crt")
    return Credentials(Token.parse(token), certificate)


def ca_certificate(state: State, datacenter: Datacenter, kube: Mapping[str, Kube]) -> str:
    """The CA certificate alone, from the state directory, else from this datacenter's cluster: it is in each."""
    return state.ca_certificate() or _read(kube[datacenter.name], names.CA, datacenter.namespace, "tls.crt")


def _read(kube: Kube, name: str, namespace: str, key: str) -> str:
    found = kube.get(Ref("Secret", name, namespace))
    if found is None or key not in found.get("data", {}):
        raise MeshkitError(
            f"{kube.context}: secret {name} is not there",
            hint="is this the primary's cluster? meshkit federate puts the secret back",
        )
    return base64.b64decode(found["data"][key]).decode()
