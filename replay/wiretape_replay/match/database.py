"""A command for a database taken apart for matching, whatever its protocol. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

from wiretape_replay.match.parts import Leaf, Parts
from wiretape_replay.match.volatile import text_of


@dataclass(frozen=True, slots=True)
class DatabaseParts(Parts):
    """One command. Its only segment is its template: what it is without its values."""

    changes: bool = False

    word: ClassVar[str] = "statement"
    """What the protocol calls its commands."""

    @property
    def path(self) -> str:
        """The template, for people."""
        return self.segments[0]

    @property
    def collection(self) -> str:
        """What names all of its kind, for reads of one thing by a template of its own; empty for any other."""
        return ""

    @property
    def housekeeping(self) -> bool:
        """Whether it asks for no data of the app: a probe of the connection, a driver's look at the catalog."""
        return False

    @property
    def writes(self) -> bool:
        """Whether it may change data."""
        return self.changes

    def distance(self, other: Parts) -> int:
        """How far apart two templates are: 0 for equal ones, 10 for those that share no word."""
        mine, theirs = set(self.path.split()), set(other.segments[0].split())
        return 10 - 10 * len(mine & theirs) // max(len(mine | theirs), 1)

    def within(self, other: Parts) -> bool:  # noqa: ARG002
        """Whether another one holds this one as its part."""
        return False

    def told(self) -> Iterator[Leaf]:
        """The values that say what it is about."""
        return (leaf for leaf in self.content.leaves if leaf[0].startswith("bind/"))

    def about(self) -> Iterator[str]:
        """Texts that show for whom it was asked."""
        return (text_of(value) for _, value in self.told())

    def leaves(self) -> Iterator[Leaf]:
        """The template and every value."""
        yield "path/0", self.segments[0]
        yield from self.content.leaves


def fingerprint(template: str) -> str:
    """A short name of a template, the same in every recording: eight hex digits."""
    return blake2b(template.encode(), digest_size=4).hexdigest()
