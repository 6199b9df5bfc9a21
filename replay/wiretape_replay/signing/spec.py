"""Which requests are signed again at replay and with what: names of keys, never the keys themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SignRule(BaseModel):
    """One signature that a recorded request carries and that must be made again to be accepted."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    kind: Literal["jwt", "sigv4"]
    route: str = Field("*", description="Routes it applies to, as a METHOD /path/* glob.")
    header: str = Field("Authorization", description="Header that carries the token.")
    key_env: str = Field("", description="Variable that holds the JWT key: a secret, or a private key in PEM.")
    key_file: str = Field("", description="File that holds the JWT key.")
    alg: Literal["", "HS256", "RS256", "ES256"] = Field("", description="Algorithm; empty: the recorded one.")
    service: str = Field("", description="AWS service; empty: the recorded one.")
    region: str = Field("", description="AWS region; empty: the recorded one.")
    access_key_env: str = Field("AWS_ACCESS_KEY_ID", description="Variable that holds the access key's id.")
    secret_key_env: str = Field("AWS_SECRET_ACCESS_KEY", description="Variable that holds the secret access key.")
    session_token_env: str = Field("AWS_SESSION_TOKEN", description="Variable that may hold a session token.")
