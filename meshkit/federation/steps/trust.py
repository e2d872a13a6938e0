"""Trust: one CA, a server certificate per datacenter, one gossip key and the ACL tokens, as Secrets in each cluster.

All of it is made on this machine and kept in the state directory before any cluster sees it, so a run killed at any
point goes on with the same CA and the same key. The CA's own key never leaves the state directory.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.backends.base import Manifest, Ref
from meshkit.consul.names import CONSUL_RELEASE, SERVER_API
from meshkit.errors import MeshkitError
from meshkit.federation import objects, server_names
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.model import Datacenter
from meshkit.pki import inspect, profiles


def plan(context: Context) -> tuple[Change, ...]:
    """What the state directory and the clusters lack."""
    state, federation = context.state, context.federation
    if state.ca_certificate() is None or state.secrets() is None:
        made = (Change("create", "secrets and certificate from the new CA", dc.name) for dc in federation.datacenters)
        return (Change("create", f"certificate authority, gossip key and tokens in {state.path}"), *made)
    identity = state.identity()
    noted = (
        () if identity and identity.federation == federation else (Change("update", f"description in {state.path}"),)
    )
    found = context.each(lambda dc: tuple(differences(context, dc)))
    return noted + tuple(change for changes in found.values() for change in changes)


def act(context: Context) -> None:
    """Make what is missing, first here, then in every cluster at the same time."""
    make(context)
    context.each(lambda dc: _apply(context, dc))


def mark(context: Context) -> None:
    """Say in every cluster which federation it is of, and how that is laid out; nothing else is touched."""
    state = context.state
    identity, certificate = state.identity(), state.ca_certificate()
    if identity is None or certificate is None:
        raise MeshkitError(f"the state directory {state.path} changed while it was in use", hint="run again")
    fingerprint = inspect.inspect(certificate).fingerprint

    def ensure(dc: Datacenter) -> None:
        context.kube[dc.name].apply(objects.marker(context.federation, dc, identity.id, fingerprint))

    context.each(ensure)


def make(context: Context) -> None:
    """What this machine alone can make: the CA, certificates, gossip key and tokens. No cluster is touched."""
    state = context.state
    state.save_identity(context.federation)
    state.ensure_authority(profiles.load("ca"), context.clock.now())
    state.ensure_secrets()
    for datacenter in context.federation.datacenters:
        if _certificate_fault(context, datacenter):
            _issue(context, datacenter)


def differences(context: Context, datacenter: Datacenter) -> Iterator[Change]:
    """What a datacenter lacks of its certificate and objects, or holds differently."""
    fault = _certificate_fault(context, datacenter)
    if fault:
        yield Change("replace", "server certificate", datacenter.name, fault)
        return
    for manifest in wanted(context, datacenter):
        found = _find(context, datacenter, manifest)
        if objects.data_differs(manifest, found):
            what = f"{manifest['kind'].lower()} {manifest['metadata']['name']}"
            yield Change("update" if found else "create", what, datacenter.name)


def _apply(context: Context, datacenter: Datacenter) -> None:
    """The namespace and the marker come first: whatever a killed run leaves behind, it says whose it is."""
    for manifest in wanted(context, datacenter):
        if objects.data_differs(manifest, _find(context, datacenter, manifest)):
            context.kube[datacenter.name].apply(manifest)


def wanted(context: Context, datacenter: Datacenter) -> Iterator[Manifest]:
    """Namespace, marker, Secrets and what else must be there before a datacenter's chart, in the order of applying.

    What depends on an object before it is made once that one can be applied.
    """
    state = context.state
    certificate, held, identity = state.ca_certificate(), state.secrets(), state.identity()
    server = state.server_certificate(datacenter.name)
    if certificate is None or held is None or identity is None or server is None:
        raise MeshkitError(f"the state directory {state.path} changed while it was in use", hint="run again")
    kube = context.kube[datacenter.name]
    # A namespace that was there already is the user's: it stays as it is, and destroy leaves it alone.
    if kube.get(Ref("Namespace", datacenter.namespace)) is None:
        yield objects.namespace(datacenter.namespace)
    yield objects.marker(context.federation, datacenter, identity.id, inspect.inspect(certificate).fingerprint)
    yield from objects.secrets(datacenter, certificate, server, held, official=context.federation.official)
    if context.federation.official:
        yield objects.server_service(datacenter)
        service = kube.get(Ref("Service", SERVER_API, datacenter.namespace))
        yield objects.server_settings(datacenter, service)


def _find(context: Context, datacenter: Datacenter, manifest: Manifest) -> Manifest | None:
    meta = manifest["metadata"]
    return context.kube[datacenter.name].get(Ref(manifest["kind"], meta["name"], meta.get("namespace", "")))


def _issue(context: Context, datacenter: Datacenter) -> None:
    authority = context.state.authority()
    if authority is None:
        raise MeshkitError(f"the state directory {context.state.path} changed while it was in use", hint="run again")
    profile = profiles.load("server")
    sans = server_names.sans(profile, datacenter)
    name = profile.common_name.format(**_placeholders(datacenter))
    context.state.save_server_certificate(datacenter.name, *authority.issue(profile, sans, name, context.clock.now()))


def _certificate_fault(context: Context, datacenter: Datacenter) -> str:
    """Why the server certificate at hand can't stay, empty when it can."""
    server, certificate = context.state.server_certificate(datacenter.name), context.state.ca_certificate()
    if server is None or certificate is None:
        return "there is none"
    sans = server_names.sans(profiles.load("server"), datacenter)
    return "; ".join(inspect.faults(server[0], sans, certificate, context.clock.now()))


def _placeholders(datacenter: Datacenter) -> dict[str, str]:
    return {
        "datacenter": datacenter.name,
        "release": CONSUL_RELEASE,
        "namespace": datacenter.namespace,
        "federation": "",
    }
