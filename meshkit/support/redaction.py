"""What leaves the machine in a support bundle holds no secret: known ones are looked for, and what looks like one too.

Known values are those of the state directory and of every Secret in the federation's namespaces, as they are and as
others write them: in base64, percent-encoded, with escaped line ends, and line by line for keys. Beside them whatever
has the form of a secret goes: private keys, JWTs, values of headers, fields and arguments that carry credentials,
passwords in URLs. Certificates stay, since they are public and often the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from meshkit.support import forms
from meshkit.support.known import Known


class Redactor:
    """Takes secrets out of texts. ``counts`` says how often each was there, by its name."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._known = Known(known)

    def clean(self, text: str) -> str:
        """The text without them: each is replaced by its name."""
        return forms.replace(self._known.replace(text, self._mark), self._mark)

    def _mark(self, name: str) -> str:
        self.counts[name] += 1
        return f"<redacted: {name}>"
