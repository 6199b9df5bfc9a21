"""What was made of bytes that came before, for peers that say the same again. Pure."""

from __future__ import annotations

KNOWN_LIMIT = 512
KNOWN_BYTES = 2048


class Known[V]:
    """By the bytes as a whole. Bound: `KNOWN_LIMIT` entries of at most `KNOWN_BYTES` bytes; then it begins anew."""

    def __init__(self) -> None:
        self._made: dict[bytes, V] = {}
        self.get = self._made.get
        """What was made of these bytes; None where it is not known."""

    def __len__(self) -> int:
        return len(self._made)

    def remember(self, said: bytes, made: V) -> V:
        """Keep what was made of these bytes, and give it back."""
        if len(said) <= KNOWN_BYTES:
            if len(self._made) >= KNOWN_LIMIT:
                self._made.clear()
            self._made[said] = made
        return made
