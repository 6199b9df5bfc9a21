"""The simulated machines belong to a benchmark; benchmarks run from the repository root and are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))
