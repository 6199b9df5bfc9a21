"""`wiretape.toml`: what each key is called, means and defaults to. Knows nothing of flags; flags name these keys."""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_replay.engine.spec import NoiseRule
from wiretape_replay.load.spec import LARGEST_SCALE, LARGEST_SPEED, MOST_WORKERS
from wiretape_replay.load.words import arrivals_of, duration_of, length_of, stages_of
from wiretape_replay.routes import parse_override
from wiretape_replay.signing.spec import SignRule
from wiretape_server.store.address import address_of
from wiretape_server.workspace.names import PROJECT_FILE
from wiretape_server.workspace.toml_lines import line_of

FILE_NAME = PROJECT_FILE

type Port = Annotated[int, Field(ge=0, le=65535)]
"""0 stands for any free port."""


def _list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


def _argv(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


def _pace(without: str) -> AfterValidator:
    """`recorded`, a multiple of it above zero, or the word for not keeping to it."""

    def check(text: str) -> str:
        if text not in (without, "recorded") and not re.fullmatch(r"(?!0+(\.0+)?x)\d+(\.\d+)?x", text):
            raise ValueError(f"it is {without}, recorded, or a multiple such as 2x")
        return text

    return AfterValidator(check)


def _hash(text: str) -> str:
    if text and not re.fullmatch(r"[0-9a-f]{12,64}", text):
        raise ValueError("a hash is 12 to 64 of the digits 0-9 and a-f, as reports and wiretape lock show it")
    return text


def _place(rule: NoiseRule) -> NoiseRule:
    if rule.pointer and not rule.pointer.startswith(("/", "header:")):
        raise ValueError("the pointer begins with / (a JSON Pointer) or header:")
    return rule


def _route(text: str) -> str:
    try:
        parse_override(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


def _store(url: str) -> str:
    try:
        return str(address_of(url)) if url else ""
    except UsageError as error:
        raise ValueError(f"{error.problem}; {error.hint}") from None


class _Section(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class AppConfig(_Section):
    """`[app]`: the app under test."""

    command: Annotated[tuple[str, ...], BeforeValidator(_argv)] = Field(
        (), description="How the app starts: a list of words, or one string that is split like a shell would."
    )
    start: bool | None = Field(
        None, description="Whether wiretape starts the app; unset: when `command` is known and `replay.target` is not."
    )
    cwd: str = Field(".", description="Directory the app starts in, relative to wiretape.toml.")
    env: dict[str, str] = Field(default_factory=dict, description="Variables to set for the app.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="Port the app listens on; without it only outbound traffic is recorded."
    )
    ready: str = Field(
        "", description="Path that answers below 500 once the app is ready; empty: the port accepts connections."
    )
    ready_timeout: float = Field(30.0, gt=0, description="Seconds the app may take to become ready.")
    log: str = Field("", description="File for the app's output; empty: the terminal, or a file under .wiretape/jobs.")


class RecordConfig(_Section):
    """`[record]`: where a recording listens, and what carries the traffic."""

    listen: Port | None = Field(None, description="Port in front of the app; unset: the first free one from 7080.")
    proxy_port: Port | None = Field(
        None,
        description="Port of the outbound proxy; unset: any, or from 7090 on when you start the app.",
    )
    engine: Literal["tee", "mitmproxy"] = Field(
        "tee", description="What carries HTTP/1.1: the tee, which leaves the rest to mitmproxy, or mitmproxy alone."
    )
    overflow: Literal["wait", "drop"] = Field(
        "wait", description="When the tape is written too slowly: traffic waits, or exchanges are dropped and counted."
    )


class MockConfig(_Section):
    """`[mock]`: how recorded services answer."""

    proxy_port: Port | None = Field(
        None,
        description="Port of the mock's proxy; unset: any, or from 7090 on when you start the app.",
    )
    allow: tuple[str, ...] = Field((), description="Hosts that may be reached for real: host, host:port or *.domain.")
    timing: Annotated[str, _pace("none")] = Field(
        "none", description="When the mock answers: none (at once), recorded, or 2x for twice as fast."
    )
    at_end: Literal["repeat", "cycle", "fail"] = Field(
        "repeat", description="What an identical request gets after its last recorded answer: repeat, cycle or fail."
    )


class ReplayConfig(_Section):
    """`[replay]`: what is sent, how fast, and what fails the run."""

    target: str = Field("", description="Base URL to send to; empty: the app's port on loopback.")
    mock: bool | None = Field(
        None, description="Answer the app's outbound calls from the snapshot; unset: verify does, replay does not."
    )
    fail_if: tuple[str, ...] = Field(
        ("requests.failed > 0",), description="Evals: the run fails when one of these conditions is true."
    )
    only: tuple[str, ...] = Field(
        (), description="Replay only these: sequence numbers (3 or 3-7), routes (GET /orders/*), failed or failed:RUN."
    )
    locked: bool = Field(
        False, description="Refuse a pass when anything that judges the run is not as in wiretape.lock."
    )
    lock_hash: Annotated[str, AfterValidator(_hash)] = Field(
        "", description="The hash of wiretape.lock that was reviewed, or its first 12 digits: any other is refused."
    )
    openapi: str = Field(
        "", description="OpenAPI 3.0 or 3.1 file, relative to wiretape.toml, that answers are checked against as well."
    )
    openapi_requests: bool = Field(False, description="Check the recorded requests against `openapi` too.")
    timing: Annotated[str, _pace("asap")] = Field(
        "asap", description="When to send: asap, recorded, or 2x for twice as fast."
    )
    concurrency: int = Field(8, ge=1, le=1024, description="Sessions under way at once.")
    timeout: float = Field(30.0, gt=0, description="Seconds to wait for one response.")
    client_values: Literal["fresh", "keep"] = Field(
        "fresh", description="Idempotency keys, nonces and clock headers of the client: fresh, or keep."
    )
    seed: str = Field("", description="What fresh values are made from, so as to repeat them; empty: the run's id.")
    sign: Annotated[tuple[SignRule, ...], BeforeValidator(_list)] = Field(
        (), description="Signatures made again at replay, as [[replay.sign]] tables: kind jwt or sigv4, and its keys."
    )
    warmup: int = Field(0, ge=0, le=1000, description="First requests of each route that stay out of response times.")
    latency_seconds: float = Field(
        10.0, ge=0, description="Seconds to measure response times against unchanged code; 0: do not."
    )
    baseline: str = Field(
        "", description="What evals and noise compare with: an earlier run, or the URL of unchanged code."
    )
    baseline_command: Annotated[tuple[str, ...], BeforeValidator(_argv)] = Field(
        (), description="How unchanged code starts, with {port} where its port belongs; it is replayed too."
    )
    baseline_cwd: str = Field(
        "", description="Directory the baseline starts in, such as another checkout; empty: the app's."
    )
    baseline_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="Port of the baseline; unset: any for {port}, else the app's own, for they take turns."
    )
    baseline_runs: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="Replays of the baseline; unset: 3, or 1 where a running instance would keep what they write."
    )


def _read_by(reader: Callable[[str], object]) -> AfterValidator:
    """Text that `reader` understands."""

    def check(text: str) -> str:
        try:
            reader(text)
        except UsageError as error:
            raise ValueError(f"{error.problem}; {error.hint}") from None
        return text

    return AfterValidator(check)


def _cluster(url: str) -> str:
    if url and not re.fullmatch(r"dask://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}", url):
        raise ValueError("a cluster is named by its scheduler: dask://HOST:8786")
    return url


class LoadConfig(_Section):
    """`[load]`: how many clones of recorded sessions are sent, and when."""

    arrivals: Annotated[str, _read_by(arrivals_of)] = Field(
        "recorded", description="How sessions begin: recorded, poisson RATE or constant RATE a second, or closed N."
    )
    scale: Annotated[float, Field(gt=0, le=LARGEST_SCALE, allow_inf_nan=False)] = Field(
        1.0, description="Clones of each recorded session, or what the rate is multiplied by."
    )
    speed: Annotated[float, Field(gt=0, le=LARGEST_SPEED, allow_inf_nan=False)] = Field(
        1.0, description="What recorded times between and inside of sessions are divided by."
    )
    duration: Annotated[str, _read_by(length_of)] = Field(
        "", description="How long sessions begin, the recording being repeated; empty: as long as it is."
    )
    stages: Annotated[str, _read_by(stages_of)] = Field(
        "", description="The scale over time, on straight lines from 0, such as 1m:10,5m:100,30s:0; empty: `scale`."
    )
    warmup: Annotated[str, _read_by(duration_of)] = Field(
        "", description="How long requests at the beginning stay out of response times, such as 10s."
    )
    workers: Annotated[int, Field(ge=1, le=MOST_WORKERS)] | None = Field(
        None, description="Processes that send; unset: one for each core but one, or for each worker of the cluster."
    )
    cluster: Annotated[str, AfterValidator(_cluster)] = Field(
        "", description="The dask scheduler whose workers send, dask://HOST:PORT; empty: processes of this machine."
    )
    connections: Literal["pool", "session"] = Field(
        "pool", description="Whether sessions share kept connections (pool), or each opens its own (session)."
    )
    compare: Literal["full", "bytes"] = Field(
        "full", description="Compare all by bytes and a sample in full, or all by bytes only."
    )
    max_lag: float = Field(
        10.0, gt=0, description="Milliseconds of schedule lag (p99) above which the generator is not to be trusted."
    )
    allow_writes: tuple[str, ...] = Field((), description="Hosts beyond loopback that writes may be sent to.")


RIGHTS = {"mcp.allow_commands": "--allow-commands", "mcp.allow_targets": "--allow-target HOST"}
"""What only a flag gives: whoever edits the project could else widen what the server does for him."""


class McpConfig(_Section):
    """`[mcp]`: how the MCP server is reached."""

    transport: Literal["stdio", "http", "sse"] = Field("stdio", description="stdio, http (Streamable HTTP) or sse.")
    host: str = Field("127.0.0.1", description="Address that http and sse listen on.")
    port: Port = Field(7070, description="Port that http and sse listen on.")
    token: str = Field(
        "", description="Bearer token that http and sse ask for; empty: none on loopback, a generated one elsewhere."
    )
    allow_hosts: tuple[str, ...] = Field((), description="Further names that the Host header of a request may carry.")
    idle: float = Field(
        30.0, ge=0, description="Minutes that http and sse keep recordings and mocks without any client; 0: for ever."
    )


class Config(_Section):
    """All of `wiretape.toml`."""

    snapshot: str = Field("", description="Snapshot that mock, replay and verify use; empty: the newest.")
    store: Annotated[str, AfterValidator(_store)] = Field(
        "", description="Where snapshots and runs are shared: s3://BUCKET/PREFIX or file:///FOLDER; empty: nowhere."
    )
    routes: tuple[Annotated[str, AfterValidator(_route)], ...] = Field(
        (), description="Path templates that win over the inferred ones: /orders/{id} or GET /orders/{id}."
    )
    app: AppConfig = Field(default_factory=AppConfig)
    services: dict[str, str] = Field(
        default_factory=dict,
        description="Services with a listener of their own: NAME = URL, with @PORT to fix the listener's port.",
    )
    record: RecordConfig = Field(default_factory=RecordConfig)
    mock: MockConfig = Field(default_factory=MockConfig)
    replay: ReplayConfig = Field(default_factory=ReplayConfig)
    load: LoadConfig = Field(default_factory=LoadConfig)
    noise: tuple[Annotated[NoiseRule, AfterValidator(_place)], ...] = Field(
        (), description="Places declared to be noise, checked for their shape only: route, pointer, reason."
    )
    mcp: McpConfig = Field(default_factory=McpConfig)

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """This configuration with some dotted keys replaced, as flags and tool arguments do; tables are added to."""
        tree = self.model_dump(exclude_unset=True)
        for key, value in settings.items():
            *sections, leaf = key.split(".")
            node = tree
            for section in sections:
                node = node.setdefault(section, {})
            node[leaf] = node.get(leaf, {}) | value if isinstance(value, dict) else value
        try:
            return type(self).model_validate(tree)
        except ValidationError as error:
            raise _explain(error.errors(include_url=False)[0], "") from None


def load(path: Path) -> Config:
    """Read and check one `wiretape.toml`."""
    try:
        text = path.read_text(encoding="utf-8")
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory", "remove it, and write the file with: wiretape init") from None
    except OSError as error:
        raise WiretapeError(f"{path} cannot be read ({error.strerror})", "check the file's permissions") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from None
    return parse(text, path.name)


def parse(text: str, file_name: str = FILE_NAME) -> Config:
    """The configuration that `text` stands for."""
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file_name} is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}",
                         "mend that line") from None  # fmt: skip
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda each: _rank(text, each))
        raise _explain(first, f"{file_name} line {line_of(text, first['loc'])}: ") from None


def known_keys() -> dict[str, str]:
    """Every dotted key with its description, in the file's order."""
    keys: dict[str, str] = {}
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            keys |= {f"{name}.{leaf}": inner.description or "" for leaf, inner in section.model_fields.items()}
        else:
            keys[name] = field.description or ""
    return keys


def _explain(error: ErrorDetails, where: str) -> UsageError:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden" and key in RIGHTS:
        return UsageError(f"{where}{key} is not taken from a file that agents can write",
                          f"start the server with: wiretape mcp {RIGHTS[key]}")  # fmt: skip
    if error["type"] == "extra_forbidden":
        return UsageError(f'{where}unknown key "{key}"', _suggestion(key))
    if error["type"] == "missing":
        return UsageError(f"{where}{key} is missing", "add it to that table")
    if key == "store":  # what somebody wrote there may be a password
        return UsageError(f"{where}{key}: {plain_reason(error)}")
    return UsageError(f"{where}{key}: {plain_reason(error)}", f"change the value {_shown(error['input'])}")


WANTED = {
    "tuple_type": "a list is wanted here",
    "dict_type": "a table is wanted here",
    "model_type": "a table is wanted here",
    "string_type": "text in quotes is wanted here",
    "bool_type": "true or false is wanted here",
    "bool_parsing": "true or false is wanted here",
    "int_type": "a whole number is wanted here",
    "int_parsing": "a whole number is wanted here",
    "int_from_float": "a whole number is wanted here",
    "float_type": "a number is wanted here",
    "float_parsing": "a number is wanted here",
}
"""What the file's author is to write, by pydantic's type of the error: its own words are about Python."""
LIMITS = {"greater_than": ("gt", "more than"), "greater_than_equal": ("ge", "at least"),
          "less_than": ("lt", "less than"), "less_than_equal": ("le", "at most")}  # fmt: skip


def plain_reason(error: ErrorDetails) -> str:
    """What is wrong with a value, in words that need no Python."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in LIMITS:
        bound, words = LIMITS[kind]
        return f"it must be {words} {context[bound]:g}"
    if kind == "literal_error":
        return f"it must be {context['expected']}".replace("'", "")
    message = error["msg"].removeprefix("Value error, ")
    return WANTED.get(kind, message[:1].lower() + message[1:])


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, int | float) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _rank(text: str, error: ErrorDetails) -> tuple[bool, int]:
    """Misspelt keys first, for they may be why others are missing; then from the top."""
    return error["type"] != "extra_forbidden", line_of(text, error["loc"])


def _suggestion(key: str) -> str:
    """Judged by the whole key and by its last part, so that a key in the wrong section is found too."""
    section, _, leaf = key.rpartition(".")
    keys = [*known_keys(), *(f"noise.{field}" for field in NoiseRule.model_fields)]
    known = keys if section else [*keys, *Config.model_fields]

    def score(candidate: str) -> float:
        whole = difflib.SequenceMatcher(None, key, candidate).ratio()
        last = difflib.SequenceMatcher(None, leaf, candidate.rpartition(".")[2]).ratio()
        return max(whole, last)

    best = max(known, key=score)
    if score(best) >= 0.6:
        return f'did you mean "{best}"?'
    inside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == section]
    return f"known here: {', '.join(inside)}" if inside else "docs/configuration.md lists every key"
