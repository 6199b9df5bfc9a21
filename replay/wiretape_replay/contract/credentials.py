"""Names of places whose recorded values a contract never shows."""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api.?key|auth|session|cookie|card|iban|ssn|cvc|\bpin\b",
    re.IGNORECASE,
)


def names_credential(name: str) -> bool:
    """Whether a field, header or parameter is called like something secret."""
    return _NAMES.search(name) is not None
