"""Intentions and proxy defaults with the official chart: custom resources of the primary's cluster.

What the chart's controller does (configentry_controller.go of consul-k8s 1.9.11, the same in 2.0.3), and what follows:

- It writes what a resource says unless Consul holds another entry that this datacenter's controller did not write:
  then the resource gets Synced False with ExternallyManagedConfigError. An entry that says the same passes as synced,
  but stays somebody else's, and the resource's next change fails.
- With the annotation migrate-entry it makes such an entry its own, if it says the same; any later change with the
  annotation still there fails with MigrationFailedError. So taking over is two writes: the same with it, then the
  change without.
- Synced has no generation: after a change it still tells of the content before. Only Consul's own entry shows that a
  write has arrived; a condition says something new when it is another than before the write.

So an entry is written where it is kept:

1. A resource says it, in whatever namespace, whoever made it: the resource is changed.
2. Nothing says it: a resource is made in Consul's namespace. So too where the primary's controller wrote an entry whose
   resource has gone without it.
3. meshkit wrote it through the API, or the controller of a datacenter that has left did: a resource takes it over.
4. The controller of another datacenter wrote it: refused, since its resource is in that cluster.
5. Anybody else wrote it through the API, or no resource can say what it says: the API it stays, since a resource would
   turn the next write of the tool it came from into ExternallyManagedConfigError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshkit.backends.base import Manifest, Ref
from meshkit.consul import config_entries, resources
from meshkit.consul.config_entries import GATEWAY_MODE, INTENTIONS, OWNED
from meshkit.errors import ConflictError, DeadlineError, MeshkitError, NotFoundError
from meshkit.federation import controller
from meshkit.federation.context import Context
from meshkit.federation.entries import ApiEntries, Entries, Held
from meshkit.federation.objects import MANAGED

TASK = "settings"
WEBHOOK_S = 15.0
"""For the webhooks to come back: an injector that is rolled or evicted is away for as long as a pod takes to start."""


def of(context: Context) -> Entries:
    """The config entries of a federation, as its chart keeps them."""
    if context.federation.official:
        return ResourceEntries(context)
    return ApiEntries(context.consul(context.federation.primary.name))


class ResourceEntries:
    """``Entries`` as ServiceIntentions and ProxyDefaults."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._primary = context.federation.primary
        self._kube = context.kube[self._primary.name]
        self._consul = context.consul(self._primary.name)
        self._api = ApiEntries(self._consul)
        self._unsettled: dict[Ref, Manifest | None] = {}
        """What was written or deleted, and the condition that it had before."""

    def intentions(self) -> Mapping[str, Held]:
        """See ``Entries``; so for every public method below."""
        found = dict(self._api.intentions())
        for resource in self._list(resources.INTENTIONS_KIND):
            destination = resources.destination_of(resource)
            if destination:
                found[destination] = Held(resources.entry_of(resource), resource)
        return found

    def write(self, before: Held | None, after: Manifest) -> bool:
        """See ``Entries``."""
        if before and before.resource:
            return self._change(before.resource, {"spec": resources.spec_of(after)})
        if before is None or self._is_the_controllers(before.entry):
            return self._create(resources.service_intentions(after, self._primary.namespace, MANAGED))
        if self._may_take_over(before.entry) and resources.is_expressible(before.entry):
            self._take_over(resources.service_intentions(before.entry, self._primary.namespace, MANAGED, migrate=True))
            return False
        return self._api.write(before, after)

    def delete(self, before: Held) -> bool:
        """See ``Entries``."""
        if before.resource is None:
            self._refuse_others(before.entry)
            return self._api.delete(before)
        ref, version = _ref(before.resource), before.resource["metadata"]["resourceVersion"]
        try:
            self._kube.delete(ref, version=version)
        except ConflictError:
            return False
        self._unsettled[ref] = resources.synced(before.resource)
        left = self._api.intentions().get(before.entry["Name"])
        # The controller leaves an entry that it did not write, even where its resource said the same.
        return left is None or self._is_the_controllers(left.entry) or self._api.delete(left)

    def settle(self) -> None:
        """See ``Entries``."""
        pending, self._unsettled = self._unsettled, {}
        if pending:
            self._wait(pending, None)

    def use_local_gateways(self) -> None:
        """See ``Entries``."""
        held = self._consul.config_entries("proxy-defaults")
        if config_entries.gateway_mode(held) == GATEWAY_MODE:
            return
        wanted = {"meshGateway": {"mode": GATEWAY_MODE}}
        found = next(iter(self._list(resources.PROXY_DEFAULTS_KIND)), None)
        entry = next((entry for entry in held if entry["Name"] == resources.GLOBAL), None)
        if found:
            written = self._change(found, {"spec": wanted})
        elif entry and not self._is_the_controllers(entry):
            self._api.use_local_gateways()
            return
        else:
            meta = {"name": resources.GLOBAL, "namespace": self._primary.namespace, "labels": dict(MANAGED)}
            kind = {"apiVersion": resources.API_VERSION, "kind": resources.PROXY_DEFAULTS_KIND}
            written = self._create({**kind, "metadata": meta, "spec": wanted})
        if not written:
            raise MeshkitError("somebody else is changing proxy-defaults", hint="run again")
        self.settle()

    def _list(self, kind: str) -> list[Manifest]:
        try:
            return [{**item, "kind": kind} for item in self._kube.list(kind)]
        except NotFoundError as error:
            raise controller.refused(error, self._primary) from error

    def _create(self, resource: Manifest) -> bool:
        try:
            self._send(lambda: self._kube.create(resource))
        except ConflictError as error:
            self._refuse_namesake(resource, error)
            return False
        except MeshkitError as error:
            if controller.is_taken(error):
                return False
            raise controller.refused(error, self._primary) from error
        self._unsettled[_ref(resource)] = {}
        return True

    def _change(self, resource: Manifest, body: Manifest) -> bool:
        """Merge into a resource while it is as it was read; the annotation that took it over has had its time."""
        ref, meta = _ref(resource), resource["metadata"]
        if meta.get("deletionTimestamp"):
            self._wait({ref: resources.synced(resource)}, None)
            return False
        patch: Manifest = {"metadata": {"resourceVersion": meta["resourceVersion"]}, **body}
        if resources.MIGRATE in (meta.get("annotations") or {}):
            patch["metadata"]["annotations"] = {resources.MIGRATE: None}
        try:
            self._send(lambda: self._kube.patch(ref, patch))
        except (ConflictError, NotFoundError):
            return False
        except MeshkitError as error:
            raise controller.refused(error, self._primary) from error
        self._unsettled[ref] = resources.synced(resource)
        return True

    def _send(self, request: Callable[[], Manifest]) -> None:
        """Make a request that webhooks are asked about, again while they do not answer: a new pod may be starting."""
        refusals: list[MeshkitError] = []

        def sent() -> str:
            try:
                request()
            except MeshkitError as error:
                if not controller.is_away(error):
                    raise
                refusals.append(error)
                return "Consul's controller does not answer yet"
            return ""

        try:
            self._context.wait(TASK, self._primary.name, sent, timeout_s=WEBHOOK_S)
        except DeadlineError as error:
            raise (refusals[-1] if refusals else error) from error

    def _take_over(self, resource: Manifest) -> None:
        if self._create(resource):
            ref = _ref(resource)
            self._wait({ref: self._unsettled.pop(ref)}, self._primary.name)

    def _refuse_namesake(self, resource: Manifest, error: MeshkitError) -> None:
        """A resource of the same name for another destination is not overwritten, and never goes by itself."""
        found = self._kube.get(_ref(resource))
        if found and resources.destination_of(found) != resources.destination_of(resource):
            name = resource["metadata"]["name"]
            raise MeshkitError(
                f"{self._primary.name}: {resource['kind'].lower()} {name} is there for another destination",
                hint="give that resource another name",
            ) from error

    def _is_the_controllers(self, entry: Manifest) -> bool:
        """Whether the primary's controller wrote an entry, and so changes and deletes it."""
        return (entry.get("Meta") or {}).get(resources.DATACENTER) == self._primary.name

    def _may_take_over(self, entry: Manifest) -> bool:
        self._refuse_others(entry)
        meta = entry.get("Meta") or {}
        return bool(meta.get(resources.DATACENTER)) or OWNED.items() <= meta.items()

    def _refuse_others(self, entry: Manifest) -> None:
        owner = (entry.get("Meta") or {}).get(resources.DATACENTER, "")
        if owner != self._primary.name and owner in [dc.name for dc in self._context.federation.datacenters]:
            raise MeshkitError(
                f"the intentions to {entry['Name']} are a resource in datacenter {owner}",
                hint=f"change it there, or delete it there and make it in {self._primary.name}",
            )

    def _wait(self, pending: Mapping[Ref, Manifest | None], migrated_to: str | None) -> None:
        """Until Consul holds what each resource says; a condition that is final, and new, ends the waiting."""
        last: dict[str, Manifest] = {}

        def reason() -> str:
            for ref, before in pending.items():
                resource = self._kube.get(ref)
                text = self._differs(ref, resource, before, migrated_to)
                if text:
                    last["resource"] = resource or {}
                    return text
            return ""

        try:
            self._context.wait(TASK, self._primary.name, reason)
        except DeadlineError as error:
            resource = last.get("resource")
            hint = controller.remedy(resource, self._primary) if resource else ""
            raise DeadlineError(error.message, hint=hint, detail=error.detail) from error

    def _differs(self, ref: Ref, resource: Manifest | None, before: Manifest | None, migrated_to: str | None) -> str:
        if resource is None:
            return ""
        where = f"{ref.kind.lower()} {ref.name}"
        if resource["metadata"].get("deletionTimestamp"):
            return f"{where} is being deleted"
        condition = resources.synced(resource)
        if condition.get("status") == "False" and condition != before and condition.get("reason") in controller.FINAL:
            raise MeshkitError(
                f"{self._primary.name}: {where} is not synced: {condition['reason']}",
                hint=controller.remedy(resource, self._primary),
                detail=str(condition.get("message") or ""),
            )
        if condition.get("status") == "True" and self._is_in_consul(resource, migrated_to):
            return ""
        words = " ".join(filter(None, (condition.get("reason"), condition.get("message"))))
        return f"{where} is not synced yet" + (f": {words}" if words else "")

    def _is_in_consul(self, resource: Manifest, migrated_to: str | None) -> bool:
        if resource["kind"] == resources.PROXY_DEFAULTS_KIND:
            return config_entries.gateway_mode(self._consul.config_entries("proxy-defaults")) == GATEWAY_MODE
        wanted = resources.entry_of(resource)
        for entry in self._consul.config_entries(INTENTIONS):
            if entry["Name"] == wanted["Name"]:
                owner = (entry.get("Meta") or {}).get(resources.DATACENTER)
                return resources.says_the_same(wanted, entry) and migrated_to in (None, owner)
        return False


def _ref(resource: Manifest) -> Ref:
    meta = resource["metadata"]
    return Ref(resource["kind"], meta["name"], meta["namespace"])
