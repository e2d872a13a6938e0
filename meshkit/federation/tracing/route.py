"""``DATACENTER/SERVICE`` as the command line gives it, held against the federation before anything is touched."""

from __future__ import annotations

import difflib

from meshkit.errors import UsageError
from meshkit.federation.segmentation import SERVICE
from meshkit.model import Federation
from meshkit.trace.hops import Party, Route


def parse(federation: Federation, source: str, destination: str) -> Route:
    """The route, or UsageError."""
    return Route(party(federation, source), party(federation, destination))


def written(text: str) -> Party:
    """One end as it is written, whether or not there is such a thing; UsageError when it is not written so."""
    datacenter, slash, service = text.partition("/")
    if not datacenter or not slash or not SERVICE.fullmatch(service):
        raise UsageError(
            f"{text!r} is not DATACENTER/SERVICE", hint="such as aks/backend; meshkit status lists services"
        )
    return Party(datacenter, service)


def party(federation: Federation, text: str) -> Party:
    """One end; UsageError says what is near or there."""
    found = written(text)
    known = [dc.name for dc in federation.datacenters]
    if found.datacenter not in known:
        near = difflib.get_close_matches(found.datacenter, known, 1)
        hint = f"did you mean {near[0]}/{found.service}?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"no datacenter {found.datacenter} is in federation {federation.name}", hint=hint)
    return found
