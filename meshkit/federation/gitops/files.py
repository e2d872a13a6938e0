"""A rendered federation as files: to be printed one after the other, or written as a tree that can be committed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from meshkit.federation.gitops import argocd, flux, terraform, text
from meshkit.federation.gitops.rendering import Rendering
from meshkit.federation.gitops.repository import Repository

Form = Literal["values", "manifests", "argocd", "flux", "terraform"]
SECRETS = "SECRETS.md"


def printed(renderings: Sequence[Rendering], form: Form | None, repository: Repository) -> dict[str, str]:
    """Texts by path; without a form the values and the objects, Secrets by names and keys alone."""
    found: dict[str, str] = {}
    for one in renderings:
        if form in (None, "values", "terraform"):
            found |= _values(one)
        if form in (None, "manifests"):
            found |= _manifests(one)
            found[f"{one.datacenter.name}/secrets.yaml"] = text.documents(map(text.redacted, _shown(one)))
        if form == "argocd":
            found[f"{one.datacenter.name}/argocd.yaml"] = text.documents(argocd.applications(one, repository))
        if form == "flux":
            found[f"{one.datacenter.name}/flux.yaml"] = text.documents(flux.manifests(one, repository))
    if form == "terraform":
        found["main.tf.json"] = json.dumps(terraform.document(renderings), indent=2) + "\n"
    return found


def tree(renderings: Sequence[Rendering], form: Form | None, repository: Repository) -> dict[str, str]:
    """The same to be committed: no Secret in any form, and a text that says which ones are expected."""
    found = printed(renderings, form, repository)
    kept = {path: content for path, content in found.items() if not path.endswith("/secrets.yaml")}
    for one in renderings:
        kept |= _values(one)
    return kept | {SECRETS: _expected(renderings)}


def _values(one: Rendering) -> dict[str, str]:
    return {f"{one.datacenter.name}/{d.release}.values.yaml": text.document(d.values) for d in one.deliveries}


def _manifests(one: Rendering) -> dict[str, str]:
    name = one.datacenter.name
    found = {f"{name}/meshkit.yaml": text.documents(one.objects)}
    return found | ({f"{name}/mesh.yaml": text.documents(one.resources)} if one.resources else {})


def _shown(one: Rendering) -> Iterator[dict[str, object]]:
    """Secrets as they are, or by names and keys while there are none."""
    if one.secrets is not None:
        yield from one.secrets
        return
    for name, keys in one.keys.items():
        metadata = {"name": name, "namespace": one.datacenter.namespace}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": dict.fromkeys(keys, "")}


def _expected(renderings: Sequence[Rendering]) -> str:
    """What the releases expect, and the ways it gets there."""
    lines = [
        "# Secrets",
        "",
        "The releases name these Secrets; none of them is in this tree. `meshkit federate --gitops` makes them in each",
        "cluster, with the namespace, the mesh gateway's Service and its marker. To bring them another way (Sealed",
        "Secrets, External Secrets, SOPS), `meshkit render --secrets DIR` writes them to private files, the same ones",
        "every time: keep names, keys and the label `app.kubernetes.io/managed-by: meshkit`.",
        "",
        "| datacenter | namespace | Secret | keys |",
        "|---|---|---|---|",
    ]
    for one in renderings:
        dc = one.datacenter
        lines += [f"| {dc.name} | {dc.namespace} | {name} | {', '.join(keys)} |" for name, keys in one.keys.items()]
    return "\n".join(lines) + "\n"


def charts(renderings: Sequence[Rendering]) -> dict[str, Path]:
    """Charts that a tree brings along: where from, by their place in it."""
    sources = (delivery.source for one in renderings for delivery in one.deliveries)
    return {source.path: source.local for source in sources if source.local}
