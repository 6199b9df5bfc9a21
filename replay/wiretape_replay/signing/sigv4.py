"""AWS Signature Version 4 in the Authorization header, made again for a request that changed. Pure.

Written after https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

from wiretape_capture.protocols.http import header
from wiretape_capture.snapshot.exchange import Headers, Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/,\s]+/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
    r",\s*SignedHeaders=(?P<signed>[^,\s]+),\s*Signature=[0-9a-f]+"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys to sign with."""

    access_key: str
    secret_key: str
    session_token: str = ""


def sign(request: Request, credentials: Credentials, now_ns: int, *, service: str = "", region: str = "") -> Request:
    """The request signed now, over the headers that its recorded signature covers."""
    found = _AUTHORIZATION.fullmatch(header(request.headers, "authorization") or "")
    chunks_signed = (header(request.headers, "x-amz-content-sha256") or "").startswith("STREAMING-AWS4")
    if found is None or chunks_signed:
        return request
    moment = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    headers = _prepared(request, f"{moment:%Y%m%dT%H%M%SZ}", credentials)
    covered = {name for name in found["signed"].split(";") if header(headers, name) is not None}
    covered |= {"x-amz-security-token"} if credentials.session_token else set()
    signed = sorted(covered - (set() if credentials.session_token else {"x-amz-security-token"}))
    scope = f"{moment:%Y%m%d}/{region or found['region']}/{service or found['service']}/aws4_request"
    canonical = _canonical(request, headers, signed, service or found["service"])
    text = f"AWS4-HMAC-SHA256\n{moment:%Y%m%dT%H%M%SZ}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(_key(credentials.secret_key, scope), text.encode(), hashlib.sha256).hexdigest()
    value = (f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={';'.join(signed)}, "
             f"Signature={signature}")  # fmt: skip
    return request.model_copy(update={"headers": _with(headers, "Authorization", value)})


def _prepared(request: Request, stamp: str, credentials: Credentials) -> Headers:
    headers = _with(request.headers, "X-Amz-Date", stamp)
    recorded = header(headers, "x-amz-content-sha256") or ""
    if re.fullmatch(r"[0-9a-f]{64}", recorded):
        headers = _with(headers, "X-Amz-Content-Sha256", _body_hash(request))
    if credentials.session_token:
        return _with(headers, "X-Amz-Security-Token", credentials.session_token)
    return tuple(pair for pair in headers if pair[0].lower() != "x-amz-security-token")


def _canonical(request: Request, headers: Headers, signed: list[str], service: str) -> str:
    path, _, query = request.target.partition("?")
    # S3 signs the path as it is sent; all others encode it once more.
    path = quote(unquote(path), safe="/~") if service == "s3" else quote(path, safe="/~")
    pairs = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in _query_pairs(query))
    lines = [f"{name}:{_value(headers, name)}\n" for name in signed]
    payload = header(headers, "x-amz-content-sha256") or _body_hash(request)
    return "\n".join([
        request.method, path or "/", "&".join(f"{name}={value}" for name, value in pairs), "".join(lines),
        ";".join(signed), payload,
    ])  # fmt: skip


def _query_pairs(query: str) -> list[tuple[str, str]]:
    # A plus stands for itself in a signed query, not for a blank.
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True) if query else []


def _value(headers: Headers, name: str) -> str:
    values = (" ".join(value.split()) for other, value in headers if other.lower() == name)
    return ",".join(values)


def _body_hash(request: Request) -> str:
    if request.body.data is None and request.body.size:
        return request.body.sha256
    return hashlib.sha256(request.body.data or b"").hexdigest()


def _with(headers: Headers, name: str, value: str) -> Headers:
    """The header replaced where it stands, else added."""
    if header(headers, name) is None:
        return (*headers, (name, value))
    return tuple((other, value if other.lower() == name.lower() else old) for other, old in headers)


def _key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key
