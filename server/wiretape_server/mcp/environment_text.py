"""What an app started elsewhere needs, as text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def environment_lines(endpoints: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """Endpoints and `export` lines."""
    lines = [f"{role}: {url}" for role, url in endpoints.items()]
    if environment:
        lines.append("environment for an app that is started elsewhere:")
        lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return lines
