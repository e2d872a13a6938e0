"""Datacenter names: which are legal, and the one that a context gets when the user names none.

A datacenter's name becomes part of many others: ``server.<dc>.consul`` in the certificate's common name (64 characters,
RFC 5280 appendix A), ``mesh-probe-<dc>`` as a Service (63, RFC 1123), and ``<node>.<dc>`` in the WAN, which Consul
splits at its dots. Consul itself would take an underscore; a DNS name would not. 40 characters fit everywhere.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from meshkit.consul.names import LEGAL_NAME, LONGEST_NAME
from meshkit.platforms import recognise

RULE = f"lower-case letters, digits and dashes, at most {LONGEST_NAME}, with a letter or digit at both ends"

_USER_AT_CLUSTER = re.compile(r"[^@]+@(?P<name>.+)")
"""How kubeadm and many others write contexts; the clouds' own forms are in ``meshkit.platforms``."""

_HASHED = 6


def is_legal(name: str) -> bool:
    """Whether a name can be a datacenter's or a federation's."""
    return LEGAL_NAME.fullmatch(name) is not None


def datacenter_name(context: str) -> str:
    """A legal datacenter name for a kubeconfig context, always the same for the same context.

    What is too long ends in a hash instead of being cut, so that names with a long common beginning stay different.
    """
    at = _USER_AT_CLUSTER.fullmatch(context)
    called = recognise.cluster_name(context) or (at["name"] if at else context)
    plain = unicodedata.normalize("NFKD", called).lower()
    ascii_only = "".join(c for c in plain if not unicodedata.combining(c))
    name = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    if is_legal(name):
        return name
    digest = hashlib.sha256(context.encode(errors="surrogatepass")).hexdigest()[:_HASHED]
    return f"{name[: LONGEST_NAME - _HASHED - 1].strip('-') or 'dc'}-{digest}"
