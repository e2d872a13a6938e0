"""Whether installations can become one federation: every reason why not, each with what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from meshkit.consul import official, upgrades
from meshkit.consul.names import CONSUL_RELEASE, DOMAIN, LEGAL_NAME
from meshkit.consul.values import at
from meshkit.errors import MeshkitError
from meshkit.federation.adopt.compare import mark
from meshkit.federation.adopt.installation import Installation
from meshkit.kubernetes import kubectl
from meshkit.pki import inspect
from meshkit.pki.inspect import UNREADABLE

_UNSUPPORTED = {
    "global.secretsBackend.vault.enabled": "its secrets are in Vault",
    "global.adminPartitions.enabled": "it has admin partitions",
    "externalServers.enabled": "its servers are outside of the cluster",
    "global.peering.enabled": "",
}
"""Values with which meshkit's own ways do not work; peering does no harm."""


def problems(found: Sequence[Installation], primary: str, ours: str = "") -> Iterator[MeshkitError]:
    """Each installation's own, then those between them; ``primary`` is the datacenter that leads.

    ``ours`` is the id of the federation that a run began to make of them before it was killed.
    """
    for one in found:
        yield from _alone(one, ours)
        if one.chart:
            yield from _settings(one)
    yield from _names(found)
    yield from _alike(found)
    yield from _leading(found, primary)


def authority_holder(found: Sequence[Installation]) -> Installation | None:
    """An installation whose cluster holds the CA's key, as a key that meshkit can sign with."""
    return next((one for one in found if _can_sign(one)), None)


def _alone(one: Installation, ours: str) -> Iterator[MeshkitError]:
    where = one.context
    if one.marker and one.marker.federation_id != ours:
        yield MeshkitError(
            f"{where}: its Consul is meshkit's already, in federation {one.marker.federation}",
            hint="meshkit status; meshkit federate adds clusters to it",
        )
    if one.chart is None:
        yield MeshkitError(
            f"{where}: Helm knows no release of statefulset {one.namespace}/{one.prefix}-server",
            hint="what GitOps brings is taken over there: meshkit render, then meshkit federate --gitops",
        )
        return
    if not official.known(one.chart.version) or one.chart.name != CONSUL_RELEASE:
        yield MeshkitError(
            f"{where}: its chart is {one.chart.name} {one.chart.version}, with which meshkit is not known to work",
            hint=f"helm upgrade it first; known are {official.ranges()}",
        )
    if (one.release, one.prefix) != (CONSUL_RELEASE, CONSUL_RELEASE):
        yield MeshkitError(
            f"{where}: its release is {one.release} and its objects begin with {one.prefix}",
            hint="meshkit needs the release consul with global.name: consul, and Helm renames neither: reinstall it so",
        )


def _settings(one: Installation) -> Iterator[MeshkitError]:
    """What must be switched on, or off."""
    where = one.context
    if not one.has("global.tls.enabled"):
        yield MeshkitError(
            f"{where}: TLS is off",
            hint="helm upgrade with global.tls.enabled: true, in two steps as Consul's documentation has it",
        )
    elif not one.trust.fingerprint:
        yield MeshkitError(f"{where}: its CA certificate is in no Secret", hint="global.tls.caCert.secretName names it")
    if not one.has("global.acls.manageSystemACLs"):
        yield MeshkitError(f"{where}: ACLs are off", hint="helm upgrade with global.acls.manageSystemACLs: true")
    if one.trust.gossip is None:
        yield MeshkitError(
            f"{where}: there is no gossip key of 32 bytes",
            hint="give it the other's: consul keyring -install and -use, then global.gossipEncryption.secretName",
        )
    domain = at(one.values, "global.domain")
    if domain not in (None, DOMAIN):
        yield MeshkitError(
            f"{where}: its domain is {domain}",
            hint=f"meshkit's certificates are for {DOMAIN} alone: helm upgrade with global.domain: {DOMAIN}",
        )
    for path, what in _UNSUPPORTED.items():
        if what and one.has(path):
            yield MeshkitError(f"{where}: {what}", hint=f"meshkit works without {path} alone")


def _names(found: Sequence[Installation]) -> Iterator[MeshkitError]:
    for name, times in Counter(one.datacenter for one in found).items():
        if times > 1:
            both = " and ".join(one.context for one in found if one.datacenter == name)
            yield MeshkitError(
                f"{both}: both are datacenter {name}",
                hint="a datacenter can't be renamed: reinstall one of them with another global.datacenter",
            )
        if not LEGAL_NAME.fullmatch(name):
            yield MeshkitError(
                f"the datacenter name {name} is not legal: lower-case letters, digits and dashes",
                hint="a datacenter can't be renamed: reinstall it with another global.datacenter",
            )


def _alike(found: Sequence[Installation]) -> Iterator[MeshkitError]:
    """CA and gossip key are the same everywhere, the CA's key is somewhere, and the versions speak to each other."""
    together = " and ".join(one.context for one in found)
    fingerprints = {one.trust.fingerprint for one in found if one.trust.fingerprint}
    if len(fingerprints) > 1:
        yield MeshkitError(
            f"{together}: their CAs are different ones",
            hint="Consul has no way to change a CA in place: reinstall one with the other's, global.tls.caCert",
        )
    elif fingerprints and authority_holder(found) is None:
        yield _keyless(found, together)
    if len({mark(one.trust.gossip) for one in found if one.trust.gossip}) > 1:
        yield MeshkitError(
            f"{together}: their gossip keys are different ones",
            hint="give one the other's: consul keyring -install KEY, -use KEY, -remove OLD; then set it in its values",
        )
    for one in found[1:]:
        first = found[0].version
        why = upgrades.refusal(*sorted((first, one.version), key=_place)) if first and one.version else ""
        if why:
            yield MeshkitError(
                f"{together}: Consul {first} and {one.version} are too far apart",
                hint=f"upgrade the older first: {why}",
            )


def _keyless(found: Sequence[Installation], together: str) -> MeshkitError:
    """Without the CA's key no certificate can be renewed, and none made for a cluster that joins."""
    held = next((one for one in found if one.trust.key), None)
    if held:
        return MeshkitError(
            f"{together}: the CA's key ({held.trust.key_from}) is not one that meshkit can sign with",
            hint="meshkit needs an EC key that belongs to the CA certificate, unencrypted",
        )
    return MeshkitError(
        f"{together}: the CA's key is in none of the clusters, so meshkit could renew no certificate",
        hint="put it there for the time of the adoption: kubectl create secret generic consul-ca-key "
        "--from-file=tls.key=FILE; it can be deleted afterwards",
    )


def _leading(found: Sequence[Installation], primary: str) -> Iterator[MeshkitError]:
    """One primary, which all others follow or will follow, and whose management token is at hand."""
    names = {one.datacenter for one in found}
    for one in found:
        follows = one.primary_datacenter
        if follows and follows not in names:
            yield MeshkitError(
                f"{one.context}: it follows the primary {follows}, which is not named", hint="name its context too"
            )
        elif follows and follows != primary:
            yield MeshkitError(
                f"{one.context}: it follows the primary {follows}, not {primary}", hint=f"--primary {follows}"
            )
        if one.datacenter == primary and follows and follows != primary:
            yield MeshkitError(f"{one.context}: a secondary can't become the primary", hint=f"--primary {follows}")
        if one.datacenter == primary and one.trust.bootstrap is None and one.has("global.acls.manageSystemACLs"):
            yield MeshkitError(
                f"{one.context}: the management token is in no Secret",
                hint=f"{kubectl(one.context, one.namespace)} create secret generic "
                f"{one.prefix}-bootstrap-acl-token --from-file=token=FILE",
            )


def _can_sign(one: Installation) -> bool:
    """Whether the key is the CA's, and of the kind that meshkit signs with."""
    if one.trust.key is None or not inspect.is_pair(one.trust.ca, one.trust.key.reveal()):
        return False
    try:
        key = load_pem_private_key(one.trust.key.reveal().encode(), None)
    except UNREADABLE:
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey)


def _place(version: str) -> int:
    series = upgrades.series(version)
    return upgrades.known().index(series) if series in upgrades.known() else -1
