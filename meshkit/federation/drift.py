"""How a datacenter differs from its description, as sentences: what ``federate`` would change there."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.errors import MeshkitError, NotFoundError
from meshkit.federation import releases
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.steps import gateways, trust
from meshkit.model import Datacenter


def drift(context: Context, datacenter: Datacenter) -> tuple[str, ...]:
    """One sentence per difference; none on a machine without the federation's state, which can't tell."""
    if context.state.identity() is None or context.state.ca_certificate() is None:
        return ()
    return tuple(f"{change.what}: {change.why or 'missing or changed'}" for change in _changes(context, datacenter))


def _changes(context: Context, datacenter: Datacenter) -> Iterator[Change]:
    yield from trust.differences(context, datacenter)
    gateway = gateways.difference(context, datacenter)
    if gateway:
        yield gateway
        return
    try:
        addresses = releases.addresses(context)
    except MeshkitError:
        # Another cluster's silence is reported there; without its address the values here can't be compared.
        return
    if addresses and context.state.server_certificate(datacenter.name):
        for wanted in (releases.consul(context, datacenter, addresses), releases.probe(context, datacenter)):
            try:
                difference = releases.difference(context, datacenter, wanted)
            except NotFoundError as error:
                difference = Change("verify", f"helm release {wanted.name}", datacenter.name, error.message)
            if difference:
                yield difference
