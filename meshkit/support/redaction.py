"""What leaves the machine in a support bundle holds no secret: known ones are looked for, and what looks like one too.

Known values are those of the state directory and of every Secret in the federation's namespaces, as they are and as
others write them: in base64, percent-encoded, with escaped line ends, and line by line for keys. Beside them whatever
has the form of a secret goes: private keys, JWTs, values of headers and fields that carry credentials, passwords in
URLs. Certificates stay, since they are public and often the answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from meshkit.support.known import Known

PASSWORDS = r"password|passwd|passphrase|secret_?id|api_?key|access_?key|private_?key|gossip_?key|client_?secret"
TOKENS = r"token|secret|encrypt"
"""Words that Consul's own log uses before a colon too (agent.acl: Error resolving token: error=...)."""

MARKS = r"\\?[\"']?\s*[:=]\s*\\?[\"']?"
VALUE = r"(?!<redacted|true\b|false\b|null\b|none\b)[^\s\"'\\{}\[\],&;<>()]"

FORMS = (
    (
        "private key",
        re.compile(
            r"()-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\w+/=:,.\-\s\\]{0,8192}?-----END [A-Z ]*PRIVATE KEY-----"
            r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*)"  # one that was cut off
        ),
    ),
    ("JWT", re.compile(r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")),
    (
        "header",
        re.compile(
            r"((?:authorization|x-consul-token|x-vault-token|set-cookie|cookie)\\?[\"']?\s*[:=]\s*\\?[\"']?)"
            r"(?:(?:bearer|basic)\s+)?(?!<redacted)[^\s\"'\\,;]{4,}",
            re.IGNORECASE,
        ),
    ),
    (
        "header",  # as Envoy's bootstrap has it, in initial_metadata
        re.compile(
            r"(\"key\":\s*\"(?:x-consul-token|authorization)\",\s*\"value\":\s*\")(?!<redacted)[^\"]+", re.IGNORECASE
        ),
    ),
    ("field", re.compile(rf"((?:{PASSWORDS}){MARKS}){VALUE}{{4,}}", re.IGNORECASE)),
    (
        "field",
        re.compile(
            rf"((?<![a-z0-9])(?:{TOKENS})(?:{MARKS}(?<!: )|\\?[\"']\s*:\s*\\?[\"'])){VALUE}{{4,}}", re.IGNORECASE
        ),
    ),
    ("field", re.compile(rf"((?<![a-z0-9])(?:{TOKENS}): )(?=\S*\d){VALUE}{{8,}}", re.IGNORECASE)),
    ("password in a URL", re.compile(r"(://[^\s/@:\"']*:)(?!<redacted)[^\s/@\"']+(?=@)")),
)
"""Name and pattern of what looks like a secret; the pattern's group is what stays."""


class Redactor:
    """Takes secrets out of texts. ``counts`` says how often each was there, by its name."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._known = Known(known)

    def clean(self, text: str) -> str:
        """The text without them: each is replaced by its name."""
        text = self._known.replace(text, self._mark)
        for name, pattern in FORMS:
            text = pattern.sub(lambda found, name=name: found[1] + self._mark(name), text)  # type: ignore[misc]
        return text

    def _mark(self, name: str) -> str:
        self.counts[name] += 1
        return f"<redacted: {name}>"
