"""Signatures made again at replay, checked by those who verify them elsewhere: PyJWT and botocore."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from recorded import LIVE_NS, RECORDED_NS, exchange, request, response

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.exchange import Request
from wiretape_replay.signing.signer import Signer
from wiretape_replay.signing.spec import SignRule

RECORDED_S, LIVE_S = RECORDED_NS // 10**9, LIVE_NS // 10**9
SECRET = "a secret of at least thirty-two bytes"


def pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()  # type: ignore[no-any-return]


def kept(_name: str, text: str) -> str:
    return text


def signed_again(sent: Request, rule: SignRule, key: str, rewrite: Any = kept, live: Request | None = None) -> Request:
    signer = Signer([rule], {"KEY": key}, Path())
    recorded = exchange(0, sent, response({}))
    return signer.sign(recorded, live or sent, "GET /me", LIVE_NS, rewrite)


def bearer(sent: Request) -> str:
    return next(value for name, value in sent.headers if name == "Authorization").removeprefix("Bearer ")


KEYS: dict[str, tuple[Any, Any]] = {
    "HS256": (SECRET, SECRET),
    "RS256": (one := rsa.generate_private_key(65537, 2048), one.public_key()),
    "ES256": (two := ec.generate_private_key(ec.SECP256R1()), two.public_key()),
}


@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256"])
def test_a_token_is_accepted_with_its_times_moved_and_its_claims_kept(alg: str) -> None:
    private, public = KEYS[alg]
    claims = {"sub": "alice", "iat": RECORDED_S, "exp": RECORDED_S + 60, "scope": ["a"], "n": 17, "nbf": RECORDED_S - 1}
    token = jwt.encode(claims, private, alg, headers={"kid": "k1"})
    text = private if isinstance(private, str) else pem(private)
    sent = signed_again(
        request("GET", "/me", Authorization=f"Bearer {token}"), SignRule(kind="jwt", key_env="KEY"), text
    )
    moved = LIVE_S - RECORDED_S
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(bearer(sent), public, [alg], options=options) == {
        "sub": "alice", "iat": LIVE_S, "exp": RECORDED_S + 60 + moved, "scope": ["a"], "n": 17, "nbf": LIVE_S - 1,
    }  # fmt: skip
    assert jwt.get_unverified_header(bearer(sent)) == {"alg": alg, "kid": "k1", "typ": "JWT"}


def test_claims_that_live_answers_gave_follow() -> None:
    token = jwt.encode({"order_id": 17, "sub": "usr_1a2b3c", "n": 17}, SECRET, "HS256")
    became = {("order_id", "17"): "23", ("sub", "usr_1a2b3c"): "usr_9f8e7d"}
    sent = signed_again(
        request("GET", "/me", Authorization=f"Bearer {token}"), SignRule(kind="jwt", key_env="KEY"), SECRET,
        lambda name, text: became.get((name, text), text),
    )  # fmt: skip
    assert jwt.decode(bearer(sent), SECRET, ["HS256"]) == {"order_id": 23, "sub": "usr_9f8e7d", "n": 17}


def test_a_token_that_the_app_gave_is_left_alone() -> None:
    recorded, live = (jwt.encode({"sub": "alice", "n": n}, "another secret of thirty-two bytes, or more", "HS256")
                      for n in (1, 2))  # fmt: skip
    sent = request("GET", "/me", Authorization=f"Bearer {live}")
    rule = SignRule(kind="jwt", key_env="KEY")
    assert signed_again(request("GET", "/me", Authorization=f"Bearer {recorded}"), rule, SECRET, live=sent) == sent


def test_rules_apply_to_their_routes_only() -> None:
    sent = request("GET", "/me", Authorization=f"Bearer {jwt.encode({'iat': RECORDED_S}, SECRET, 'HS256')}")
    assert signed_again(sent, SignRule(kind="jwt", key_env="KEY", route="POST *"), SECRET) == sent


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (SignRule(kind="jwt"), "a jwt rule of replay.sign needs one key"),
        (SignRule(kind="jwt", key_env="NONE"), "the variable NONE that replay.sign names is not set"),
        (SignRule(kind="jwt", key_file="nowhere.pem"), "the key file nowhere.pem cannot be read: No such file"),
        (SignRule(kind="jwt", key_env="KEY", alg="RS256"), "the key of a jwt rule cannot sign RS256"),
        (SignRule(kind="sigv4"), "the variable AWS_ACCESS_KEY_ID that replay.sign names is not set"),
    ],
)
def test_a_key_that_is_not_there_is_told_before_anything_is_sent(rule: SignRule, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Signer([rule], {"KEY": SECRET}, Path())


def aws_request(method: str, url: str, body: bytes, service: str, when: datetime, token: str | None,
                monkeypatch: pytest.MonkeyPatch, **headers: str) -> dict[str, str]:  # fmt: skip
    """What botocore sends."""
    auth = pytest.importorskip("botocore.auth")
    awsrequest = pytest.importorskip("botocore.awsrequest")
    credentials = pytest.importorskip("botocore.credentials")
    monkeypatch.setattr(auth, "get_current_datetime", lambda: when.replace(tzinfo=None))
    sent = awsrequest.AWSRequest(method=method, url=url, data=body, headers=headers)
    signer = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    signer(credentials.Credentials("AKID", "SECRET", token), service, "eu-central-1").add_auth(sent)
    return dict(sent.headers.items())


@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize(
    ("method", "target", "body", "service"),
    [
        ("POST", "/", b'{"TableName": "t"}', "dynamodb"),
        ("GET", "/bucket/a%20key/with%3Dsigns?list-type=2&prefix=a%2Fb&empty=", b"", "s3"),
        ("PUT", "/bucket/key", b"content", "s3"),
        ("GET", "/2015-03-31/functions/arn%3Aaws/x?b=2&a=1&a=0", b"", "lambda"),
    ],
)
def test_aws_accepts_what_was_signed_again(method: str, target: str, body: bytes, service: str, token: str | None,
                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    url = f"https://{service}.example.com{target}"
    then, now = (datetime.fromtimestamp(ns / 1e9, UTC) for ns in (RECORDED_NS, LIVE_NS))
    host = urlsplit(url).netloc

    def sent(headers: dict[str, str], data: bytes) -> Request:
        bare = request(method, target, data or None, content_type="application/json")
        signed = tuple(pair for pair in headers.items() if pair[0].lower() not in ("content-type", "content-length"))
        return bare.model_copy(update={"headers": (("Host", host), *bare.headers[1:], *signed)})

    recorded = sent(aws_request(method, url, body, service, then, "an-old-token", monkeypatch), body)
    changed = body + b" " if body else body
    environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET", "AWS_SESSION_TOKEN": token or ""}
    signer = Signer([SignRule(kind="sigv4")], environment, Path())
    live = recorded.model_copy(update={"body": sent({}, changed).body})
    again = dict(signer.sign(exchange(1, recorded, response({})), live, "x", LIVE_NS, kept).headers)
    expected = aws_request(method, url, changed, service, now, token, monkeypatch)
    names = ["Authorization", "X-Amz-Date", *(["X-Amz-Security-Token"] if token else [])]
    assert {name: again.get(name) for name in names} == {name: expected.get(name) for name in names}
    assert ("X-Amz-Security-Token" in again) == bool(token)
