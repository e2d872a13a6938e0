"""values.yaml and values.schema.json speak of the same keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from charts.rendering import CHARTS, NAMES


@pytest.mark.parametrize("chart", NAMES)
def test_every_default_is_a_key_of_the_schema(chart: str) -> None:
    """A default that the schema does not know would refuse the chart's own values."""
    known = set(_schema_keys(_schema(chart), _schema(chart)))

    unknown = set(_value_keys(_values(chart))) - known

    assert unknown == set()


@pytest.mark.parametrize("chart", NAMES)
def test_no_level_of_the_schema_takes_unknown_keys(chart: str) -> None:
    """An open object is where a mistyped key would pass in silence; what is off has no effect and may be open."""
    open_objects = [path for path, entry in _objects(_schema(chart), _schema(chart)) if not _closed(entry)]

    assert open_objects == []


def _schema(chart: str) -> dict[str, Any]:
    return json.loads((CHARTS / chart / "values.schema.json").read_text())


def _values(chart: str) -> dict[str, Any]:
    return yaml.safe_load((CHARTS / chart / "values.yaml").read_text())


def _value_keys(values: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{above}{key}"
        if isinstance(value, dict) and key not in {"requests", "limits", "labels"}:
            yield from _value_keys(value, f"{above}{key}.")


def _schema_keys(schema: dict[str, Any], entry: dict[str, Any]) -> Iterator[str]:
    yield from (path for path, _ in _entries(schema, entry))


def _objects(schema: dict[str, Any], entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((path, e) for path, e in [("", entry), *_entries(schema, entry)] if e.get("type") == "object")


def _entries(schema: dict[str, Any], entry: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in entry.get("properties", {}).items():
        below = schema["definitions"][value["$ref"].rsplit("/", 1)[1]] if "$ref" in value else value
        yield f"{above}{key}", below
        yield from _entries(schema, below, f"{above}{key}.")
        items = below.get("items", {})
        items = schema["definitions"][items["$ref"].rsplit("/", 1)[1]] if "$ref" in items else items
        if items:
            yield f"{above}{key}[]", items
            yield from _entries(schema, items, f"{above}{key}[].")


def _closed(entry: dict[str, Any]) -> bool:
    switched_off = entry.get("properties", {}).get("enabled") == {"const": False} and entry.get("required") == [
        "enabled"
    ]
    return switched_off or "additionalProperties" in entry
