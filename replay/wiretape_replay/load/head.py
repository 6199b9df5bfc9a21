"""The head of an answer, as it came once and was understood."""

from __future__ import annotations


class Head:
    """What is known of an answer by the bytes that it begins with."""

    __slots__ = ("head", "length", "size", "status")

    def __init__(self, head: bytes, status: int, size: int) -> None:
        self.head, self.status, self.size = head, status, size
        """Its bytes with the blank line; the body's length."""
        self.length = len(head) + size
        """Of the whole answer."""
