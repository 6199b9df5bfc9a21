"""How many tokens a text costs a model, counted offline with a vocabulary that lies in its package."""

from __future__ import annotations


def tokens(text: str) -> int:
    """Tokens of a text; what looks like a special token in it is text."""
    import bpe_openai  # reads all its vocabularies: a second, which only those who count should take

    return len(bpe_openai.get_encoding("o200k_base").encode(text, disallowed_special=()))
