"""Values and objects as YAML text: the same every time, texts of several lines as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from meshkit.backends.base import Manifest
from meshkit.pki.material import REDACTED


class _Dumper(yaml.SafeDumper):
    """Without anchors, which no reader expects in a manifest."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything where it stands."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def document(value: Mapping[str, Any]) -> str:
    """One YAML document."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))


def documents(manifests: Iterable[Manifest]) -> str:
    """Several documents in one file."""
    return "---\n".join(map(document, manifests))


def redacted(secret: Manifest) -> Manifest:
    """A Secret without its values, in a form that no API server takes."""
    return secret | {"data": dict.fromkeys(secret["data"], REDACTED)}
