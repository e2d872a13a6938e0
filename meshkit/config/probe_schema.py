"""The form of probes.yaml: which keys an entry has, and what each expects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, create_model

from meshkit.config import duration, probe_fields
from meshkit.config.forms import Form, problems, said, unknown
from meshkit.config.problem import Problem, Where
from meshkit.consul.names import LEGAL_NAME, LONGEST_NAME
from meshkit.probes import expect as expectations
from meshkit.probes.ladder import RUNGS
from meshkit.probes.mechanisms import NAMES
from meshkit.probes.probe import DEFAULT_INTERVAL_S, DEFAULT_TIMEOUT_S
from meshkit.probes.wanted import LADDER, SERVICE

MECHANISMS = tuple(name for name in NAMES if name != "echo")
"""What an entry may be made of; echo is the upper end of the ladder's mesh rung."""

KINDS = (LADDER, SERVICE, *MECHANISMS)
MOST_ENTRIES = 200
MOST_NAMES = 100
MOST_CONDITIONS = 20
LONGEST_CONDITION = 200
SHORTEST_EVERY_S, LONGEST_EVERY_S = 0.1, 86400.0
SHORTEST_TIMEOUT_S, LONGEST_TIMEOUT_S = 0.01, 60.0
ALL = "all"


def _one_or_more(value: Any) -> Any:
    """``from: aks`` says the same as ``from: [aks]``."""
    return [value] if isinstance(value, str) else value


def _distinct(values: list[str]) -> list[str]:
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise said(f"{twice} is given twice")
    return values


def _rungs(value: Any) -> list[str]:
    if value == ALL:
        return list(RUNGS)
    rungs = _one_or_more(value)
    if not isinstance(rungs, list) or not rungs or not all(isinstance(rung, str) for rung in rungs):
        raise ValueError(value)
    for rung in rungs:
        if rung not in RUNGS:
            raise said(f'"{rung[:LONGEST_NAME]}": {unknown(rung, [*RUNGS, ALL], "rung")}')
    return _distinct(rungs)


def _seconds(least_s: float, most_s: float) -> Callable[[Any], float]:
    def parsed(value: Any) -> float:
        if not isinstance(value, str):
            raise ValueError(value)  # noqa: TRY004 - pydantic takes only this
        seconds = duration.parse(value)
        if not least_s <= seconds <= most_s:
            raise ValueError(value)
        return seconds

    return parsed


def _conditions(value: Any) -> tuple[str, ...]:
    texts = _one_or_more(value)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(value)
    if any(len(part) > LONGEST_CONDITION for text in texts for part in text.split(",")):
        raise said(f"an expectation has at most {LONGEST_CONDITION} characters")
    try:
        found = tuple(condition.text for text in texts for condition in expectations.parse(text))
    except ValueError as error:
        raise said(str(error)) from None
    if len(found) > MOST_CONDITIONS:
        raise said(f"{len(found)} expectations, at most {MOST_CONDITIONS} are possible")
    return found


def _time(least_s: float, most_s: float) -> Any:
    bounds = f"from {duration.shown(least_s)} to {duration.shown(most_s)}"
    return Annotated[
        Any,
        AfterValidator(_seconds(least_s, most_s)),
        Field(description=f"a time such as {duration.EXAMPLES}, {bounds}"),
    ]


Name = Annotated[
    str,
    Field(
        pattern=f"^(?:{LEGAL_NAME.pattern})$",
        description=f"a name of lower-case letters, digits and dashes, at most {LONGEST_NAME} of them",
    ),
]
Datacenters = Annotated[
    list[str],
    BeforeValidator(_one_or_more),
    AfterValidator(_distinct),
    Field(min_length=1, max_length=MOST_NAMES, description="a list of datacenters"),
]
Service = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$",
        description="a service's name: letters, digits and dashes, at most 63 of them",
    ),
]


class EntryForm(Form):
    """What every entry has, whatever it probes."""

    expected: ClassVar[str] = "a mapping with a name and what to probe"

    name: Name
    ladder: Annotated[
        Any, AfterValidator(_rungs), Field(description=f"{ALL} or a list of rungs: {', '.join(RUNGS)}")
    ] = None
    service: Service = ""
    as_: Annotated[Service, Field(alias="as")] = ""
    from_: Annotated[Datacenters, Field(alias="from")] = Field([])
    to: Datacenters = Field([])
    every: _time(SHORTEST_EVERY_S, LONGEST_EVERY_S) = DEFAULT_INTERVAL_S  # type: ignore[valid-type]
    timeout: _time(SHORTEST_TIMEOUT_S, LONGEST_TIMEOUT_S) = DEFAULT_TIMEOUT_S  # type: ignore[valid-type]
    expect: Annotated[
        Any, AfterValidator(_conditions), Field(description="expectations such as p99<120ms, loss<0.1%")
    ] = ()


def parse(data: Any) -> tuple[Any, list[Problem]]:
    """The form, or all that is wrong with it."""
    root = _root()
    try:
        return root.model_validate(data), []
    except ValidationError as error:
        return None, list(problems(error, root, _is_unshown))


def _root() -> type[Form]:
    """The whole document; made when it is needed, since it imports every mechanism."""
    targets: dict[str, Any] = {}
    for name in MECHANISMS:
        form = probe_fields.form(name)
        targets[name] = (form, Field(None, description=form.expected))
    entry = create_model("ProbeForm", __base__=EntryForm, **targets)
    listed: Any = Annotated[list[entry], Field(min_length=1, max_length=MOST_ENTRIES)]  # type: ignore[valid-type]
    about = f"a list of 1 to {MOST_ENTRIES} entries, each with a name and what to probe"
    whole: dict[str, Any] = {"probes": (listed, Field(description=about))}
    root = create_model("ProbesForm", __base__=Form, **whole)
    root.expected = "the key probes with a list"
    return root


def _is_unshown(where: Where) -> bool:
    """Texts that may hold a secret, wherever they stand: also a mechanism given as a text."""
    return bool(set(where) & probe_fields.UNSHOWN) or where[-1:] in {(name,) for name in MECHANISMS}
