"""From the command line or mesh.yaml to a ``Federation``, through one form and one set of rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meshkit.config import consul_chart, file, schema
from meshkit.config.consul_chart import Chart
from meshkit.config.names import RULE, datacenter_name, is_legal
from meshkit.config.problem import Problem, Where, as_error
from meshkit.config.schema import DatacenterForm, FederationForm
from meshkit.model import DEFAULT_FEDERATION, Datacenter, Federation

FEWEST = 2
_EXAMPLE = "meshkit init aks eks > mesh.yaml writes a commented one"
_CONTEXTS = "kubectl config get-contexts lists what there is, meshkit federate --help shows the forms"

_CAPITAL = re.compile(r"[A-Z]")
_REPEATED = {"gatewaySourceRanges": "gatewaySourceRange"}
"""Lists of the file that are one option, given several times, on the command line."""

_OWNED = {
    ("global", "name"): "meshkit finds Consul's objects by it",
    ("global", "datacenter"): "it is the name under datacenters",
    ("server", "replicas"): "set servers",
    ("meshGateway", "replicas"): "set gateways",
    ("meshGateway", "containerPort"): "meshkit's Service leads to it",
}
"""Helm values that have a key of their own here, or none on purpose: two places for one thing would disagree."""


def from_arguments(  # noqa: PLR0913 - one parameter per option of the command line
    clusters: Sequence[str],
    *,
    primary: str = "",
    federation: str = DEFAULT_FEDERATION,
    namespace: str = "",
    servers: int | None = None,
    gateways: int | None = None,
    gateway_internal: bool | None = None,
    gateway_source_ranges: Sequence[str] = (),
    chart: str = "",
    chart_version: str = "",
    chart_repo: str = "",
    image_registry: str = "",
    known: Sequence[str] = (),
) -> Federation:
    """The federation of clusters given as ``CONTEXT`` or ``NAME=CONTEXT``; the first is primary unless one is named.

    ``known`` are the federations that exist: one of these may have come down to a single datacenter. UsageError lists
    everything that is wrong.
    """
    named, problems = _named(clusters)
    options = {
        "primary": primary,
        "namespace": namespace,
        "servers": servers,
        "gateways": gateways,
        "gatewayInternal": gateway_internal,
        "gatewaySourceRanges": list(gateway_source_ranges) or None,
        "chart": chart,
        "chartVersion": chart_version,
        "chartRepo": chart_repo,
        "imageRegistry": image_registry,
    }
    given = {key: value for key, value in options.items() if value not in ("", None)}
    data = {
        "federation": federation,
        **given,
        "datacenters": {name: {"context": context} for name, context in named.items()},
    }
    found, faults = _checked(data, Path.cwd(), problems, known)
    if found is None:
        raise as_error("arguments", faults, _shown_as_argument, _CONTEXTS)
    return found


def load(path: Path | str, *, known: Sequence[str] = ()) -> Federation:
    """The federation that a mesh.yaml describes, ``-`` for standard input; ``known`` as for arguments.

    UsageError names file, line and key.
    """
    name, read = file.read(path, _EXAMPLE)
    found, faults = _checked(read.data, Path(path).parent, read.problems, known)
    if found is None:
        raise as_error(name, sorted(faults, key=read.line), lambda p: file.shown(name, read, p), _EXAMPLE)
    return found


def _named(clusters: Sequence[str]) -> tuple[dict[str, str], list[Problem]]:
    """Contexts by datacenter name. Two that would get the same name are a problem, not one datacenter."""
    named: dict[str, str] = {}
    problems: list[Problem] = []
    for cluster in clusters:
        name, equals, context = cluster.partition("=")
        if not equals:
            name, context = datacenter_name(cluster), cluster
        if not context.strip() or not name:
            problems.append(Problem((), f'"{cluster}": expected CONTEXT or NAME=CONTEXT', "for example aks=my-context"))
        elif name in named and named[name] != context:
            text = f"{named[name]} and {context} would both be datacenter {name}"
            problems.append(Problem((), text, f"name one of them yourself: {name}-2={context}"))
        elif name in named:
            problems.append(Problem((), f"cluster {cluster} is named twice", "name each cluster once"))
        else:
            named[name] = context
    return named, problems


def _checked(
    data: Any, folder: Path, before: Sequence[Problem], known: Sequence[str]
) -> tuple[Federation | None, list[Problem]]:
    """The federation when there is no problem at all, else every problem; the rules look at broken forms too."""
    form, problems = schema.parse(data)
    about_chart = consul_chart.problems(data, folder) if isinstance(data, Mapping) else ()
    problems = [*before, *problems, *about_chart, *_rules(data, known, complete=not before)]
    if problems or form is None:
        return None, problems
    return _federation(form, consul_chart.chosen(data, folder)), []


def _rules(data: Any, known: Sequence[str], *, complete: bool) -> Iterator[Problem]:
    """What no single key decides. ``data`` may be of any shape; ``complete`` is False when entries were dropped."""
    entries = data.get("datacenters") if isinstance(data, Mapping) else None
    if not isinstance(entries, Mapping):
        return
    fewest = 1 if data.get("federation", DEFAULT_FEDERATION) in known else FEWEST
    if len(entries) < fewest and complete:
        yield Problem(("datacenters",), f"a federation needs two clusters or more, not {len(entries)}", _CONTEXTS)
    contexts: dict[Any, str] = {}
    for name, entry in entries.items():
        where = ("datacenters", name)
        if not is_legal(name):
            proposal = datacenter_name(name)
            yield Problem(where, f'the name "{name}" is not legal: {RULE}', f"{proposal} would be")
        if isinstance(entry, Mapping):
            yield from _entry_rules(entry, where, contexts)
    primary = data.get("primary")
    if isinstance(primary, str) and primary and primary not in entries and complete:
        yield Problem(("primary",), f'no datacenter is named "{primary}"', f"there are {', '.join(entries)}")


def _entry_rules(entry: Mapping[str, Any], where: Where, contexts: dict[Any, str]) -> Iterator[Problem]:
    context = entry.get("context")
    if isinstance(context, str):
        first = contexts.setdefault(context, where[-1])
        if first != where[-1]:
            text = f"context {context} is that of datacenter {first} already"
            yield Problem((*where, "context"), text, "every datacenter needs a cluster of its own")
    values = entry.get("values")
    for (part, key), why in _OWNED.items():
        below = values.get(part) if isinstance(values, Mapping) else None
        if isinstance(below, Mapping) and key in below:
            yield Problem((*where, "values", part, key), f"this value can't be set here: {why}")


def _federation(form: FederationForm, chart: Chart) -> Federation:
    primary = form.primary or next(iter(form.datacenters))
    return Federation(
        form.federation,
        tuple(_datacenter(name, entry, form, primary) for name, entry in form.datacenters.items()),
        chart.kind,
        chart.path,
        chart.version,
        form.chartRepo,
        form.imageRegistry,
    )


def _datacenter(name: str, entry: DatacenterForm, form: FederationForm, primary: str) -> Datacenter:
    def of(key: str) -> Any:
        return getattr(entry if key in entry.model_fields_set else form, key)

    return Datacenter(
        name=name,
        context=entry.context,
        primary=name == primary,
        namespace=of("namespace"),
        servers=of("servers"),
        gateways=of("gateways"),
        gateway_port=of("gatewayPort"),
        gateway_internal=of("gatewayInternal"),
        gateway_source_ranges=tuple(of("gatewaySourceRanges")),
        gateway_annotations={**form.gatewayAnnotations, **entry.gatewayAnnotations},
        gateway_address=entry.gatewayAddress,
        api_server=entry.k8sAuthMethodHost,
        values=entry.values,
        probe=entry.probe,
    )


def _shown_as_argument(problem: Problem) -> str:
    option = problem.where[0] if problem.where else ""
    if option in ("", "datacenters"):
        return problem.text
    return f"--{_CAPITAL.sub(_dashed, _REPEATED.get(option, option))}: {problem.text}"


def _dashed(capital: re.Match[str]) -> str:
    """``chartVersion`` of the file is ``--chart-version`` of the command line."""
    return f"-{capital[0].lower()}"
