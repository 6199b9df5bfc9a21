"""A blog in Starlette: cookie session with CSRF, ULIDs, HTTP dates, HTML, forms.

Run: `python -m benchmarks.apps.blog PORT`.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from benchmarks.apps import life


class Blog:
    """All that the blog remembers."""

    def __init__(self) -> None:
        source = life.domain("blog")
        self.tenant = source.choice(("quill", "inkwell"))
        self.sessions: dict[str, dict[str, str]] = {}
        self.posts: dict[str, dict[str, Any]] = {}
        self.authors = {
            f"u{number}": {
                "name": name,
                "city": source.choice(life.CITIES),
                "followers": source.randint(3, 5000),
                "birthday": f"19{source.randint(60, 99)}-0{source.randint(1, 9)}-1{source.randint(0, 9)}",
            }
            for number, name in enumerate(source.sample(life.NAMES, 3))
        }
        self.visits = life.counter()


blog = Blog()


def session(request: Request) -> dict[str, str] | None:
    """The caller's session."""
    return blog.sessions.get(request.cookies.get("sid", ""))


def refused(status: int, text: str) -> Response:
    """A problem document (RFC 9457)."""
    return JSONResponse(
        {"type": "about:blank", "title": text, "status": status, "instance": f"urn:uuid:{life.uuid4()}"},
        status,
        media_type="application/problem+json",
    )


async def reset(_: Request) -> Response:
    """Start anew."""
    global blog
    blog = Blog()
    return Response(status_code=204)


async def login_page(_: Request) -> Response:
    """A form with a hidden CSRF token."""
    sid, csrf = life.token(18), life.token(18)
    blog.sessions[sid] = {"csrf": csrf, "user": ""}
    blog.visits += 1
    page = f"""<!doctype html>
<html><head><title>Sign in · Quill</title></head>
<body>
<h1>Sign in</h1>
<form method="post" action="/login">
<input type="hidden" name="csrf" value="{csrf}">
<input name="user"> <button>Sign in</button>
</form>
<p>Three authors write here.</p>
</body></html>
"""
    response = HTMLResponse(page, headers={"Cache-Control": "no-store"})
    response.set_cookie("sid", sid, httponly=True, samesite="lax", max_age=3600)
    return response


async def login(request: Request) -> Response:
    """Sign in by a form."""
    form, mine = await request.form(), session(request)
    if mine is None or form["csrf"] != mine["csrf"]:
        return refused(403, "The CSRF token is wrong")
    mine["user"] = str(form["user"])
    return RedirectResponse("/me", 303)


async def me(request: Request) -> Response:
    """Who is signed in."""
    mine = session(request)
    if mine is None or not mine["user"]:
        return refused(401, "Sign in first")
    author = blog.authors[mine["user"]]
    return JSONResponse({"user": mine["user"], **author, "csrf": mine["csrf"], "last_login": life.http_date()})


def shown(post: dict[str, Any], views: bool = True) -> dict[str, Any]:
    """A post as clients see it."""
    more = {"views": blog.visits} if views else {}
    return {**post, "tags": life.shuffled(post["tags"]), **more}


async def posts(request: Request) -> Response:
    """List posts, or write one."""
    if request.method == "GET":
        found = [shown(one, views=False) for one in blog.posts.values()]
        found.sort(key=lambda one: one["slug"], reverse=request.query_params.get("dir") == "desc")
        return JSONResponse(
            {"data": found, "meta": {"count": len(found), "rendered": life.http_date()}},
            headers={"Cache-Control": "private, max-age=5", "Expires": life.http_date(5)},
        )
    mine, wanted = session(request), await request.json()
    if mine is None or request.headers.get("x-csrf-token") != mine["csrf"]:
        return refused(403, "The CSRF token is wrong")
    post = {
        "id": life.ulid(),
        "slug": wanted["title"].lower().replace(" ", "-"),
        "title": wanted["title"],
        "body": wanted["body"],
        "words": len(wanted["body"].split()),
        "tags": wanted["tags"],
        "author": {"user": mine["user"], **blog.authors[mine["user"]]},
        "published": life.http_date(),
        "draft": False,
        "reactions": {"like": 0, "clap": 0},
        "preview_token": life.token(9),
    }
    blog.posts[post["id"]] = post
    await run_in_threadpool(
        life.call,
        "POST",
        f"/t/{blog.tenant}/messages",
        {"to": f"{mine['user']}@blog.test", "template": "published", "title": wanted["title"]},
    )
    return JSONResponse(shown(post), 201, {"Location": str(request.url_for("post", post_id=post["id"]))})


async def post(request: Request) -> Response:
    """Read, replace or delete one post."""
    found = blog.posts.get(request.path_params["post_id"])
    if found is None:
        return refused(404, "No such post")
    if request.method == "DELETE":
        del blog.posts[found["id"]]
        return Response(status_code=204)
    if request.method == "PUT":
        wanted = await request.json()
        found |= {"body": wanted["body"], "words": len(wanted["body"].split()), "edited": life.iso(style="second")}
    blog.visits += 1
    return JSONResponse(shown(found), headers={"Last-Modified": life.http_date(), "ETag": f'"{life.token(8)}"'})


async def react(request: Request) -> Response:
    """Count a reaction."""
    found, kind = blog.posts[request.path_params["post_id"]], (await request.json())["kind"]
    found["reactions"][kind] += 1
    return JSONResponse(
        {"post_id": found["id"], "reactions": found["reactions"], "weight": round(0.1 * found["reactions"][kind], 3)}
    )


async def archive(_: Request) -> Response:
    """All titles as plain text."""
    return Response(
        "".join(f"{one['slug']}\t{one['words']}\t{one['author']['city']}\n" for one in blog.posts.values()),
        media_type="text/plain",
    )


app = Starlette(
    routes=[
        Route("/__reset", reset, methods=["POST"]),
        Route("/login", login_page),
        Route("/login", login, methods=["POST"]),
        Route("/me", me),
        Route("/posts", posts, methods=["GET", "POST"]),
        Route("/archive.txt", archive),
        Route("/posts/{post_id}", post, methods=["GET", "PUT", "DELETE"], name="post"),
        Route("/posts/{post_id}/reactions", react, methods=["POST"]),
    ],
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
