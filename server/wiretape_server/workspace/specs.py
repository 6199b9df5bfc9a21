"""From a workspace to the spec of each job: the one place where configuration becomes work, for both faces."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.mapping import found_databases, parse_maps
from wiretape_capture.launch.recorded_names import named_as_recorded
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_capture.snapshot.databases import recorded_databases
from wiretape_capture.snapshot.exchange import Direction
from wiretape_capture.snapshot.listing import find_snapshot
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.load.words import arrivals_of, duration_of, stages_of
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.run_file import find_run
from wiretape_replay.verdict.basis import LockInUse, short
from wiretape_server.workspace.baseline import baseline_spec, checked_url, is_url
from wiretape_server.workspace.judging import judging_load, judging_settings
from wiretape_server.workspace.lock_file import FILE_NAME as LOCK_NAME
from wiretape_server.workspace.lock_file import lock_in_use
from wiretape_server.workspace.noise_file import FILE_NAME, read_rules
from wiretape_server.workspace.ports import INBOUND, PROXY, checked_port
from wiretape_server.workspace.workspace import Workspace

_SEQUENCES = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_LONGEST_RANGE = 1_000_000


def record_spec(ws: Workspace, *, now: datetime, name: str | None = None, log: Path | None = None) -> RecordSpec:
    """One recording under `name`, or one that the time gives. `log` is for the app's output unless a key names one."""
    config = ws.config
    if name is not None and ws.snapshot_path(name).exists():
        raise UsageError(f'there is a snapshot called "{name}" already', "take another name, or delete that one first")
    app = app_spec(ws, log)
    listen = 0 if config.record.listen is None else checked_port(config.record.listen, "--listen")
    proxy_port, proxy_from = _proxy_port(config.record.proxy_port, app)
    name = name or ws.new_snapshot_name(now)
    return RecordSpec(
        tape=ws.snapshot_path(name),
        name=name,
        ca_dir=ws.ca_dir,
        app=_held(ws, app, f"recording {name}"),
        app_port=config.app.port,
        listen=listen,
        listen_from=INBOUND if config.record.listen is None else 0,
        proxy_port=proxy_port,
        proxy_from=proxy_from,
        maps=service_maps(ws),
        engine=config.record.engine,
        overflow=config.record.overflow,
    )


def mock_spec(ws: Workspace, *, log: Path | None = None, journal: Path | None = None, name: str = "") -> MockSpec:
    """One mock of the workspace's snapshot, with the app where it is to be started."""
    app = app_spec(ws, log)
    spec = _mock_spec(ws, default_snapshot(ws, Direction.OUTBOUND), app, journal)
    return spec.model_copy(update={"app": _held(ws, app, f"mock {name or spec.tape.stem}")})


def default_snapshot(ws: Workspace, holding: Direction) -> Path:
    """The snapshot that the configuration names, else the newest that is of use."""
    return find_snapshot(ws.snapshots_dir, ws.config.snapshot or None, holding)


def _mock_spec(ws: Workspace, tape: Path, app: AppSpec | None, journal: Path | None) -> MockSpec:
    """A mock for `app`, which somebody else starts."""
    mock = ws.config.mock
    proxy_port, proxy_from = _proxy_port(mock.proxy_port, app)
    return MockSpec(
        tape=tape,
        ca_dir=ws.ca_dir,
        proxy_port=proxy_port,
        proxy_from=proxy_from,
        maps=service_maps(ws, tape),
        allow=mock.allow,
        timing=mock.timing,
        at_end=mock.at_end,
        journal=journal,
    )


def replay_spec(ws: Workspace, *, now: datetime, verify: bool = False, log: Path | None = None,
                command: str = "", relock: bool = False) -> ReplaySpec:  # fmt: skip
    """One run of the workspace's snapshot; with `verify` the snapshot answers outbound calls unless told not to.

    With `relock` it is about to be locked, so that `replay.locked` wants no lock yet.
    """
    replay = ws.config.replay
    lock = lock_in_use(ws.root, replay.lock_hash)
    locked = replay.locked or bool(replay.lock_hash)
    if locked and lock is None and not relock:
        raise UsageError(f"there is no {LOCK_NAME} in {ws.root}", "write it with `wiretape lock`, review and commit it")
    tape = _judging_snapshot(ws, lock)
    app = app_spec(ws, log)
    target = target_url(ws, app)
    # Only an app that we start is sure to know the mock's address.
    mocked = verify and app is not None if replay.mock is None else replay.mock
    sequences, routes = selection(replay.only)
    run = ws.new_run_path(now)
    return ReplaySpec(
        tape=tape,
        run=run,
        target=target,
        app=_held(ws, app, f"run {run.stem}"),
        mock=_mock_spec(ws, tape, app, ws.jobs_dir / f"{run.stem}.journal") if mocked else None,
        fail_if=replay.fail_if,
        sequences=sequences,
        routes=routes,
        route_templates=ws.config.routes,
        openapi=ws.root / replay.openapi if replay.openapi else None,
        openapi_requests=replay.openapi_requests,
        timing=replay.timing,
        concurrency=replay.concurrency,
        timeout=replay.timeout,
        client_values=replay.client_values,
        seed=replay.seed,
        sign=replay.sign,
        sign_dir=ws.root,
        warmup=replay.warmup,
        latency_seconds=replay.latency_seconds,
        noise=ws.config.noise,
        learned=read_rules(ws.root / FILE_NAME),
        baseline=find_run(ws.runs_dir, replay.baseline) if replay.baseline and not is_url(replay.baseline) else None,
        against=baseline_spec(ws, app, _mock_spec(ws, tape, app, None) if mocked else None),
        settings=judging_settings(ws.config, ws.root, started=app is not None, mocked=mocked),
        lock=lock,
        locked=locked,
        command=command,
    )


def load_spec(ws: Workspace, *, now: datetime, log: Path | None = None, command: str = "") -> LoadSpec:
    """One load of the workspace's snapshot."""
    load = ws.config.load
    if load.stages and load.scale != 1.0:
        raise UsageError("--stages and --scale both say how many clones there are", "give one of them")
    replay = replay_spec(ws, now=now, log=log, command=command)
    if replay.against is not None:
        raise UsageError("a load is not compared with unchanged code that runs beside it",
                         "give --baseline the id of an earlier load")  # fmt: skip
    stages, seconds, warmup = stages_of(load.stages), duration_of(load.duration), duration_of(load.warmup) or 0.0
    if stages and not sum(stage.seconds for stage in stages) and seconds is None:
        raise UsageError(f"the stages {load.stages!r} take no time at all", "give one of them a length, or give --for")
    ends = seconds if seconds is not None else sum(stage.seconds for stage in stages)
    if warmup and ends and warmup >= ends:
        raise UsageError(f"a warm-up of {warmup:g} s leaves nothing to time of a load of {ends:g} s",
                         "give a shorter --warmup or a longer --for")  # fmt: skip
    settings = judging_load(ws.config, ws.root, started=replay.app is not None)
    arrivals, rate = arrivals_of(load.arrivals)
    return LoadSpec(
        replay=replay.model_copy(update={"mock": None, "settings": settings}),
        arrivals=arrivals,
        rate=rate,
        scale=load.scale,
        speed=load.speed,
        stages=stages,
        seconds=seconds,
        warmup=warmup,
        workers=load.workers,
        cluster=load.cluster,
        connections=load.connections,
        compare=load.compare,
        max_lag_ms=load.max_lag,
        allow_writes=load.allow_writes,
    )


def _judging_snapshot(ws: Workspace, lock: LockInUse | None) -> Path:
    """The snapshot to replay; recordings are seldom in git, so a checkout may have the lock without them."""
    try:
        return default_snapshot(ws, Direction.INBOUND)
    except UsageError as error:
        known = ", ".join(f"{one.name} ({short(one.sha256)})" for one in lock.lock.snapshot) if lock else ""
        if not known:
            raise
        raise UsageError(f"{error.problem}; {LOCK_NAME} was made with {known}",
                         f"bring it to {ws.snapshots_dir.relative_to(ws.root)} from where your team keeps it, or "
                         "record again, review and `wiretape lock`") from None  # fmt: skip


def _held(ws: Workspace, app: AppSpec | None, holder: str) -> AppSpec | None:
    """The app with its claim on its port: two jobs that start it there would meet the other's app."""
    if app is None or app.port is None:
        return app
    return app.model_copy(update={"claim": ws.port_claim(app.port, holder)})


def _proxy_port(wanted: int | None, app: AppSpec | None) -> tuple[int, int]:
    """The port and, where it may be any, the one to look from: our own app is told any, a person remembers one."""
    if wanted is not None:
        return checked_port(wanted, "--proxy-port"), 0
    return 0, 0 if app is not None else PROXY


def app_spec(ws: Workspace, log: Path | None = None) -> AppSpec | None:
    """How the app starts; None when it is not ours to start."""
    app = ws.config.app
    start = app.start if app.start is not None else not ws.config.replay.target
    if not start:
        return None
    if not app.command:
        if app.start:
            raise UsageError("there is no app to start", "give -- CMD, or set app.command in wiretape.toml")
        return None
    return AppSpec(
        command=app.command,
        cwd=ws.root / app.cwd,
        env=app.env,
        port=app.port,
        ready=app.ready,
        ready_timeout=app.ready_timeout,
        log=ws.root / app.log if app.log else log,
    )


def service_maps(ws: Workspace, tape: Path | None = None) -> tuple[ServiceMap, ...]:
    """The configured services as listeners, and the databases that the variables of an app of ours name.

    With the `tape` that answers for them databases found so are called as they are there.
    """
    # A service without a name of its own is called by its host:port.
    maps = parse_maps(url if ":" in name else f"{name}={url}" for name, url in ws.config.services.items())
    if not ws.config.app.command:
        return maps
    found = found_databases({**os.environ, **ws.config.app.env}, maps)
    if found and tape is not None:
        found = named_as_recorded(found, maps, recorded_databases(tape))
    return (*maps, *found)


def services_table(maps: Sequence[str]) -> dict[str, str]:
    """`NAME=URL` and `HOST:PORT` as the table `services`, each checked."""
    return {each.name: text.partition("=")[2] if text.startswith(f"{each.name}=") else text
            for each, text in zip(parse_maps(maps), maps, strict=True)}  # fmt: skip


def target_url(ws: Workspace, app: AppSpec | None) -> str | None:
    """Where to replay to; None leaves it to the app that the job starts."""
    config = ws.config
    if config.replay.target:
        return checked_url(config.replay.target)
    if config.app.port is None:
        if app is None:
            raise UsageError(
                "nothing to replay against", "give --target URL, or write down the app with: wiretape init"
            )
        raise UsageError("the app's port is not known", "give --app-port, or set app.port in wiretape.toml")
    return None if app is not None else f"http://127.0.0.1:{config.app.port}"


def selection(only: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Sequence numbers and routes among what the user wants replayed."""
    sequences: list[int] = []
    routes: list[str] = []
    for item in only:
        if numbers := _SEQUENCES.fullmatch(item.strip()):
            sequences.extend(_range(item, int(numbers[1]), int(numbers[2] or numbers[1])))
        elif " " in item.strip() or item.startswith("/"):
            routes.append(item.strip() if " " in item.strip() else f"* {item.strip()}")
        else:
            raise UsageError(f'"{item}" is neither a sequence number nor a route',
                             'write 3, 3-7, "GET /orders/*" or failed')  # fmt: skip
    return tuple(sequences), tuple(routes)


def _range(item: str, first: int, last: int) -> range:
    if first == 0:
        raise UsageError(f'"{item}" begins at 0', "sequence numbers begin at 1")
    if last < first:
        raise UsageError(f'the range "{item}" ends before it begins', f"write {last}-{first}")
    if last - first >= _LONGEST_RANGE:
        raise UsageError(f'the range "{item}" is longer than any snapshot', "end it at the last exchange that you want")
    return range(first, last + 1)
