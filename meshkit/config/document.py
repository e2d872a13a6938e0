"""YAML text -> plain values that know their line.

PyYAML's constructor forgets where a value stood, lets the last of two equal keys win, and expands aliases without
end. So the node tree is walked here: it has the lines, and the limits can be kept while it is read. Keys stay texts as
written (``no`` may well be a datacenter in Norway), and a date stays a text, as it does for Helm.

No exception of PyYAML is chained: its text quotes the line at fault, which may hold a secret under ``values``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from meshkit.config.problem import Problem, Where

LARGEST_BYTES = 256 * 1024
DEEPEST = 40
MOST_VALUES = 20_000
"""Far above any federation; a document of nested aliases ("billion laughs") meets it within milliseconds."""

LARGEST_INTEGER = 2**63
_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"})
_SCALARS = frozenset({f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"})


class BrokenError(Exception):
    """The text is no YAML document at all; carries the one problem that says why."""

    def __init__(self, text: str, line: int = 0, hint: str = "") -> None:
        super().__init__(text)
        self.problem = Problem((), text, hint, line)


@dataclass
class Document:
    """Plain values, the line of each place, and what was wrong on the way."""

    data: Any = None
    lines: dict[Where, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, problem: Problem) -> int:
        """The line of a problem: its own, else that of its place or of the nearest place around it."""
        where = problem.where
        while not problem.line and where and where not in self.lines:
            where = where[:-1]
        return problem.line or self.lines.get(where, 1)


def read(content: bytes) -> Document:
    """The document in a file's bytes; BrokenError when there is none."""
    if len(content) > LARGEST_BYTES:
        raise BrokenError(f"larger than {LARGEST_BYTES // 1024} KiB, the most that is read")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenError("not a text in UTF-8", content.count(b"\n", 0, error.start) + 1) from None
    root = _compose(text)
    document = Document()
    if root is not None:
        document.lines[()] = root.start_mark.line + 1
        document.data = _Walk(document).value(root, ())
    return document


class _Loader(yaml.SafeLoader):
    """Composes no deeper than ``DEEPEST``, since composing recurses."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise BrokenError(f"nested deeper than {DEEPEST} levels", line)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _compose(text: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BrokenError(*_explained(error, mark.line + 1 if mark else 0)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BrokenError(f"a character that YAML does not allow (U+{error.character:04X})", line) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # The scanner turns an escape such as \UFFFFFFFF into a character without a look at its size.
        raise BrokenError("broken YAML") from None


def _explained(error: yaml.MarkedYAMLError, line: int) -> tuple[str, int, str]:
    """Text, line and hint; PyYAML's own words where they are the clearest to be had."""
    said = f"{error.problem or error.context}"
    if "'\\t'" in said:
        return "a tab where YAML wants spaces", line, "indent with spaces"
    if "another document" in said:
        return "a second document begins, and one is all that a file may hold", line, "remove the line ---"
    if "undefined alias" in said:
        return "an alias (*) of something that is named nowhere", line, "quote a text that begins with *"
    # What it quotes is a piece of the file, which may be a secret, or a token's <name>.
    said = re.sub(r""" (['"])(?!<).{2,}\1""", "", said)
    return f"broken YAML: {said}", line, "look at this line and the one before it: indentation, quotes, colons"


class _Walk:
    """Nodes to values; what is wrong is noted, and the rest goes on."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0
        self._constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, where: Where) -> Any:
        self._values += 1
        line = node.start_mark.line + 1
        # Composing keeps aliases shared, even with their own parents; only here do they unfold.
        if self._values > MOST_VALUES or len(where) > DEEPEST:
            raise BrokenError("aliases that unfold without end", line, "write the values out, without & and *")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._item(item, (*where, str(place))) for place, item in enumerate(node.value)]
        return self._scalar(node, where, line)

    def _item(self, node: yaml.Node, where: Where) -> Any:
        self._document.lines[where] = node.start_mark.line + 1
        return self.value(node, where)

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._report(where, "a key must be a text, not a list or mapping", line)
                continue
            if key.tag == f"{_TAG}merge":
                self._report(where, "merge keys (<<) are not supported", line)
                continue
            name = self._check_text(key.value, (*where, key.value), line)
            place = (*where, name)
            if name in found:
                self._report(place, f"given twice, first in line {self._document.lines[place]}", line)
                continue
            self._document.lines[place] = line
            found[name] = self.value(value, place)
        return found

    def _scalar(self, node: yaml.Node, where: Where, line: int) -> Any:
        if node.tag in _TEXTS:
            return self._check_text(node.value, where, line)
        if node.tag not in _SCALARS:
            self._report(where, "tags such as !!binary are not supported", line)
            return None
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, KeyError):
            self._report(where, f"the tag !!{node.tag.removeprefix(_TAG)} does not fit its value", line)
            return None
        if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) < LARGEST_INTEGER):
            self._report(where, "a number beyond what JSON can hold", line)
            return None
        return value

    def _check_text(self, text: str, where: Where, line: int) -> str:
        """The text; an escape of YAML can make half a character, which nothing after this could write."""
        if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text):
            return text
        # JSON writes a character beyond the 16-bit plane as two halves, which are joined here.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\ufffd" in whole and "\ufffd" not in text:
            self._report(where, "an escape that is no character", line)
        return whole

    def _report(self, where: Where, text: str, line: int) -> None:
        self._document.problems.append(Problem(where, text, line=line))
