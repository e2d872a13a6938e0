"""The form of a federation's description: which keys there are, and what each expects.

Each field's ``description`` is the end of the sentence "expected ..." (``forms``). What is below ``values`` or
``probe`` is never shown.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from meshkit.config.forms import Form, problems
from meshkit.config.gateway_forms import Address, Annotations, Internal, SourceRanges
from meshkit.config.problem import Problem, Where
from meshkit.consul.names import LEGAL_NAME, LONGEST_NAME
from meshkit.model import DEFAULT_FEDERATION, DEFAULT_NAMESPACE, GATEWAY_PORT

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
Registry = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$", description="a registry: HOST[:PORT][/PATH]"
    ),
]
Server = Annotated[
    str, Field(pattern=r"^https://[^\s/@]+(/[^\s@]*)?$", description="the https:// URL of the cluster's API server")
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
    gatewayInternal: Internal = False  # noqa: N815 - as above
    gatewaySourceRanges: SourceRanges = Field(default_factory=list)  # noqa: N815 - as above
    gatewayAnnotations: Annotations = Field(default_factory=dict)  # noqa: N815 - as above
    gatewayAddress: Address = ""  # noqa: N815 - as above
    k8sAuthMethodHost: Server = ""  # noqa: N815 - as above
    values: Values = Field(default_factory=dict)
    probe: Values = Field(default_factory=dict)


class FederationForm(Form):
    """The whole document; what stands here holds for every datacenter that does not say otherwise."""

    expected: ClassVar[str] = "keys such as federation and datacenters"

    federation: Name = DEFAULT_FEDERATION
    primary: str = Field("", description="the name of one of the datacenters")
    namespace: Namespace = DEFAULT_NAMESPACE
    chart: str = Field("", description="light, hashicorp, or the folder or .tgz of a chart")
    chartVersion: str = Field("", description="a version of the official chart")  # noqa: N815 - as above
    chartRepo: str = Field("", description="the URL of a chart repository")  # noqa: N815 - as above
    imageRegistry: Registry = ""  # noqa: N815 - as above
    servers: Servers = 1
    gateways: Gateways = 1
    gatewayPort: Port = GATEWAY_PORT  # noqa: N815 - as above
    gatewayInternal: Internal = False  # noqa: N815 - as above
    gatewaySourceRanges: SourceRanges = Field(default_factory=list)  # noqa: N815 - as above
    gatewayAnnotations: Annotations = Field(default_factory=dict)  # noqa: N815 - as above
    datacenters: Annotated[
        dict[str, DatacenterForm], Field(description="a mapping from each datacenter's name to its context")
    ]


def parse(data: Any) -> tuple[FederationForm | None, list[Problem]]:
    """The form, or all that is wrong with it."""
    try:
        return FederationForm.model_validate(data), []
    except ValidationError as error:
        return None, list(problems(error, FederationForm, _is_secret))


def _is_secret(where: Where) -> bool:
    """Values may hold anything."""
    return where[-1:] in {("values",), ("probe",)}
