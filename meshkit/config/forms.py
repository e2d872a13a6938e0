"""What every form of a document has in common: strict, frozen, and wrong in our own words.

Each field's ``description`` is the end of the sentence "expected ...", so that a form and its error messages are one
text. Pydantic's own messages are not shown.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from meshkit.config.problem import Problem, Where

SHOWN = 60
"""Characters of a wrong value that an error quotes."""

_SAID = "said"


class Form(BaseModel):
    """A mapping with known keys; ``expected`` ends the sentence about something else in its place."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
    expected: ClassVar[str] = "a mapping"


def said(text: str) -> PydanticCustomError:
    """An error for a validator to raise, whose text takes the place of "expected ... not ..."."""
    return PydanticCustomError(_SAID, "{text}", {"text": text})


def problems(error: ValidationError, root: type[Form], hidden: Callable[[Where], bool]) -> Iterator[Problem]:
    """What is wrong with a document whose whole is ``root``; the value at a ``hidden`` place is not shown."""
    for found in error.errors(include_url=False):
        where = tuple(str(part) for part in found["loc"])
        yield Problem(where, _text(found, where, root, hidden))


def shown(value: Any) -> str:
    """A value as an error quotes it."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=not str(value).isprintable())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def unknown(name: str, known: Sequence[str], what: str = "key") -> str:
    """That something does not exist, and what may have been meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"no such {what}, did you mean {near[0]}?" if near else f"no such {what}, expected one of {', '.join(known)}"


def _text(found: ErrorDetails, where: Where, root: type[Form], hidden: Callable[[Where], bool]) -> str:
    kind = found["type"]
    if kind == _SAID:
        return str(found["ctx"]["text"])
    if kind == "extra_forbidden":
        return unknown(where[-1], list(_keys(_form_at(root, where[:-1]))))
    if kind == "missing":
        return f"missing, expected {_expected(root, where)}"
    value = "that" if hidden(where) else shown(found["input"])
    return f"expected {_expected(root, where)}, not {value}"


def _keys(form: type[Form]) -> dict[str, FieldInfo]:
    """Fields by the key that the document has for them."""
    return {field.alias or name: field for name, field in form.model_fields.items()}


def _expected(root: type[Form], where: Where) -> str:
    """What belongs into a place: what its key's description says, or the form that a list or mapping is made of."""
    form, inner, text = root, None, root.expected
    for name in where:
        field = _keys(form).get(name)
        if field:
            inner, text = _inner(field.annotation), str(field.description)
            form = inner or form
        elif inner:
            text = inner.expected
    return text


def _form_at(root: type[Form], where: Where) -> type[Form]:
    """The form at a place or nearest around it; a list's or mapping's elements have one name more in their place."""
    form = root
    for name in where:
        field = _keys(form).get(name)
        inner = _inner(field.annotation) if field else None
        if inner:
            form = inner
    return form


def _inner(annotation: Any) -> type[Form] | None:
    """The form within ``Form | None``, ``list[Form]`` or ``dict[str, Form]``."""
    if isinstance(annotation, type) and issubclass(annotation, Form):
        return annotation
    return next((form for part in get_args(annotation) if (form := _inner(part))), None)
