"""What is wrong with the official chart's values or with the chart itself, before anything is touched.

The chart has no schema: what it does not know it ignores, and what does not fit it refuses in the midst of an install.
So keys are looked up in lists, and the chart is rendered once with the values that it will get.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from meshkit.consul import keys, official, values
from meshkit.consul.names import CONSUL_RELEASE
from meshkit.errors import MeshkitError
from meshkit.federation import charts, releases, server_names
from meshkit.federation.context import Context
from meshkit.model import Datacenter, Federation

PLACEHOLDER_ADDRESS, PLACEHOLDER_CERTIFICATE = "192.0.2.1", "0" * 64
"""What is not known yet takes part in no rule of the chart (the address is of RFC 5737)."""

_FAILED = re.compile(r"execution error at \((?P<place>[^)]*)\): (?P<text>.*?)(?:\s*Use --debug flag .*)?\Z", re.DOTALL)
_KEY = re.compile(r"\b[a-zA-Z][\w-]*(?:\.[a-zA-Z][\w-]*)+")


def problems(context: Context, *, render: bool = True) -> Iterator[MeshkitError]:
    """Every problem of every datacenter; nothing for the light chart, whose schema speaks for itself.

    Without ``render`` only what needs no helm.
    """
    federation = context.federation
    if not federation.official:
        return
    found = [problem for dc in federation.datacenters for problem in described(federation.seen_from(dc), dc)]
    yield from found
    if found or not render:
        return
    for name, problem in context.each(lambda dc: _rendered(context, dc)).items():
        if problem:
            yield problem if problem.message.startswith(f"{name}: ") else _of(name, problem)


def described(federation: Federation, datacenter: Datacenter) -> Iterator[MeshkitError]:
    """What the description alone shows to be wrong."""
    name, version = datacenter.name, federation.chart_version
    if not datacenter.primary and not datacenter.api_server:
        yield MeshkitError(
            f"{name}: the kubeconfig's address of its API server is this machine's own; the primary's servers need "
            "another",
            hint=f"datacenters.{name}.k8sAuthMethodHost: https://... in mesh.yaml",
        )
    known = version in official.versions() or datacenter.consul_version or _own_image(datacenter)
    if federation.image_registry and not known:
        yield MeshkitError(
            f"{name}: the image of Consul that belongs to the official chart {version} is not known",
            hint=f"datacenters.{name}.values.global.image in mesh.yaml",
        )
    for unknown in keys.unknown(datacenter.values, version):
        meant = (
            f"did you mean {'.'.join((*unknown.where[:-1], unknown.near))}?" if unknown.near else "see its values.yaml"
        )
        yield MeshkitError(
            f"datacenters.{name}.values.{'.'.join(unknown.where)}: the official chart {version} has no such value",
            hint=meant,
        )
    for where in keys.flat(datacenter.values, version):
        yield MeshkitError(
            f"datacenters.{name}.values.{'.'.join(where)}: expected a mapping of Helm values",
            hint=f"the official chart {version} has keys below it: see its values.yaml",
        )
    yield from server_names.problems(datacenter)
    if not _is_json_object(datacenter):
        yield MeshkitError(
            f"datacenters.{name}.values.server.extraConfig is no JSON object", hint="such as '{\"log_json\": true}'"
        )


def _rendered(context: Context, datacenter: Datacenter) -> MeshkitError | None:
    """Why the chart can't be had, or refuses the values; None without a look where it is installed just so."""
    federation = context.federation.seen_from(datacenter)
    try:
        helm = context.helm(datacenter.name)
        chart = charts.fetch(federation, helm)
        if not _is_there(context, datacenter):
            addresses = {dc.name: PLACEHOLDER_ADDRESS for dc in federation.datacenters}
            wanted = values.consul_values(context.federation, datacenter, addresses, PLACEHOLDER_CERTIFICATE)
            helm.check(CONSUL_RELEASE, datacenter.namespace, chart, wanted)
    except MeshkitError as error:
        return refused(datacenter, error)
    return None


def refused(datacenter: Datacenter, error: MeshkitError) -> MeshkitError:
    """The chart's own ``fail`` text with the key of the user's that it is about, where that can be told."""
    found = _FAILED.search(f"{error.message}\n{error.detail}".strip())
    if found is None:
        return error
    text = " ".join(found["text"].split())
    ours = [path for path in _KEY.findall(text) if _is_set(datacenter.values, path)]
    where = ", ".join(f"datacenters.{datacenter.name}.values.{path}" for path in dict.fromkeys(ours))
    return MeshkitError(
        f"{datacenter.name}: the chart refuses its values: {text}",
        hint=f"set by {where}"
        if where
        else f"see datacenters.{datacenter.name}.values; the chart checks in {found['place']}",
    )


def _is_there(context: Context, datacenter: Datacenter) -> bool:
    """Whether the release is installed exactly as described; false while that can't be told."""
    if not context.state.server_certificate(datacenter.name):
        return False
    try:
        addresses = releases.addresses(context)
        return bool(addresses) and not releases.difference(
            context, datacenter, releases.consul(context, datacenter, addresses or {})
        )
    except MeshkitError:
        return False


def _is_set(given: Mapping[str, object], path: str) -> bool:
    place: object = given
    for name in path.split("."):
        if not isinstance(place, Mapping) or name not in place:
            return False
        place = place[name]
    return True


def _own_image(datacenter: Datacenter) -> bool:
    return _is_set(datacenter.values, "global.image")


def _is_json_object(datacenter: Datacenter) -> bool:
    server = datacenter.values.get("server")
    text = server.get("extraConfig") if isinstance(server, Mapping) else None
    try:
        return text is None or (isinstance(text, str) and isinstance(json.loads(text or "{}"), dict))
    except ValueError:
        return False


def _of(name: str, problem: MeshkitError) -> MeshkitError:
    return type(problem)(f"{name}: {problem.message}", hint=problem.hint, detail=problem.detail)
