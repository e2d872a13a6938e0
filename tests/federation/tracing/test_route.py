"""What is no DATACENTER/SERVICE of the federation is refused, with what is near or there."""

from __future__ import annotations

import pytest

from fakes.federation import described
from meshkit.errors import UsageError
from meshkit.federation.tracing import route


def test_a_route() -> None:
    """Both ends; inside one datacenter it crosses nothing."""
    found = route.parse(described(), "eks/frontend", "aks/backend")

    assert (str(found), found.crosses) == ("eks/frontend to aks/backend", True)
    assert not route.parse(described(), "aks/frontend", "aks/backend").crosses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("frontend", "is not DATACENTER/SERVICE"),
        ("/frontend", "is not DATACENTER/SERVICE"),
        ("eks/", "is not DATACENTER/SERVICE"),
        ("eks/front end", "is not DATACENTER/SERVICE"),
        ("eks/*", "is not DATACENTER/SERVICE"),
        ("eks/a/b", "is not DATACENTER/SERVICE"),
        ("gcp/frontend", "no datacenter gcp is in federation mesh"),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    """Before anything is asked of any cluster."""
    with pytest.raises(UsageError, match=words):
        route.party(described(), text)


def test_a_typing_mistake() -> None:
    """The nearest datacenter is offered, with the service."""
    with pytest.raises(UsageError) as refused:
        route.party(described(), "ekss/frontend")
    assert refused.value.hint == "did you mean eks/frontend?"
