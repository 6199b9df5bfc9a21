"""What is sent and what is made of the answers, over real sockets: good answers, bad ones, and none."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from load_kit import Answer, Heard, Shop, order_session, play, serving, session

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.load.tally import ALIKE, DIFFERENT, EQUAL, ERROR, UNEQUAL
from wiretape_replay.verdict.model import Outcome

TEA = {"name": "tea", "price": 4}


def pages(count: int = 1, **more: Any) -> list[Exchange]:
    """One session that reads a page some times."""
    return session(1, *[("GET", f"/tea?page={n}", None, TEA) for n in range(count)], **more)


async def good(heard: Heard) -> None:
    heard.json(TEA)


async def one_kind(tmp_path: Path, answer: Answer, **more: Any) -> tuple[int, dict[str, int]]:
    """How one GET came out at first sight, and the errors."""
    async with serving(answer) as server:
        played = await play(tmp_path, pages(), server.url, **more)
    (counts,) = played.kinds.values()
    assert sum(counts) == 1
    return counts.index(1), played.tally.errors


async def test_what_never_had_a_connection_was_not_sent_and_its_session_came_to_nothing(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    tally = (await play(tmp_path, pages(2), f"http://127.0.0.1:{free_port()}", scale=3.0)).tally
    assert (tally.sent, tally.unconnected, tally.failed) == (0, 6, 6)
    assert (tally.started, tally.ended, tally.unanswered) == (3, 3, 3)


async def test_each_clone_follows_its_own_ids(tmp_path: Path) -> None:
    shop = Shop()
    async with serving(shop) as server:
        played = await play(tmp_path, order_session(1), server.url, scale=25.0)
    tally = played.tally
    assert (tally.started, tally.ended, tally.sent, tally.answered, tally.failed) == (25, 25, 50, 50, 0)
    read = [heard.target.rpartition("/")[2] for heard in server.heard if heard.method == "GET"]
    assert sorted(read) == sorted(shop.orders)  # each made and each read, once
    assert {one.outcome for one in played.compared.results} == {Outcome.SEMANTICALLY_EQUAL}


async def test_clones_bring_keys_of_their_own(tmp_path: Path) -> None:
    recorded = order_session(1)
    key = ("Idempotency-Key", "5e0c1a2b-9d8e-4f70-8a6b-3c2d1e0f4a5b")
    first = recorded[0].model_copy(update={"request": recorded[0].request.model_copy(
        update={"headers": (*recorded[0].request.headers, key)})})  # fmt: skip
    shop = Shop()
    async with serving(shop) as server:
        await play(tmp_path, [first, *recorded[1:]], server.url, scale=10.0)
    assert len(set(shop.keys)) == 10
    assert key[1] not in shop.keys


async def test_order_holds_inside_of_every_clone(tmp_path: Path) -> None:
    async with serving(good) as server:
        await play(tmp_path, pages(5), server.url, scale=8.0, connections="session")
    seen = Counter(heard.target for heard in server.heard)
    assert seen == {f"/tea?page={n}": 8 for n in range(5)}
    by_connection: dict[int, list[str]] = {}
    for heard in server.heard:
        by_connection.setdefault(id(heard.writer), []).append(heard.target)
    assert all(targets == sorted(targets) for targets in by_connection.values())
    assert server.connections == 8


async def test_requests_that_overlapped_are_under_way_together(tmp_path: Path) -> None:
    poll = session(1, ("GET", "/poll", None, TEA), ("GET", "/go", None, TEA))
    poll = [each.model_copy(update={"duration_us": 500_000 if each.location == "/poll" else 5_000,
                                    "connection": each.location}) for each in poll]  # fmt: skip
    gone = asyncio.Event()

    async def answer(heard: Heard) -> None:
        if heard.target == "/poll":
            await gone.wait()
        gone.set()
        heard.json(TEA)

    async with serving(answer) as server:
        played = await play(tmp_path, poll, server.url)
    assert played.tally.answered == 2


async def test_closed_arrivals_keep_so_many_sessions_under_way(tmp_path: Path) -> None:
    under_way, most = 0, 0

    async def answer(heard: Heard) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        heard.json(TEA)

    async with serving(answer) as server:
        played = await play(tmp_path, pages(2), server.url, arrivals="closed", rate=4, scale=30.0)
    assert (played.tally.started, played.tally.ended, played.tally.answered) == (30, 30, 60)
    assert most <= 4
    assert server.connections <= 4


@pytest.mark.parametrize(("raw", "kind"), [
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"nam\r\n"
     b"17\r\ne\": \"tea\", \"price\": 4}}\r\n0\r\n\r\n", UNEQUAL),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"nam\r\n14\r\ne\": \"tea\", \"price\": \r\n"
     b"2\r\n4}\r\n0\r\nX-T: 1\r\n\r\n", EQUAL),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n"
     b"{\"name\": \"tea\", \"price\": 4}", EQUAL),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", UNEQUAL),
    (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", DIFFERENT),
    (b"HTTP/1.1 204 No Content\r\n\r\n", DIFFERENT),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 27\r\n\r\n{\"name\": \"tea\", \"price\": 4}", EQUAL),
])  # fmt: skip
async def test_framings(tmp_path: Path, raw: bytes, kind: int) -> None:
    async def answer(heard: Heard) -> None:
        heard.raw(raw)

    assert await one_kind(tmp_path, answer) == (kind, {})


async def test_an_answer_may_come_byte_by_byte(tmp_path: Path) -> None:
    async def answer(heard: Heard) -> None:
        for byte in b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"name": "tea", "price": 4}':
            heard.raw(bytes([byte]))
            await heard.writer.drain()
            await asyncio.sleep(0)

    assert await one_kind(tmp_path, answer) == (EQUAL, {})


async def test_answers_in_one_piece_and_in_many_take_turns(tmp_path: Path) -> None:
    data = b'{"name": "tea", "price": 4}'

    async def answer(heard: Heard) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n"
        if heard.number % 3 == 0:  # a head that was not seen before
            head += b"X-Number: %d\r\n" % heard.number
        heard.raw(head + b"\r\n")
        if heard.number % 5 == 0:
            await heard.writer.drain()
            await asyncio.sleep(0)
        heard.raw(data)

    async with serving(answer) as server:
        played = await play(tmp_path, pages(60), server.url, arrivals="closed", rate=1, scale=3.0)
    assert all(counts[EQUAL] == sum(counts) == 3 for counts in played.kinds.values())
    assert {one.outcome for one in played.compared.results} <= {Outcome.BYTES_EQUAL, Outcome.SEMANTICALLY_EQUAL}


async def test_an_answer_may_end_with_its_connection(tmp_path: Path) -> None:
    async def answer(heard: Heard) -> None:
        heard.raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"name": "tea", "price": 4}')
        heard.writer.close()

    assert await one_kind(tmp_path, answer) == (EQUAL, {})


HEAD = b"HTTP/1.1 200 OK\r\n"
IN_THE_MIDDLE = "the connection ended in the middle of the answer"


@pytest.mark.parametrize(("raw", "why"), [
    (HEAD + b"Content-Length: 100\r\n\r\nhalf", IN_THE_MIDDLE),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal", IN_THE_MIDDLE),
    (b"", "the connection ended before any answer"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "the answer is no HTTP: expected HTTP/, RTSP/ or ICE/"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nXYZ\r\n", "the answer is no HTTP: invalid character in chunk size"),
    (HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello", "the answer is no HTTP: duplicate Content-Length"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     "the target switched to another protocol"),
    (HEAD + b"X-Long: " + b"a" * 300_000, "the answer's head is larger than 256 KiB"),
])  # fmt: skip
async def test_answers_that_are_none_are_errors_with_a_reason(tmp_path: Path, raw: bytes, why: str) -> None:
    async def answer(heard: Heard) -> None:
        heard.raw(raw)
        await heard.writer.drain()
        heard.writer.close()

    kind, errors = await one_kind(tmp_path, answer)
    assert (kind, errors) == (ERROR, {why: 1})


async def test_a_reset_in_the_middle_is_told_as_one(tmp_path: Path) -> None:
    async def answer(heard: Heard) -> None:
        heard.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf")
        await heard.writer.drain()
        raw = heard.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        heard.writer.transport.abort()

    kind, errors = await one_kind(tmp_path, answer)
    assert kind == ERROR
    assert list(errors) == ["the connection was reset in the middle of the answer"]


async def test_a_slow_answer_is_given_up(tmp_path: Path) -> None:
    async def answer(_: Heard) -> None:
        await asyncio.Event().wait()

    assert await one_kind(tmp_path, answer, timeout=0.3) == (ERROR, {"no complete answer within 0.3 s": 1})


async def test_a_target_that_refuses_is_an_error_of_each_request(tmp_path: Path, free_port: Callable[[], int]) -> None:
    played = await play(tmp_path, pages(3), f"http://127.0.0.1:{free_port()}", scale=2.0)
    assert played.tally.errors == {"the target did not accept a connection: connection refused": 6}
    assert played.tally.ended == 2


async def test_a_connection_that_was_closed_while_idle_costs_a_get_nothing(tmp_path: Path) -> None:
    async def answer(heard: Heard) -> None:
        # The head does not announce it, as a server whose patience ends just now.
        heard.json(TEA)
        await heard.writer.drain()
        if heard.number % 2 == 0:
            heard.writer.transport.abort()

    async with serving(answer) as server:
        played = await play(tmp_path, pages(6), server.url)
    assert (played.tally.answered, played.tally.failed) == (6, 0)


async def test_bytes_after_an_answer_are_not_taken_for_the_next(tmp_path: Path) -> None:
    async def answer(heard: Heard) -> None:
        heard.json(TEA)
        heard.raw(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")

    async with serving(answer) as server:
        played = await play(tmp_path, pages(5), server.url)
    assert all(counts[EQUAL] == 1 for counts in played.kinds.values())
    assert played.tally.failed == 0


async def test_the_answer_to_head_has_no_body(tmp_path: Path) -> None:
    heads = session(1, *[("HEAD", "/tea", None, None) for _ in range(3)])

    async def answer(heard: Heard) -> None:
        heard.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")

    async with serving(answer) as server:
        played = await play(tmp_path, heads, server.url)
    assert (played.tally.answered, server.connections) == (3, 1)


async def test_a_failed_producer_blocks_what_needs_it(tmp_path: Path) -> None:
    async def answer(heard: Heard) -> None:
        heard.json({"error": "out of stock"}, 503)

    async with serving(answer) as server:
        played = await play(tmp_path, order_session(1), server.url, scale=3.0)
    assert [heard.method for heard in server.heard] == ["POST"] * 3
    assert Counter(one.outcome for one in played.compared.results) == {Outcome.DIFFERENT: 3, Outcome.BLOCKED: 3}


async def test_a_rare_wrong_answer_outside_of_the_samples_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wiretape_replay.load.samples.ANSWERS", 0)

    async def answer(heard: Heard) -> None:
        heard.json(TEA if heard.number != 40 else TEA | {"price": 5})

    async with serving(answer) as server:
        played = await play(tmp_path, pages(), server.url, arrivals="closed", rate=1, scale=50.0)
    assert [counts[:2] for counts in played.kinds.values()] == [[49, 1]]
    assert Counter(one.outcome for one in played.compared.results) == {Outcome.BYTES_EQUAL: 1, Outcome.DIFFERENT: 1}


@pytest.mark.parametrize("wrong", [1, 2, 5])
async def test_a_wrong_answer_is_kept_when_its_session_gives_way_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    monkeypatch.setattr("wiretape_replay.load.samples.ANSWERS", 1)

    async def answer(heard: Heard) -> None:
        heard.json(TEA) if heard.number != wrong else heard.json({"error": "boom"}, 500)

    async with serving(answer) as server:
        played = await play(tmp_path, pages(), server.url, arrivals="closed", rate=1, scale=60.0)
    assert [counts[:3] for counts in played.kinds.values()] == [[59, 0, 1]]
    outcomes = Counter(one.outcome for one in played.compared.results)
    assert outcomes == {Outcome.BYTES_EQUAL: 2, Outcome.DIFFERENT: 1}


async def test_many_answers_of_one_status_take_no_room_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wiretape_replay.load.samples.ANSWERS", 0)

    async def answer(heard: Heard) -> None:
        if heard.number == 30:
            heard.json({"error": "gone"}, 404)
        elif heard.number % 5 == 4:
            heard.json({"error": "boom"}, 500)
        else:
            heard.json(TEA if heard.number != 31 else TEA | {"price": 5})

    async with serving(answer) as server:
        played = await play(tmp_path, pages(), server.url, arrivals="closed", rate=1, scale=40.0)
    assert Counter(one.actual_status for one in played.compared.results) == {"200": 2, "500": 3, "404": 1}


async def test_a_wrong_answer_of_a_session_that_the_end_cuts_short_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wiretape_replay.load.samples.ANSWERS", 0)
    recorded = session(1, *[("GET", "/tea", None, TEA)] * 2, gap_ms=60_000)

    async def answer(heard: Heard) -> None:
        await asyncio.sleep(1.5 * (heard.number == 3))
        heard.json(TEA) if heard.number < 3 else heard.json({"error": "boom"}, 500)

    async with serving(answer) as server:
        played = await play(tmp_path, recorded, server.url, scale=4.0, seconds=1.0)
    assert (played.tally.ended, played.tally.cut) == (0, 4)
    assert Counter(one.outcome for one in played.compared.results) == {Outcome.BYTES_EQUAL: 1, Outcome.DIFFERENT: 1}


def basket() -> list[Exchange]:
    """Puts something into a cart under an id that only the list of the cart explains, which is read a minute later."""
    identity, made = "09f69e18-f182-4812-b352-c31f297692a1", {"item": "it_875e281390db", "sku": "tea"}
    recorded = session(
        1,
        ("POST", "/carts", {}, (201, {"cart": identity})),
        ("POST", f"/carts/{identity}/items", {"sku": "tea"}, (201, made)),
        ("GET", f"/carts/{identity}", None, {"cart": identity, "items": [made], "total": 7}),
    )
    late = recorded[2].started_ns + 60_000_000_000
    return [*recorded[:2], recorded[2].model_copy(update={"started_ns": late})]  # fmt: skip


@pytest.mark.parametrize(("sku", "status", "found"), [
    ("tea", 201, []), ("WRONG", 201, ["/sku"]), ("tea", 500, [""]),
])  # fmt: skip
async def test_what_the_rest_of_a_session_would_have_explained_is_no_finding_where_the_end_cuts_it_off(
    tmp_path: Path, sku: str, status: int, found: list[str]
) -> None:
    stop = asyncio.Event()

    async def answer(heard: Heard) -> None:
        if heard.target == "/carts":
            heard.json({"cart": str(uuid.uuid4())}, 201)
        else:
            heard.json({"item": f"it_{uuid.uuid4().hex[:12]}", "sku": sku}, status)
        if heard.number == 8:
            stop.set()

    async with serving(answer) as server:
        played = await play(tmp_path, basket(), server.url, stop, scale=4.0, seconds=6.0)
    assert (played.tally.ended, played.tally.cut, played.tally.answered) == (0, 4, 8)
    told = {(route, each.pointer) for _, route, comparison in played.compared.comparisons
            for each in comparison.differences}  # fmt: skip
    assert told == {("POST /carts/{id}/items", pointer) for pointer in found}


async def test_an_id_that_only_a_location_names_is_followed_though_nobody_asks_for_it_any_more(tmp_path: Path) -> None:
    recorded = session(1, ("POST", "/jobs", {}, (202, {"queued": True})),
                       ("GET", "/jobs/UgD9RRUcJHN_", None, {"id": "UgD9RRUcJHN_"}), gap_ms=60_000)  # fmt: skip
    answered = recorded[0].response
    assert answered is not None
    located = answered.model_copy(update={"headers": (*answered.headers, ("Location", "/jobs/UgD9RRUcJHN_"))})
    recorded[0] = recorded[0].model_copy(update={"response": located})
    stop = asyncio.Event()

    async def answer(heard: Heard) -> None:
        identity = "txf580habdj_" if heard.number % 2 else "2m4lGloNiLiC"
        heard.raw(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nLocation: /jobs/%b\r\n"
                  b"Content-Length: 16\r\n\r\n{\"queued\": true}" % identity.encode())  # fmt: skip
        if heard.number == 4:
            stop.set()

    async with serving(answer) as server:
        played = await play(tmp_path, recorded, server.url, stop, scale=4.0, seconds=6.0)
    assert played.tally.cut == 4
    assert not [each for _, _, comparison in played.compared.comparisons for each in comparison.differences]


@pytest.mark.parametrize("pieces", [1, 2])
async def test_every_answer_is_compared_with_the_ids_of_its_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr("wiretape_replay.load.samples.ANSWERS", 0)

    async def answer(heard: Heard) -> None:
        new = heard.method == "POST"
        identity = str(uuid.uuid4()) if new else heard.target.rpartition("/")[2]
        data = json.dumps({"id": identity, "state": "new", "lines": [{"sku": "tea", "quantity": 2}]}).encode()
        heard.raw(b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                  % (201 if new else 200, len(data)))  # fmt: skip
        if pieces == 2:
            await heard.writer.drain()
            await asyncio.sleep(0)
        heard.raw(data)

    async with serving(answer) as server:
        played = await play(tmp_path, order_session(1), server.url, arrivals="closed", rate=1, scale=20.0)
    assert [(counts[ALIKE], sum(counts)) for counts in played.kinds.values()] == [(20, 20), (20, 20)]


async def test_an_answer_with_the_id_of_another_clone_is_not_taken_for_the_recorded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wiretape_replay.load.samples.ANSWERS", 0)
    shop = Shop()

    async def answer(heard: Heard) -> None:
        if heard.method == "GET" and len(shop.orders) == 30:
            heard.json(next(iter(shop.orders.values())))
        else:
            await shop(heard)

    async with serving(answer) as server:
        played = await play(tmp_path, order_session(1), server.url, arrivals="closed", rate=1, scale=40.0)
    made, read = (played.kinds[sequence] for sequence in sorted(played.kinds))
    assert (made[ALIKE], read[ALIKE], read[UNEQUAL]) == (40, 39, 1)
    outcomes = Counter(one.outcome for one in played.compared.results)
    assert outcomes == {Outcome.SEMANTICALLY_EQUAL: 2, Outcome.DIFFERENT: 1}


async def test_warm_up_is_sent_and_compared_and_not_timed(tmp_path: Path) -> None:
    async with serving(good) as server:
        played = await play(tmp_path, pages(3), server.url, warmup=3600.0)
    assert played.tally.answered == 3
    assert played.tally.latency == {}


async def test_large_bodies_are_compared_by_hash(tmp_path: Path) -> None:
    big = "x" * 3_000_000
    recorded = session(1, ("GET", "/big", None, big), ("GET", "/big", None, big))
    bare = []
    for each in recorded:
        assert each.response is not None
        body = each.response.body.model_copy(update={"data": None})
        bare.append(each.model_copy(update={"response": each.response.model_copy(update={"body": body})}))

    async def answer(heard: Heard) -> None:
        data = big.encode() if heard.number == 0 else big[:-1].encode() + b"y"
        heard.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))

    async with serving(answer) as server:
        played = await play(tmp_path, bare, server.url, compare="bytes")
    assert [counts[:2] for counts in played.kinds.values()] == [[1, 0], [0, 1]]


async def test_more_sessions_than_may_be_under_way_are_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wiretape_replay.load.player.MOST_SESSIONS", 2)
    release = asyncio.Event()

    async def answer(heard: Heard) -> None:
        if len(server.heard) >= 2:
            release.set()
        await release.wait()
        heard.json(TEA)

    async with serving(answer) as server:
        played = await play(tmp_path, pages(), server.url, arrivals="constant", rate=1_000_000.0, scale=10.0)
    tally = played.tally
    assert tally.started + tally.dropped == 10
    assert (tally.started, tally.answered) == (2, 2)


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_target_with_tls_on_loopback_needs_no_trusted_certificate(tmp_path: Path) -> None:
    async with serving(good, ssl=certificate(tmp_path)) as server:
        played = await play(tmp_path, pages(4), server.url.replace("http:", "https:"))
    assert (played.tally.answered, played.tally.opened) == (4, 1)


async def test_a_target_that_speaks_no_tls_is_told_as_that(tmp_path: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        played = await play(tmp_path, pages(), f"https://127.0.0.1:{port}")
    assert played.tally.errors == {"TLS failed: wrong version number": 1}
