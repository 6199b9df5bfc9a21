"""An app with every kind of binding, a client of it, and the list of what the client took from where."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

from recorded import request, response

from wiretape_capture.snapshot.exchange import Request, Response

type Seen = Mapping[int, Response]
type Step = Request | Callable[[Seen], Request]


def b64(value: Any, *, url: bool = True, pad: bool = True) -> str:
    data = (value if isinstance(value, str) else json.dumps(value)).encode()
    text = (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()
    return text if pad else text.rstrip("=")


def un64(text: str) -> str:
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode()


@dataclass(frozen=True)
class Call:
    words: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Everything:
    """Answers 404 to whatever does not carry the values that it gave out itself."""

    def __init__(self, seed: int, first: int) -> None:
        self._random = random.Random(seed)
        self._serial = first
        self._kept: dict[str, Any] = {}
        names = ["tea", "cup", "pot", "jar", "lid", "box"]
        self._products = [{"id": first + n, "name": name, "stock": self._random.randrange(5, 90)}
                          for n, name in enumerate(names)]  # fmt: skip

    def __call__(self, sent: Request, _now_ns: int) -> Response:
        parts = urlsplit(sent.target)
        headers = {name.lower(): value for name, value in sent.headers}
        words = [unquote(word) for word in parts.path.split("/") if word]
        query = dict(parse_qsl(parts.query))
        body: Any = (sent.body.data or b"").decode()
        if body[:1] in ("{", "["):
            body = json.loads(body)
        answer: Response | None = getattr(self, "_" + words[0])(Call(words[1:], query, headers, body))
        return answer or response({"error": "unknown"}, 404)

    def _uuid(self, name: str) -> str:
        return str(self._keep(name, uuid.UUID(int=self._random.getrandbits(128), version=4)))

    def _secret(self, name: str, size: int = 18) -> str:
        return str(self._keep(name, base64.urlsafe_b64encode(self._random.randbytes(size)).decode()))

    def _number(self, name: str) -> int:
        self._serial += 1
        return int(self._keep(name, self._serial))

    def _keep(self, name: str, value: Any) -> Any:
        self._kept[name] = value
        return value

    def _is(self, name: str, value: Any) -> Response | None:
        return response({"ok": name}) if str(value) == str(self._kept.get(name)) else None

    # Each pair of methods gives a value out and asks for it back.

    def _login(self, _call: Call) -> Response:
        self._keep("user", f"usr_{self._random.randrange(16**8):08x}")
        token = ".".join([b64({"alg": "HS256"}, pad=False), b64({"sub": self._kept["user"]}, pad=False),
                          self._secret("sig", 24)])  # fmt: skip
        return response({"access_token": self._keep("jwt", token)}, 200,
                        Set_Cookie=f"sid={self._secret('sid')}; Path=/; HttpOnly")  # fmt: skip

    def _me(self, call: Call) -> Response | None:
        return self._is("jwt", call.headers.get("authorization", "").removeprefix("Bearer "))

    def _cart(self, call: Call) -> Response | None:
        return self._is("sid", call.headers.get("cookie", "").partition("sid=")[2])

    def _users(self, call: Call) -> Response | None:
        return self._is("user", call.words[0])

    def _page(self, _call: Call) -> Response:
        meta, field = self._secret("meta"), self._secret("field")
        html = f'<meta name="csrf-token" content="{meta}">\n<input name="authenticity_token" value="{field}">'
        return response(html, content_type="text/html", X_CSRF_Token=self._secret("header"))

    def _csrf(self, call: Call) -> Response | None:
        if call.words[0] == "field":
            return self._is("field", parse_qs(call.body)["authenticity_token"][0])
        return self._is(call.words[0], call.headers.get("x-csrf-token"))

    def _orders(self, call: Call) -> Response | None:
        if not call.words:
            number = self._number("order")
            return response({"quantity": 17, "status": "new"}, 201, Location=f"/orders/{number}")
        return self._is("order", call.words[0])

    def _invoices(self, call: Call) -> Response | None:
        if isinstance(call.body, dict) and call.body.get("new"):
            return response({"id": self._number("invoice"), "ref": f"INV-{self._number('ref')}"}, 201)
        if call.words == ["urn"]:
            return self._is("invoice", call.body["subject"].removeprefix("urn:invoice:"))
        if call.words == ["dashed"]:
            return self._is("invoice", call.body["key"].removeprefix("invoice-"))
        if call.words == ["nested"]:
            return self._is("invoice", json.loads(call.body["payload"])["invoice"]["id"])
        if call.words == ["relay"]:
            return self._is("invoice", un64(call.query["node"]).removeprefix("Invoice:"))
        if call.words == ["graphql"]:
            return self._is("invoice", call.body["query"].partition("id: ")[2].partition(")")[0])
        if call.words == ["ref"]:
            return self._is("ref", call.query["ref"].removeprefix("INV-"))
        return self._is("invoice", call.words[0])

    def _files(self, call: Call) -> Response | None:
        if not call.words:
            return response({"file": {"id": self._uuid("file")}, "upload_key": self._secret("upload")}, 201)
        if call.words[0] == "prefixed":
            return self._is("file", call.words[1].removeprefix("file:"))
        if call.words[0] == "twice":
            return self._is("file", unquote(call.query["return_to"]).partition("/files/")[2].partition("?")[0])
        if call.words[0] == "basic":
            return self._is("upload", un64(call.headers["authorization"].removeprefix("Basic ")).partition(":")[2])
        if call.words[0] == "parts":
            return self._is("file", call.body.partition('name="file_id"\r\n\r\n')[2].partition("\r\n")[0])
        return self._is("file", call.words[0])

    def _feed(self, call: Call) -> Response | None:
        if "cursor" in call.query:
            return self._is("cursor", call.query["cursor"])
        if "after" in call.query:
            return self._is("last", json.loads(un64(call.query["after"]))["last_id"])
        cursor = self._keep("cursor", b64({"o": 10, "k": self._uuid("k")}))
        page = self._keep("page", self._random.randrange(10**5, 10**6))
        body = {"items": [{"id": self._uuid("last")}], "next_cursor": cursor}
        return response(body, 200, Link=f'</feed/more?page_token={page}>; rel="next"')

    def _more(self, call: Call) -> Response | None:
        return self._is("page", call.query["page_token"])

    def _products_(self, words: list[str]) -> Response | None:
        found = [each for each in self._products if str(each["id"]) == words[0]]
        return response(found[0]) if found else None

    def _products_list(self) -> Response:
        return response({"products": [each | {"stock": self._random.randrange(5, 90)} for each in self._products]})

    def _catalogue(self, call: Call) -> Response | None:
        return self._products_(call.words) if call.words else self._products_list()

    def _docs(self, call: Call) -> Response | None:
        if not call.words:
            return response(
                {"links": {"self": f"/docs/{self._number('doc')}"}}, 201, ETag=f'"{self._secret("tag", 6)}"'
            )
        if call.words[0] == "match":
            return self._is("tag", call.headers["if-match"].strip('"'))
        return self._is("doc", call.words[0])


def told(seen: Seen, step: int) -> Any:
    return json.loads(seen[step].body.data or b"null")


def head(seen: Seen, step: int, name: str) -> str:
    return next(value for key, value in seen[step].headers if key.lower() == name)


def between(seen: Seen, step: int, before: str, after: str = '"') -> str:
    return (seen[step].body.data or b"").decode().partition(before)[2].partition(after)[0]


def number(seen: Seen) -> int:
    return int(told(seen, 11)["id"])


def claims(seen: Seen) -> Any:
    return json.loads(un64(told(seen, 1)["access_token"].split(".")[1]))


def product(seen: Seen, name: str) -> int:
    return int(next(each["id"] for each in told(seen, 30)["products"] if each["name"] == name))


def parts(seen: Seen) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="file_id"\r\n\r\n{told(seen, 19)["file"]["id"]}\r\n--b--\r\n'


FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"

SCRIPT: list[Step] = [
    request("POST", "/login", {"user": "alice"}),
    lambda s: request("GET", "/me", Authorization=f"Bearer {told(s, 1)['access_token']}"),
    lambda s: request("GET", "/cart", Cookie=head(s, 1, "set-cookie").partition(";")[0]),
    lambda s: request("GET", f"/users/{claims(s)['sub']}"),
    request("GET", "/page"),
    lambda s: request("POST", "/csrf/header", {}, X_CSRF_Token=head(s, 5, "x-csrf-token")),
    lambda s: request("POST", "/csrf/meta", {}, X_CSRF_Token=between(s, 5, 'content="')),
    lambda s: request("POST", "/csrf/field", f"authenticity_token={quote(between(s, 5, 'value=\"'))}&n=17",
                      content_type=FORM),
    request("POST", "/orders", {"quantity": 17}),
    lambda s: request("GET", head(s, 9, "location")),
    request("POST", "/invoices", {"new": True}),
    lambda s: request("GET", f"/invoices/{number(s)}?limit={17}"),
    lambda s: request("POST", "/invoices/urn", {"subject": f"urn:invoice:{number(s)}", "quantity": 17}),
    lambda s: request("POST", "/invoices/dashed", {"key": f"invoice-{number(s)}"}),
    lambda s: request("POST", "/invoices/nested", {"payload": json.dumps({"invoice": {"id": number(s)}, "n": 17})}),
    lambda s: request("GET", f"/invoices/relay?node={quote(b64(f'Invoice:{number(s)}'))}"),
    lambda s: request("POST", "/invoices/graphql", {"query": f"{{ invoice(id: {number(s)}) {{ total }} }}"}),
    lambda s: request("GET", f"/invoices/ref?ref={told(s, 11)['ref']}"),
    request("POST", "/files", {}),
    lambda s: request("GET", f"/files/{told(s, 19)['file']['id']}"),
    lambda s: request("GET", f"/files/prefixed/file:{told(s, 19)['file']['id']}"),
    lambda s: request("GET", "/files/twice?return_to=" + quote(f"/files/{told(s, 19)['file']['id']}?x=1", safe="")),
    lambda s: request("GET", "/files/basic",
                      Authorization="Basic " + b64(f"alice:{told(s, 19)['upload_key']}", url=False)),
    lambda s: request("POST", "/files/parts", parts(s), content_type=MULTIPART),
    request("GET", "/feed"),
    lambda s: request("GET", f"/feed?cursor={quote(told(s, 25)['next_cursor'])}"),
    lambda s: request("GET", "/feed?after=" + quote(b64({"last_id": told(s, 25)["items"][0]["id"], "n": 10}))),
    lambda s: request("GET", head(s, 25, "link").partition("<")[2].partition(">")[0].replace("/feed", "")),
    request("GET", "/catalogue/0"),
    request("GET", "/catalogue"),
    lambda s: request("GET", f"/catalogue/{product(s, 'pot')}"),
    lambda s: request("GET", f"/catalogue/{product(s, 'tea')}?rows=17"),
    request("POST", "/docs", {}),
    lambda s: request("GET", told(s, 33)["links"]["self"]),
    lambda s: request("PUT", "/docs/match", {}, If_Match=head(s, 33, "etag")),
]  # fmt: skip

TRUTH = {
    (1, 2), (1, 3), (1, 4), (5, 6), (5, 7), (5, 8), (9, 10), (11, 12), (11, 13), (11, 14), (11, 15), (11, 16), (11, 17),
    (11, 18), (19, 20), (19, 21), (19, 22), (19, 23), (19, 24), (25, 26), (25, 27), (25, 28), (30, 31), (30, 32),
    (33, 34), (33, 35),
}  # fmt: skip
"""Which request carries a value of which answer."""
