"""How much likelier it is that a route makes certain calls than that they fall into its handling by chance. Pure."""

from __future__ import annotations

from math import log

CLEARLY = log(20)
"""How much likelier is clearly likelier, as a logarithm."""


def likelihood(times: int, of: int, share: float) -> float:
    """Log likelihood ratio of calls of which `times` fall into a route's handling, against its share of all others.

    0 where they do no more often than others.
    """
    rate = times / of
    if rate <= share:
        return 0.0
    rest = (of - times) * log((1 - rate) / (1 - share)) if times < of else 0.0
    return times * log(rate / share) + rest


def usual_share(times: int, of: int) -> float:
    """The share of calls that fall into a route's handling, never none or all (Laplace's rule of succession)."""
    return (times + 1) / (of + 2)
