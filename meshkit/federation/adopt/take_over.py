"""Taking installations over: their CA, gossip key and tokens into the state directory, their values into descriptions.

After that they are a federation like any other, whose releases and Secrets are not yet as described: the ordinary steps
bring that about. The state is written first and the markers next, so that a run which was killed is finished by the
same command, and from the markers on by ``federate`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from meshkit.consul.values import at
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation.adopt import judge, kept
from meshkit.federation.adopt.installation import Installation
from meshkit.federation.state import FederationSecrets, State
from meshkit.model import OFFICIAL_CHART, Datacenter, Federation
from meshkit.pki import inspect
from meshkit.pki.authority import Authority
from meshkit.pki.material import Token


def primary_of(found: Sequence[Installation], wanted: str, begun: Federation | None = None) -> str:
    """The primary's name: of what is ``begun`` its own, else the one asked for, that others follow, or the first."""
    if wanted and wanted not in {one.datacenter for one in found}:
        listed = ", ".join(one.datacenter for one in found)
        raise UsageError(f'--primary: no datacenter is named "{wanted}"', hint=f"there are {listed}")
    if begun and wanted not in ("", begun.primary.name):
        raise UsageError(
            f"the primary is {begun.primary.name} and can't be changed to {wanted}", hint="leave out --primary"
        )
    followed = [one.primary_datacenter for one in found if one.primary_datacenter]
    return begun.primary.name if begun else wanted or next(iter(followed), found[0].datacenter)


@dataclass(frozen=True)
class Source:
    """Where the official chart comes from: a path, or a repository (empty for HashiCorp's own), in a version."""

    path: str = ""
    version: str = ""
    repository: str = ""


def describe(found: Sequence[Installation], name: str, primary: str, source: Source) -> Federation:
    """The federation that these installations will be; its chart is the newest of theirs unless one is chosen.

    UsageError for one that is older than what there is.
    """
    newest = max((one.chart.version for one in found if one.chart), key=_numbers)
    version = source.version or newest
    if _numbers(version) < _numbers(newest):
        raise UsageError(
            f"the chart {version} is older than what is installed, {newest}",
            hint=f"--chart-version {newest}, or a folder or .tgz of that",
        )
    datacenters = tuple(
        Datacenter(
            one.datacenter,
            one.context,
            primary=one.datacenter == primary,
            namespace=one.namespace,
            servers=one.servers,
            gateways=int(at(one.values, "meshGateway.replicas") or 1),
            api_server=str(at(one.values, "global.federation.k8sAuthMethodHost") or ""),
            values=kept.of(one.values).values,
        )
        for one in found
    )
    return Federation(name, datacenters, OFFICIAL_CHART, source.path, version, source.repository)


def is_begun(known: Federation, found: Sequence[Installation]) -> bool:
    """Whether an earlier run has described these, in any order: by now values may be meshkit's, not the user's."""
    return {(dc.name, dc.context) for dc in known.datacenters} == {(one.datacenter, one.context) for one in found}


def refuse_other(state: State, found: Sequence[Installation]) -> None:
    """MeshkitError when this machine knows another federation of that name."""
    identity, certificate = state.identity(), state.ca_certificate()
    if certificate is None and (identity is None or is_begun(identity.federation, found)):
        return  # a run that was killed may have noted who they are, and not yet their CA
    ours = inspect.inspect(certificate).fingerprint if certificate else ""
    if ours != found[0].trust.fingerprint:
        why = "with another CA" if certificate else "of other clusters"
        raise MeshkitError(f"this machine knows another federation {state.path.name}, {why}", hint="--federation NAME")


def fill(state: State, found: Sequence[Installation], federation: Federation) -> None:
    """Put what the installations hold into the state directory; tokens that they lack are made."""
    holder = judge.authority_holder(found)
    leader = next(one for one in found if one.datacenter == federation.primary.name)
    if holder is None or holder.trust.key is None or leader.trust.gossip is None or leader.trust.bootstrap is None:
        raise MeshkitError("the installations changed while they were looked at", hint="run again")
    certificate = x509.load_pem_x509_certificate(holder.trust.ca.encode())
    key = load_pem_private_key(holder.trust.key.reveal().encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MeshkitError("the CA's key is no EC key", hint="meshkit signs with EC keys alone")
    made = state.secrets()  # by a run that was killed
    tokens: dict[str, Token] = {**(made.tokens if made else {}), "bootstrap": leader.trust.bootstrap}
    replication = next((one.trust.replication for one in (leader, *found) if one.trust.replication), None)
    if replication:
        tokens["replication"] = replication
    state.save_identity(federation)
    state.take_over(Authority(certificate, key), FederationSecrets(leader.trust.gossip, tokens))
    state.ensure_secrets()


def consequences(found: Sequence[Installation], federation: Federation) -> tuple[str, ...]:
    """What follows, in sentences, for whoever has to say yes."""
    holder = judge.authority_holder(found)
    lines = []
    if holder:
        lines.append(
            f"the CA's key is copied from {holder.trust.key_from} of {holder.context} into the state directory; "
            "whoever may read that Secret can sign as well, so delete it when all is well"
        )
    for one in found:
        version = one.chart.version if one.chart else ""
        if version != federation.chart_version:
            lines.append(f"{one.datacenter}: the chart goes from {version} to {federation.chart_version}")
        if one.datacenter != federation.primary.name and not one.primary_datacenter:
            lines.append(
                f"{one.datacenter}: its ACL tokens, policies, config entries and intentions give way to the primary's; "
                "what the mesh's CA has issued there is issued anew"
            )
        dropped = kept.of(one.values).dropped
        if dropped:
            lines.append(f"{one.datacenter}: meshkit decides {', '.join(dropped)}; all other values stay")
    lines.append("every release is upgraded: servers, mesh gateways and the injector restart")
    lines.append("each mesh gateway gets a load balancer of meshkit's; the one of your values stays beside it")
    return tuple(lines)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.replace("-", ".").split("."))
