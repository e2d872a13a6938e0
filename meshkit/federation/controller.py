"""The official chart's controller: whether custom resources can be written now, and what it says of them.

Its resources need three things that come one after the other while a release is installed: the kinds' definitions, the
injector that runs controller and webhooks, and the webhooks' CA, which another pod fills in. An earlier write is
refused by the API server, since the webhooks' failure policy is Fail.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul import resources
from meshkit.errors import MeshkitError
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter

INJECTOR = "consul-connect-injector"
"""The name of the Deployment, of its Service and of the webhook configurations."""

INJECTOR_SELECTOR = "app=consul,component=connect-injector"
LOCK = "consul-controller-lock"
"""The Lease by which injectors elect their leader; it outlives the release."""

FINAL = frozenset({"ExternallyManagedConfigError", "MigrationFailedError"})
"""Reasons of Synced being False that no waiting mends; the others (ConsulAgentError, ConsulPatchError) may pass."""

_WEBHOOK_AWAY = "failed calling webhook"
_TAKEN = ("an existing ServiceIntentions resource has", "proxydefaults resource already defined")


def lacking(kube: Kube, namespace: str) -> str:
    """What is not there yet for resources to be written, empty when all is."""
    for name in (resources.PROXY_DEFAULTS_CRD, resources.INTENTIONS_CRD):
        if not _is_established(kube.get(Ref("CustomResourceDefinition", name))):
            return f"the definition {name} is not established yet"
    if not is_available(kube, namespace):
        return "Consul's controller is not available yet"
    if not _has_authority(kube.get(Ref("MutatingWebhookConfiguration", INJECTOR))):
        return "the webhooks have no CA yet"
    return ""


def is_available(kube: Kube, namespace: str) -> bool:
    """Whether an injector is there that does the controller's work."""
    found = kube.get(Ref("Deployment", INJECTOR, namespace))
    return bool(found and found.get("status", {}).get("availableReplicas"))


def is_taken(error: MeshkitError) -> bool:
    """Whether a resource was refused because another one that says the same kind of thing is there by now."""
    return any(words in error.message for words in _TAKEN)


def is_away(error: MeshkitError) -> bool:
    """Whether a resource was refused because its webhook did not answer."""
    return _WEBHOOK_AWAY in error.message


def refused(error: MeshkitError, primary: Datacenter) -> MeshkitError:
    """Why the API server does not take a resource, with what to do about it."""
    if is_away(error):
        hint = (
            f"its webhook has to answer: {kubectl(primary.context, primary.namespace)} get pods -l {INJECTOR_SELECTOR}"
        )
        return MeshkitError(f"{primary.name}: Consul's controller does not answer", hint=hint, detail=error.message)
    if "could not find the requested resource" in error.message:
        return MeshkitError(
            f"{primary.name}: the definitions of Consul's resources are gone",
            hint="meshkit federate puts them back",
            detail=error.message,
        )
    return error


def remedy(resource: Manifest, primary: Datacenter) -> str:
    """What to do about a resource whose condition Synced is not True."""
    condition, meta = resources.synced(resource), resource["metadata"]
    what = f"{resource['kind'].lower()} {meta['name']}"
    reason, message = condition.get("reason") or "", condition.get("message") or ""
    if reason == "ExternallyManagedConfigError":
        if "datacenter" in message:
            return "one datacenter's resource is enough: delete the one in the datacenter that is named"
        return f"the entry was written through Consul's API: delete it there, or the {what} here"
    if reason == "MigrationFailedError":
        return f"make the {what} say what the entry in Consul says, or take its annotation {resources.MIGRATE} away"
    if reason == "ConsulAgentError":
        return f"is Consul well in {primary.name}? meshkit check"
    return f"{kubectl(primary.context, primary.namespace)} logs -l {INJECTOR_SELECTOR} --tail 50"


def _is_established(definition: Manifest | None) -> bool:
    found: Iterator[Manifest] = iter((definition or {}).get("status", {}).get("conditions") or ())
    return any(c["type"] == "Established" and c["status"] == "True" for c in found)


def _has_authority(webhooks: Manifest | None) -> bool:
    hooks = (webhooks or {}).get("webhooks") or ()
    return bool(hooks) and all(hook.get("clientConfig", {}).get("caBundle") for hook in hooks)
