"""Benchmarks run from the repository root and are not installed: their tests find them there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
