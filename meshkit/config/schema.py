"""The form of a federation's description: which keys there are, and what each expects.

Each field's ``description`` is the end of the sentence "expected ..." (``forms``). What is below ``values`` or
``probe`` is never shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo

from meshkit.config.forms import Form, problems
from meshkit.config.problem import Problem, Where
from meshkit.consul.names import LEGAL_NAME, LONGEST_NAME
from meshkit.model import DEFAULT_FEDERATION, DEFAULT_NAMESPACE, GATEWAY_PORT, LIGHT_CHART

SERVER_COUNTS = frozenset({1, 3, 5})
"""Raft needs a majority: an even number of servers tolerates no more failures than one less."""

MOST_GATEWAYS = 20
_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


def _is_server_count(value: int) -> int:
    if value not in SERVER_COUNTS:
        raise ValueError(value)
    return value


def _is_printable(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(value)
    return value


def _chart(value: str, info: ValidationInfo) -> str:
    """``light``, or the absolute path of a chart; a relative one starts at the folder in the validation's context."""
    if value == LIGHT_CHART:
        return value
    try:
        folder = (Path(info.context or "") / Path(value).expanduser()).resolve()
        found = (folder / "Chart.yaml").is_file()
    except (OSError, RuntimeError):
        # A link that leads to itself, or the home of a user that does not exist.
        found = False
    if not found:
        raise ValueError(value)
    return str(folder)


def _empty_for_none(value: Any) -> Any:
    """``values:`` with nothing but comments below it is YAML for null, and means no values."""
    return {} if value is None else value


Name = Annotated[
    str,
    Field(
        pattern=f"^(?:{LEGAL_NAME.pattern})$",
        description=f"lower-case letters, digits and dashes, at most {LONGEST_NAME} of them",
    ),
]
Text = Annotated[str, AfterValidator(_is_printable), Field(description="a context of the kubeconfig")]
Namespace = Annotated[
    str, Field(pattern=_LABEL, description="a namespace: lower-case letters, digits and dashes, at most 63 of them")
]
Servers = Annotated[int, AfterValidator(_is_server_count), Field(description="1, 3 or 5")]
Gateways = Annotated[int, Field(ge=1, le=MOST_GATEWAYS, description=f"a whole number from 1 to {MOST_GATEWAYS}")]
Port = Annotated[int, Field(ge=1, le=65535, description="a port from 1 to 65535")]
Chart = Annotated[
    str, AfterValidator(_chart), Field(description=f"{LIGHT_CHART} or the folder of a chart, with a Chart.yaml")
]
Values = Annotated[dict[str, Any], BeforeValidator(_empty_for_none), Field(description="a mapping of Helm values")]


class DatacenterForm(Form):
    """One entry of ``datacenters``."""

    expected: ClassVar[str] = "a mapping with at least the key context"

    context: Text
    namespace: Namespace = DEFAULT_NAMESPACE
    servers: Servers = 1
    gateways: Gateways = 1
    gatewayPort: Port = GATEWAY_PORT  # noqa: N815 - the key's own spelling, as Kubernetes spells keys
    values: Values = Field(default_factory=dict)
    probe: Values = Field(default_factory=dict)


class FederationForm(Form):
    """The whole document; what stands here holds for every datacenter that does not say otherwise."""

    expected: ClassVar[str] = "keys such as federation and datacenters"

    federation: Name = DEFAULT_FEDERATION
    primary: str = Field("", description="the name of one of the datacenters")
    namespace: Namespace = DEFAULT_NAMESPACE
    chart: Chart = LIGHT_CHART
    servers: Servers = 1
    gateways: Gateways = 1
    gatewayPort: Port = GATEWAY_PORT  # noqa: N815 - as above
    datacenters: Annotated[
        dict[str, DatacenterForm], Field(description="a mapping from each datacenter's name to its context")
    ]


def parse(data: Any, folder: Path) -> tuple[FederationForm | None, list[Problem]]:
    """The form, or all that is wrong with it; a chart's relative path starts at ``folder``."""
    try:
        return FederationForm.model_validate(data, context=folder), []
    except ValidationError as error:
        return None, list(problems(error, FederationForm, _is_secret))


def _is_secret(where: Where) -> bool:
    """Values may hold anything."""
    return where[-1:] in {("values",), ("probe",)}
