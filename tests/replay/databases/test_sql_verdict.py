"""An app on a real database, recorded once and judged in one broken variant after the other, the database gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from database_kit import exchanges
from database_story import Story
from postgres_server import Server
from sql_kit import Shop

pytestmark = pytest.mark.xdist_group("postgres_verdict")  # a server of its own: these take longest


@pytest.fixture(scope="module")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), postgres.dsn, free_port)
    asyncio.run(made.record())
    return made


async def test_the_unchanged_app_passes_without_its_database(shop: Shop) -> None:
    run = await shop.run("")
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert run.mock.miss == 0
    assert run.mock.exact > 10


@pytest.mark.parametrize(
    ("variant", "pointer", "said"),
    [
        ("missing", "missing db: update shop_stock set qty = qty - ? where sku = ? (", "is not called any more"),
        ("extra", "duplicated db: update shop_stock", "with the same content"),
        ("changed", "changed db: update shop_stock", "bind/1 was "),
        ("reordered", "reordered db: update shop_stock", "is called before"),
        ("apart", "split db: update shop_stock", "one transaction"),
        ("n+1", "n+1 db: select sku, qty from shop_stock where sku = ?", "(N+1)"),
    ],
)
async def test_a_broken_app_has_a_finding_that_names_the_statement(
    shop: Shop, variant: str, pointer: str, said: str
) -> None:
    run = await shop.run(variant)
    found = [each for each in run.verdict.findings if each.pointer.startswith(pointer)]
    assert found, [each.pointer for each in run.verdict.findings]
    assert said in found[0].message
    expected = "POST /orders" if variant != "n+1" else "GET /stock/"
    assert found[0].route.startswith(expected)


async def test_an_answer_with_another_id_than_the_insert_returned_fails(shop: Shop) -> None:
    run = await shop.run("otherid")
    (finding,) = run.verdict.findings
    assert (finding.route, finding.pointer, finding.kind, finding.count) == ("POST /orders", "/id", "value", 4)
    assert "was 1, as db: insert into shop_order(sku, qty) values (?, ?) returning id (" in finding.message
    assert finding.message.endswith(" had returned it; that returned the same again, and it is now 2")
    assert (run.verdict.verdict, run.counts.different) == ("fail", 4)
    assert all(one.pointer != "/id" for one in run.suppressed)


async def test_statements_of_the_recording_belong_to_their_requests(shop: Shop) -> None:
    tape = await exchanges(shop.folder / "shop.tape")
    begun_ns = {each.sequence: each.started_ns for each in tape}
    assert [begun_ns[number] for number in sorted(begun_ns)] == sorted(begun_ns.values())


LISTING = """\
import http.server, os, sys
import psycopg

COLUMNS = ", ".join(f"'{name}' as column_{name}" for name in ("identifier", "colour", "supplier", "category", "weight"))
SQL = (f"select {COLUMNS}, number from generate_series(1, 9) as number where number > 0 and number <> %s "
       f"and number between 1 and 9 {os.environ.get('ORDER', 'order by number desc')} limit 5")
database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            text = str(database.execute(SQL, (7,)).fetchall()) if self.path != "/health" else "ok"
        except psycopg.Error:
            text = "none"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


async def test_a_long_statement_is_told_where_it_differs(
    postgres: Server, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    (tmp_path / "app.py").write_text(LISTING)
    story = Story(tmp_path, postgres.dsn, free_port, tmp_path / "app.py")
    await story.record("/list")
    run = await story.replay("changed.run", ORDER="order by column_weight")
    (found,) = [each for each in run.verdict.findings if each.pointer.startswith("unexpected db: select ")]
    was, now = str(found.expected), str(found.actual)
    assert "order by number desc limit ?" in was
    assert "order by column_weight limit ?" in now
    assert max(len(was), len(now)) <= 100
    assert f"the app ran {now} of db, which the recording does not have; nearest is exchange " in found.message
    assert f": statement was {was}, came {now}" in found.message
