r"""What looks like a secret, though nobody knows it: private keys, JWTs, and values that stand where credentials do.

Texts are JSON, HCL and logs, and one within another: quotes and line ends may have backslashes before them. In quotes a
value goes to their end, and else to the next blank or bracket. What says nothing (``true``, ``null``), names a file, an
environment variable or the next argument is no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable

PASSWORDS = (
    r"password|passwd|passphrase|secret[_-]?id|api[_-]?key|access[_-]?key|private[_-]?key|gossip[_-]?key"
    r"|client[_-]?secret"
)
TOKENS = r"token|secret|encrypt"
"""Words that Consul's own log uses before a colon too (agent.acl: Error resolving token: error=...)."""


def _apart(word: str) -> str:
    """The word where it is no other's end; a line end's escape before it is none of its letters."""
    return rf"{word}(?:(?<![A-Za-z0-9]{word})|(?<=\\[nrt]{word}))"


APART = "|".join(map(_apart, TOKENS.split("|")))

BLANKS = r"(?:\s|\\+[nrt])*"
QUOTE = r"\\*[\"']"
OPEN = rf"(?P<quote>{QUOTE})"
MARKS = rf"(?:{QUOTE})?\s*[:=]\s*(?:\[\s*(?={QUOTE}))?"
"""Between a name and its value; Go writes a header's values as a list."""

NOTHING = (
    r"<redacted|\$[({]"
    r"|(?:true|false|null|none|(?-i:\$[A-Z][A-Z0-9_]*))(?![^\s\"'\\,;&}\])])"
)
OUTSIDE = r"\s|[{}()\[\],;:]+(?:[\s\"'\\]|$)"
"""What stands behind a quote that closes, as in {"error": "no password:", "code": 1}."""

QUOTED = rf"(?!{NOTHING}|{OUTSIDE})(?:(?!(?<!\\)(?P=quote))[^\n]){{4,}}"
BARE = rf"(?!{NOTHING})[^\s\"'\\{{}}\[\],&;<>()]"
VALUE = rf"(?(quote){QUOTED}|{BARE}{{4,}})"

PRIVATE_KEY = (
    r"()-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\w+/=:,.\-\s\\]{0,8192}?-----END [A-Z ]*PRIVATE KEY-----"
    r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*)"  # one that was cut off
)
JWT = rf"(){_apart('eyJ')}[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]*"

HEADER = (
    rf"(?i)((?:authorization|x-consul-token|x-vault-token|cookie){MARKS}(?:{QUOTE})?)"
    r"(?:(?:bearer|basic)\s+)?(?!<redacted)[^\s\"'\\,;]{4,}"
)
COOKIE = r"[^\s\"'\\,;=<]{1,256}+=(?:<redacted: [^<>]*>|\\*\"[^\s\"'\\,;]*\\*\"|[^\s\"'\\,;<]*)"
COOKIES = rf"(?i)((?<!set-)cookie{MARKS}(?:{QUOTE})?){COOKIE}(?:;\s*{COOKIE})*"
ENVOY_HEADER = (
    rf"(?i)((?<=[\"'])key{MARKS}{QUOTE}(?:[\w-]*(?:{PASSWORDS}|{TOKENS})|authorization|cookie){QUOTE},{BLANKS}"
    rf"{QUOTE}value{MARKS}{OPEN}){QUOTED}"
)

FLAG = r"(?i)(-(?:(?<![\w.-]-)|(?<=\\[nrt]-))-?[\w.-]*"
NO_ARGUMENT = r"(?-i:(?!--?[a-z]|/[a-z]+/))"
"""The next flag, and a path."""

FORMS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("private key", PRIVATE_KEY),
        ("JWT", JWT),
        ("header", COOKIES),
        ("header", HEADER),
        ("header", ENVOY_HEADER),
        ("field", rf"(?i)((?:{PASSWORDS}){MARKS}{OPEN}?){VALUE}"),
        ("field", rf"(?i)((?:{APART})(?:{MARKS}{OPEN}|{MARKS}(?<!: )|{QUOTE}\s*:\s*)){VALUE}"),
        ("field", rf"(?i)((?:{APART}): )(?=\S*\d){BARE}{{8,}}"),
        ("argument", rf"{FLAG}(?:{PASSWORDS}|{TOKENS}){QUOTE}(?:,|\s|\\+[nrt])*{OPEN}){NO_ARGUMENT}{QUOTED}"),
        ("argument", rf"{FLAG}(?:{PASSWORDS})[ \t]+{OPEN}?){NO_ARGUMENT}{VALUE}"),
        ("argument", rf"{FLAG}(?:{TOKENS})[ \t]+{OPEN}?){NO_ARGUMENT}(?=\S*\d|\S{{16}}){VALUE}"),
        ("password in a URL", r"(://[^\s/@:\"']*:)(?!<redacted)[^\s/@\"']+(?=@)"),
    )
)
"""Name and pattern; the pattern's group is what stays. Where words of prose may follow, a token has a digit in it."""

TOKENS_BLOCK = re.compile(rf"{_apart('tokens')}(?:{QUOTE})?\s*[:=]?{BLANKS}{{(?:[^{{}}]++|{{[^{{}}]*}})*+")
IN_BLOCK = re.compile(rf"((?<!\w)\w++(?<!accessor_id){MARKS}{OPEN}){QUOTED}")
"""Consul's acl.tokens: no name in it (agent, default, replication) says what it is."""


def replace(text: str, write: Callable[[str], str]) -> str:
    """The text with what ``write`` makes of its name in the place of each."""
    text = TOKENS_BLOCK.sub(lambda block: _sub("field", IN_BLOCK, block[0], write), text)
    for name, pattern in FORMS:
        text = _sub(name, pattern, text, write)
    return text


def _sub(name: str, pattern: re.Pattern[str], text: str, write: Callable[[str], str]) -> str:
    return pattern.sub(lambda found: found[1] + write(name), text)
