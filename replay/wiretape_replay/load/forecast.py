"""What a load cannot do with the sessions of its recording, known before anything is sent. Pure."""

from __future__ import annotations

from wiretape_replay.load.scenario import Scenario, arrivals_of, until_of
from wiretape_replay.load.script import Script
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.load.stages import Level

NEARLY_ALL = 0.9
"""From this share of the recording's length on a session spans it."""
BRIEF = 1.0
"""Seconds that nobody minds: a shorter session, a later start."""


def forecast(scenario: Scenario, spec: LoadSpec) -> list[str]:
    """One sentence for each thing that will not be as asked."""
    if not scenario.scripts:
        return []
    return [
        *_spanning(scenario.scripts, scenario.rhythm.period, spec),
        *_late(scenario, spec),
        *_untimed(scenario, spec),
    ]


def _spanning(scripts: tuple[Script, ...], period: float, spec: LoadSpec) -> list[str]:
    """One session that spans the recording and is most of it: nothing can be scaled but this one."""
    longest = max(scripts, key=_length)
    whole = max(one.end_ns for one in scripts) - min(one.start_ns for one in scripts)
    requests, own = sum(len(one.steps) for one in scripts), len(longest.steps)
    seconds = _length(longest) / 1e9 / spec.speed
    if seconds < BRIEF or _length(longest) < NEARLY_ALL * whole or 2 * own < requests or spec.arrivals == "closed":
        return []
    what = "the recording is a single session" if len(scripts) == 1 else f"one of {len(scripts):,} sessions"
    until = until_of(spec, Level.of(spec.scale, spec.stages))
    faults = [
        f"none comes to its end within {until:g} s" if until is not None and until <= seconds else "",
        f"it begins again only every {period:.1f} s" if spec.arrivals == "recorded" and (until or 0) > seconds else "",
        "all of its clones begin together" if spec.arrivals == "recorded" and (spec.scale > 1 or spec.stages) else "",
    ]  # fmt: skip
    told = ", and ".join(filter(None, faults))
    advice = ": --arrivals constant RATE spreads them" if spec.arrivals == "recorded" else ""
    holds = f"{what} with {own:,} of {requests:,} requests and {seconds:.1f} of {whole / 1e9 / spec.speed:.1f} s"
    return [f"{holds}: {told}{advice}; docs/load.md says what a session is"] if told else []


def _late(scenario: Scenario, spec: LoadSpec) -> list[str]:
    first = next(arrivals_of(scenario, spec), None)
    if first is None:
        return ["no session begins: the scale is 0 whenever one should"]
    if first.at < BRIEF:
        return []
    return [f"nothing is sent for the first {first.at:.1f} s: no session begins before"]


def _untimed(scenario: Scenario, spec: LoadSpec) -> list[str]:
    until = until_of(spec, Level.of(spec.scale, spec.stages))
    ends = max(one.end_ns for one in scenario.scripts) - min(one.start_ns for one in scenario.scripts)
    seconds = until if until is not None else ends / 1e9 / spec.speed
    if not spec.warmup or spec.warmup < seconds or (spec.arrivals != "recorded" and until is None):
        return []
    return [f"no response time counts: the warm-up of {spec.warmup:g} s is no shorter than the load of {seconds:.1f} s"]


def _length(script: Script) -> int:
    return script.end_ns - script.start_ns
