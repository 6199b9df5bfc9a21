"""A help desk in FastAPI: JWTs, integer ids, epoch milliseconds, comments, mail.

Run: `python -m benchmarks.apps.tickets PORT`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel

from benchmarks.apps import life

app = FastAPI()
KEY = b"not a secret"


class Desk:
    """All that the desk remembers."""

    def __init__(self) -> None:
        source = life.domain("tickets")
        self.tenant = source.choice(("north", "south", "east"))
        self.agents = [
            {
                "agent_id": number + 1,
                "name": name,
                "team": source.choice(("billing", "network", "field")),
                "load": round(source.uniform(0, 1), 2),
            }
            for number, name in enumerate(source.sample(life.NAMES, 4))
        ]
        self.tickets: dict[int, dict[str, Any]] = {}
        self.last = life.counter()
        self.last_comment = life.counter() * 10


desk = Desk()


class NewTicket(BaseModel):
    """What opens a ticket."""

    subject: str
    priority: Literal["low", "normal", "high"] = "normal"
    labels: list[str] = []
    contact: str
    custom: dict[str, Any] = {}


class Change(BaseModel):
    """What may change."""

    status: Literal["open", "pending", "solved"] | None = None
    priority: Literal["low", "normal", "high"] | None = None
    assignee: int | None = None


def packed(value: Any) -> str:
    """A part of a JSON Web Token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def minted(subject: str) -> str:
    """A signed token (RFC 7519)."""
    moment = int(life.now())
    claims = {"sub": subject, "scope": "desk", "iat": moment, "exp": moment + 900, "jti": life.uuid4()}
    head = f"{packed({'alg': 'HS256', 'typ': 'JWT'})}.{packed(claims)}"
    return f"{head}.{base64.urlsafe_b64encode(hmac.digest(KEY, head.encode(), hashlib.sha256)).decode().rstrip('=')}"


def subject_of(authorization: str) -> str:
    """Who signed in."""
    head, _, signature = authorization.removeprefix("Bearer ").rpartition(".")
    wanted = base64.urlsafe_b64encode(hmac.digest(KEY, head.encode(), hashlib.sha256)).decode().rstrip("=")
    if not hmac.compare_digest(wanted, signature):
        raise HTTPException(401, "not signed in", {"WWW-Authenticate": "Bearer"})
    claims = head.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])


def millis(ahead: float = 0) -> int:
    """Epoch milliseconds."""
    return int((life.now() + ahead) * 1000)


@app.middleware("http")
async def traced(request: Request, proceed: Any) -> Response:
    """Headers of every answer."""
    response: Response = await proceed(request)
    response.headers["x-correlation-id"] = life.token(12)
    response.headers["server-timing"] = f"app;dur={life.measured(0.1, 5)}"
    response.headers["x-ratelimit-remaining"] = str(life.counter())
    response.headers["x-api-version"] = "2024-07"
    return response


@app.post("/__reset", status_code=204)
def reset() -> None:
    """Start anew."""
    global desk
    desk = Desk()


@app.post("/auth/token")
def sign_in(body: dict[str, str]) -> dict[str, Any]:
    """Give a token."""
    if body.get("secret") != "s3same":
        raise HTTPException(401, "unknown client")
    return {"token": minted(body["user"]), "expires_in": 900, "refresh_token": life.token(32), "issued": millis()}


@app.get("/agents")
def agents() -> list[dict[str, Any]]:
    """Everyone, without an order."""
    return life.shuffled([{**agent, "last_seen": millis(-5)} for agent in desk.agents])


@app.post("/tickets", status_code=201)
def open_ticket(body: NewTicket, response: Response, authorization: str = Header("")) -> dict[str, Any]:
    """Open a ticket and tell the contact."""
    owner = subject_of(authorization)
    desk.last += 1
    _, mail = life.call(
        "POST", f"/t/{desk.tenant}/messages", {"to": body.contact, "template": "opened", "subject": body.subject}
    )
    ticket = {
        "id": desk.last,
        "subject": body.subject,
        "priority": body.priority,
        "status": "open",
        "owner": owner,
        "labels": body.labels,
        "contact": body.contact,
        "custom": body.custom,
        "assignee": None,
        "created": millis(),
        "updated": millis(),
        "sla": {"breached": False, "due": millis(4 * 3600), "minutes": 240},
        "mail": mail["message_id"],
        "comments": [],
    }
    desk.tickets[desk.last] = ticket
    response.headers["Location"] = f"/tickets/{desk.last}"
    return ticket


@app.get("/tickets")
def tickets(status: str = "", offset: int = 0, limit: int = 3) -> dict[str, Any]:
    """A page of tickets."""
    found = [one for one in desk.tickets.values() if status in ("", one["status"])]
    found.sort(key=lambda one: ({"high": 0, "normal": 1, "low": 2}[one["priority"]], one["subject"]))
    page = [
        {key: one[key] for key in ("id", "subject", "priority", "status", "updated")}
        for one in found[offset : offset + limit]
    ]
    return {
        "results": page,
        "page": {"offset": offset, "limit": limit, "total": len(found)},
        "took_ms": life.measured(0.5, 12),
    }


def existing(number: int) -> dict[str, Any]:
    """A ticket, or 404."""
    if number not in desk.tickets:
        raise HTTPException(404, f"ticket {number} does not exist")
    return desk.tickets[number]


@app.get("/tickets/{number}")
def ticket(number: int) -> dict[str, Any]:
    """One ticket."""
    return existing(number)


@app.patch("/tickets/{number}")
def change(number: int, body: Change, authorization: str = Header("")) -> dict[str, Any]:
    """Change a ticket."""
    found = existing(number)
    found |= {key: value for key, value in body.model_dump().items() if value is not None}
    found |= {"updated": millis(), "changed_by": subject_of(authorization)}
    if found["status"] == "solved":
        life.call(
            "POST",
            f"/t/{desk.tenant}/messages",
            {"to": found["contact"], "template": "solved", "subject": found["subject"]},
        )
    return found


@app.post("/tickets/{number}/comments", status_code=201)
def comment(number: int, body: dict[str, Any], authorization: str = Header("")) -> dict[str, Any]:
    """Add a comment."""
    found = existing(number)
    desk.last_comment += 3
    new = {
        "comment_id": desk.last_comment,
        "author": subject_of(authorization),
        "text": body["text"],
        "internal": body.get("internal", False),
        "at": millis(),
        "hash": hashlib.sha256(body["text"].encode()).hexdigest(),
    }
    found["comments"].append(new)
    return new


@app.delete("/tickets/{number}/comments/{comment_id}", status_code=204)
def remove_comment(number: int, comment_id: int) -> None:
    """Remove a comment."""
    found = existing(number)
    found["comments"] = [one for one in found["comments"] if one["comment_id"] != comment_id]


@app.get("/stats")
def stats() -> dict[str, Any]:
    """Counts by status, keyed by data."""
    counted: dict[str, int] = {}
    for one in desk.tickets.values():
        counted[one["status"]] = counted.get(one["status"], 0) + 1
    return {
        "by_status": counted,
        "by_ticket": {str(number): len(one["comments"]) for number, one in desk.tickets.items()},
        "computed_at": life.iso(style="milli"),
    }


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
