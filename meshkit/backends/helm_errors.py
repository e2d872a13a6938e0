"""What helm says when it can't get a chart, as one sentence with a way on."""

from __future__ import annotations

from meshkit.errors import MeshkitError, UnreachableError

MISSING = ("not found in", "chart not found", "no chart version found", "not found", "manifest unknown")
REFUSED = ("401", "403", "unauthorized", "forbidden", "denied")
AWAY = ("cannot be reached", "no such host", "connection refused", "timeout", "did not end within", "unreachable")
BROUGHT = "where there is no way to it: --chart PATH takes a folder or .tgz that was brought along"


def of_pull(repository: str, chart: str, version: str, error: MeshkitError) -> MeshkitError:
    """Why a chart could not be pulled; helm's own words are the detail."""
    said = f"{error.message}\n{error.detail}".strip()
    text = said.lower()
    if any(words in text for words in AWAY):
        return UnreachableError(f"the chart repository {repository} cannot be reached", hint=BROUGHT, detail=said)
    if any(words in text for words in REFUSED):
        return MeshkitError(
            f"the chart repository {repository} wants other credentials, or none of these",
            hint="helm registry login, or helm repo add with a login; or --chart PATH",
            detail=said,
        )
    if any(words in text for words in MISSING):
        return MeshkitError(f"{repository} has no chart {chart} {version}", detail=said)
    return MeshkitError(f"the chart {chart} {version} can't be had from {repository}", hint=BROUGHT, detail=said)
