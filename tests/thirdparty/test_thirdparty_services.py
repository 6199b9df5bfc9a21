"""Real services as the app's dependency: recorded, stopped, and answered for by the mock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from workbench import BIN, Bench

AWS_SCRIPT = """
import boto3, json, os, sys
config = dict(endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="AK", aws_secret_access_key="SK")
s3 = boto3.client("s3", **config)
s3.create_bucket(Bucket="books", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
for name in ("a.txt", "b/c.txt"):
    s3.put_object(Bucket="books", Key=name, Body=name.encode() * 10, Metadata={"kind": "text"})
keys = [o["Key"] for o in s3.list_objects_v2(Bucket="books")["Contents"]]
body = s3.get_object(Bucket="books", Key="a.txt")["Body"].read().decode()
s3.delete_object(Bucket="books", Key="a.txt")
left = [o["Key"] for o in s3.list_objects_v2(Bucket="books")["Contents"]]
try:
    s3.head_object(Bucket="books", Key="a.txt"); gone = False
except s3.exceptions.ClientError as error:
    gone = error.response["Error"]["Code"]
sqs = boto3.client("sqs", **config)
url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="hello")
got = sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"]
empty = "Messages" not in sqs.receive_message(QueueUrl=url)
print(json.dumps([keys, body, left, gone, got, empty]))
"""

HTTPBIN_SCRIPT = """
import httpx, json, sys, uuid
with httpx.Client(base_url=sys.argv[1]) as c:
    print(json.dumps([
        c.get("/get", params={"a": "1"}).json()["args"],
        c.post("/post", json={"request_id": str(uuid.uuid4()), "amount": 12}).json()["json"]["amount"],
        c.get("/gzip").json()["gzipped"],
        len(c.get("/image/png").content),
        c.get("/status/503").status_code,
        c.get("/redirect/1", follow_redirects=True).status_code,
        c.get("/stream/3").text.count("\\n"),
    ]))
"""


def run_with(bench: Bench, mode: list[str], script: Path, url: str) -> list[object]:
    """Run a client script under `record` or `mock` and give what it printed."""
    out = bench.root / "out.json"
    shell = ["sh", "-c", f'exec "$0" "$1" "$2" > "{out}"', sys.executable, str(script), url]
    words: list[str | Path] = [BIN / "wiretape", *mode, "--json", "--", *shell]
    ran = subprocess.run(words, cwd=bench.root, capture_output=True, text=True, timeout=90, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    document = json.loads(ran.stdout)
    assert document.get("tally", {}).get("miss", 0) == 0, document
    printed: list[object] = json.loads(out.read_text())
    return printed


def recorded_then_mocked(bench: Bench, name: str, server: list[str | Path], url: str, source: str) -> list[object]:
    """Record the script against the live service, stop the service, run it again against the mock: same output."""
    script = bench.root / "client.py"
    script.write_text(source)
    with bench.server(server, url):
        live = run_with(bench, ["record", "--name", name], script, url)
    mocked = run_with(bench, ["mock", name], script, url)
    assert mocked == live
    return live


def test_moto_s3_and_sqs_are_mocked_for_boto3(bench: Bench) -> None:
    port = bench.free_port()
    url = f"http://127.0.0.1:{port}"
    result = recorded_then_mocked(bench, "moto", [BIN / "moto_server", "-p", str(port)], url, AWS_SCRIPT)
    assert result == [["a.txt", "b/c.txt"], "a.txt" * 10, ["b/c.txt"], "404", "hello", True]


def test_httpbin_is_mocked(bench: Bench) -> None:
    port = bench.free_port()
    url = f"http://127.0.0.1:{port}"
    server: list[str | Path] = [sys.executable, "-m", "flask", "--app", "httpbin:app", "run", "--port", str(port)]
    result = recorded_then_mocked(bench, "httpbin", server, url, HTTPBIN_SCRIPT)
    assert result[:5] == [{"a": "1"}, 12, True, 8090, 503]
