"""Secret material never shows itself, whatever it is asked."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshkit.errors import MeshkitError
from meshkit.pki.material import GossipKey, PrivateKey, Secret, Token

CANARY = "canary-5f3a9c"
KINDS = [Secret, GossipKey, Token, PrivateKey]

SHOWN: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "an f-string": lambda s: f"{s}",
    "an f-string with a width": lambda s: f"{s:>40}",
    "an f-string with repr": lambda s: f"{s!r}",
    "format": "{}".format,
    "the percent sign": lambda s: "%s %r" % (s, s),  # noqa: UP031 - the old way is what is tried
    "a list": lambda s: str([s]),
    "a mapping": lambda s: str({"key": s}),
    "an exception": lambda s: str(MeshkitError(f"failed with {s}")),
    "its attributes": lambda s: str(getattr(s, "__dict__", "")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN.keys())
def test_a_secret_shows_its_kind_only(kind: type[Secret], show: Callable[[Any], object]) -> None:
    """All ways in which a value gets into a text by accident."""
    assert CANARY not in str(show(kind(CANARY)))


def test_a_secret_in_a_log_line_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    """Logging formats late, and so redacts too."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").error("token %s", Token(CANARY))
    assert CANARY not in caplog.text
    assert "<redacted>" in caplog.text


@pytest.mark.parametrize(
    "leave",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps],
    ids=["pickled", "copied", "copied deeply", "written as JSON"],
)
def test_a_secret_is_not_passed_on(leave: Callable[[Any], object]) -> None:
    """A pickle or JSON text would hold it in the clear; a copy is what asdict would pass to one."""
    with pytest.raises(TypeError) as caught:
        leave(Token(CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_reveal_is_the_one_way_out() -> None:
    """What went in comes out."""
    assert Secret(CANARY).reveal() == CANARY


def test_equal_secrets_are_equal_and_hash_alike() -> None:
    """They can be compared and put in sets without being revealed."""
    assert Token("a") == Token("a")
    assert Token("a") != Token("b")
    assert len({Token("a"), Token("a"), Token("b")}) == 2


def test_secrets_of_two_kinds_are_never_equal() -> None:
    """A token is no gossip key even where the texts agree, and neither is a plain text."""
    assert Token("a") != GossipKey("a")
    assert Token("a") != "a"


def test_new_material_is_what_consul_takes_and_never_the_same() -> None:
    """32 bytes in base64, and version 4 UUIDs."""
    keys = {GossipKey.create().reveal() for _ in range(20)}
    tokens = {Token.create().reveal() for _ in range(20)}
    assert len(keys) == len(tokens) == 20
    assert all(len(base64.b64decode(key)) == 32 for key in keys)
    assert all(token[14] == "4" and Token.parse(token).reveal() == token for token in tokens)


@example("0000000000000000000000000canary:")
@given(st.text() | st.binary(max_size=40).map(lambda b: base64.b64encode(b).decode()))
def test_a_text_that_is_no_key_is_refused_without_being_shown(text: str) -> None:
    """Only 32 bytes in base64 pass; the error does not quote the rest."""
    for kind in (GossipKey, Token):
        try:
            assert kind.parse(text).reveal()
        except MeshkitError as error:
            shown = "".join(traceback.format_exception(error)).replace(__file__, "")
            assert len(text) < 12 or text not in shown


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_gossip_key_of_another_size_is_refused(size: int) -> None:
    """Serf takes 16 and 24 bytes too; meshkit makes 32 and nothing less."""
    with pytest.raises(MeshkitError, match="not 32 bytes"):
        GossipKey.parse(base64.b64encode(bytes(size)).decode())
