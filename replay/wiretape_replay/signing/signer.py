"""Signs requests again by the rules of the workspace. Keys are read once when a run begins and never written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import JsonValue

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.exchange import Exchange, Headers, Request
from wiretape_replay.formats import jwt_claims
from wiretape_replay.signing import jwt_token, sigv4
from wiretape_replay.signing.spec import SignRule

type Rewrite = Callable[[str, str], str]
"""What a claim (name, text) has become in this session."""

_JWT = re.compile(r"eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*")


@dataclass(frozen=True, slots=True)
class _Keyed:
    rule: SignRule
    key: bytes = b""
    credentials: sigv4.Credentials | None = None


class Signer:
    """The signatures of one run."""

    def __init__(self, rules: Sequence[SignRule], environment: Mapping[str, str], folder: Path) -> None:
        """Reads the keys; a rule whose key is not there is a usage error."""
        self._keyed = [_keyed(rule, environment, folder) for rule in rules]

    def sign(self, exchange: Exchange, request: Request, route: str, now_ns: int, rewrite: Rewrite) -> Request:
        """The request with those signatures made again that it brought itself; given tokens are not touched."""
        for each in self._keyed:
            if not fnmatchcase(route, each.rule.route):
                continue
            if each.credentials is not None:
                rule = each.rule
                request = sigv4.sign(request, each.credentials, now_ns, service=rule.service, region=rule.region)
            else:
                shift = (now_ns - exchange.started_ns) // 1_000_000_000
                headers = _resigned(request.headers, exchange.request.headers, each, shift, rewrite)
                request = request.model_copy(update={"headers": headers})
        return request


def _resigned(headers: Headers, recorded: Headers, keyed: _Keyed, shift: int, rewrite: Rewrite) -> Headers:
    """Only a token that is still the recorded one was made by the client: any other came with a live response."""
    before = {token for name, value in recorded if name.lower() == keyed.rule.header.lower()
              for token in _JWT.findall(value)}  # fmt: skip

    def again(found: re.Match[str]) -> str:
        return _again(found[0], keyed, shift, rewrite) if found[0] in before else found[0]

    return tuple((name, _JWT.sub(again, value) if name.lower() == keyed.rule.header.lower() else value)
                 for name, value in headers)  # fmt: skip


def _again(token: str, keyed: _Keyed, shift: int, rewrite: Rewrite) -> str:
    parsed = jwt_claims(token)
    if parsed is None:
        return token
    header, claims = parsed
    alg = keyed.rule.alg or str(header.get("alg"))
    if alg not in jwt_token.ALGORITHMS:
        return token
    try:
        key = jwt_token.read_key(keyed.key, alg)
    except ValueError as error:
        raise UsageError(
            f"the key of a jwt rule cannot sign {alg}: {error}", "give replay.sign the right key"
        ) from None
    moved = {name: _renamed(name, value, rewrite) for name, value in jwt_token.shifted(claims, shift).items()}
    return jwt_token.sign({**header, "alg": alg}, moved, key)


def _renamed(name: str, value: JsonValue, rewrite: Rewrite) -> JsonValue:
    if isinstance(value, str):
        return rewrite(name, value)
    if isinstance(value, int) and not isinstance(value, bool) and name not in jwt_token.CLOCK_CLAIMS:
        text = rewrite(name, str(value))
        return int(text) if text.lstrip("-").isdecimal() else value
    return value


def _keyed(rule: SignRule, environment: Mapping[str, str], folder: Path) -> _Keyed:
    if rule.kind == "jwt":
        return _Keyed(rule, key=_key(rule, environment, folder))
    access, secret = (_variable(environment, name) for name in (rule.access_key_env, rule.secret_key_env))
    token = environment.get(rule.session_token_env, "")
    return _Keyed(rule, credentials=sigv4.Credentials(access, secret, token))


def _key(rule: SignRule, environment: Mapping[str, str], folder: Path) -> bytes:
    if bool(rule.key_env) == bool(rule.key_file):
        raise UsageError("a jwt rule of replay.sign needs one key", "set key_env or key_file")
    if rule.key_env:
        key = _variable(environment, rule.key_env).encode()
    else:
        try:
            key = (folder / rule.key_file).read_bytes()
        except OSError as error:
            raise UsageError(f"the key file {rule.key_file} cannot be read: {error.strerror}",
                             "correct key_file in replay.sign") from None  # fmt: skip
    if rule.alg in ("RS256", "ES256"):
        try:
            jwt_token.read_key(key, rule.alg)
        except ValueError as error:
            raise UsageError(f"the key of a jwt rule cannot sign {rule.alg}: {error}", "give it the private key in PEM"
                             ) from None  # fmt: skip
    return key


def _variable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"the variable {name} that replay.sign names is not set", f"export {name}")
    return value
