"""Runs with faults: the real engine and a real mock, an unchanged app, and a proxy between that makes the fault.

The app stays up between runs and is reset, which is a start of its own: other ids, other counters.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.verdict.calls import CallFault
from benchmarks.verdict.client import STEP_HEADER
from benchmarks.verdict.faults import Fault, apply
from benchmarks.verdict.recording import Recording
from benchmarks.verdict.unchanged import mock_of
from benchmarks.verdict.wire import Forward, Message, ask, reverse_proxy
from wiretape_capture.jobs.events import Event, Ready
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.verdict.model import Run

SLOW_MS = 1000
WITHOUT_PROXY = (
    "env",
    *(
        word
        for name in ("HTTP_PROXY", "http_proxy", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "WIRETAPE_PROXY")
        for word in ("-u", name)
    ),
)
RESET = Message("POST /__reset HTTP/1.1", (("Host", "app"),))


@dataclass(slots=True)
class Outcome:
    """One run: the engine's verdict, which faults were really made, and what the app answered before them."""

    run: Run
    applied: set[int]
    """Positions of the faults that changed an answer or a call."""
    unchanged: dict[int, Response]


@dataclass
class Lab:
    """One app under test."""

    recording: Recording
    app_port: int = field(default_factory=free_port)
    target_port: int = field(default_factory=free_port)
    calls_port: int = field(default_factory=free_port)
    mock_port: int = 0
    """Where this run's mock listens."""
    learned: tuple[LearnedRule, ...] = ()
    runs: int = 0
    _faults: Sequence[Fault] = ()
    _call: CallFault | None = None
    _applied: set[int] = field(default_factory=set)
    _answers: dict[int, Response] = field(default_factory=dict)

    async def run(self, faults: Sequence[Fault] = ()) -> Outcome:
        """Replay once with these faults."""
        self.runs += 1
        self._faults, self._applied, self._answers = faults, set(), {}
        self._call = next((CallFault(one) for one in faults if one.part == "outbound"), None)
        spec = self._spec()
        if self._call is None:
            await ask(self.app_port, RESET)
        else:
            spec = spec.model_copy(update={"target": None, "app": self._cold_app()})
        run = await replay(spec, self._hear, asyncio.Event())
        if self._call is not None and self._call.done:
            self._applied.add(faults.index(self._call.fault))
        return Outcome(run, self._applied, self._answers)

    def _spec(self) -> ReplaySpec:
        port = int(self.recording.services.rpartition(":")[2])
        services = ServiceMap(name="services", scheme="http", host="127.0.0.1", port=port)
        mock = mock_of(self.recording, self.recording.work.parent).model_copy(update={"maps": (services,)})
        return ReplaySpec(
            tape=self.recording.tape,
            run=self.recording.work / f"lab-{bool(self.learned)}-{self.runs}.run",
            mock=mock,
            learned=self.learned,
            target=f"http://127.0.0.1:{self.target_port}",
            fail_if=("requests.failed > 0", f"latency.max > {SLOW_MS}"),
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, Ready):
            self.mock_port = int(event.endpoints["map:services"].rpartition(":")[2])

    def _cold_app(self) -> AppSpec:
        """The app, started by the engine: one that was up before may know what it does not ask for again.

        It reaches the mock by way of our proxy, so it must not use the mock as its own.
        """
        app = self.recording.app_spec(free_port(), services=f"http://127.0.0.1:{self.calls_port}")
        return app.model_copy(update={"command": (*WITHOUT_PROXY, *app.command)})

    async def answer(self, message: Message, forward: Forward) -> Message:
        """Between the engine and the app."""
        answer = await forward(message)
        step = int(message.header(STEP_HEADER.lower()) or 0)
        self._answers[step] = response_of(answer)
        for position, fault in enumerate(self._faults):
            if step not in fault.steps:
                continue
            if fault.part == "latency":
                await asyncio.sleep(fault.value)
                self._applied.add(position)
                continue
            changed = apply(fault, answer)
            if changed is not answer and changed != answer:
                self._applied.add(position)
            answer = changed
        return answer

    async def call(self, message: Message, forward: Forward) -> Message:
        """Between the app and the mock."""
        return await (self._call.between(message, forward) if self._call else forward(message))


def response_of(message: Message) -> Response:
    """An answer in the product's words."""
    return Response(status=message.status, headers=message.headers, body=body_of(message.body))


@asynccontextmanager
async def laboratory(recording: Recording, learned: Sequence[LearnedRule] = ()) -> AsyncIterator[Lab]:
    """The app and its two proxies, up."""
    lab = Lab(recording, learned=tuple(learned))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(reverse_proxy(lab.calls_port, lambda: lab.mock_port, lab.call))
        await stack.enter_async_context(reverse_proxy(lab.target_port, lambda: lab.app_port, lab.answer))
        spec = recording.app_spec(lab.app_port, services=f"http://127.0.0.1:{lab.calls_port}")
        app = await App.start(spec, dict[str, Any]())
        stack.push_async_callback(app.stop)
        await app.wait_ready()
        yield lab
