"""Calls every service URL with every Python client and prints one line for each call."""

import asyncio
import http.client
import sys
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp
import httpx
import requests
import urllib3


def by_requests(url: str) -> str:
    return requests.get(url, timeout=60).text


def by_requests_without_environment(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=60).text


def by_httpx(url: str) -> str:
    return httpx.get(url, timeout=60).text


def by_httpx_without_environment(url: str) -> str:
    with httpx.Client(trust_env=False, timeout=60, transport=httpx.HTTPTransport(retries=1)) as client:
        return client.get(url).text


def by_httpx_async(url: str) -> str:
    async def call() -> str:
        async with httpx.AsyncClient(timeout=60, transport=httpx.AsyncHTTPTransport(retries=1)) as client:
            return (await client.get(url)).text

    return asyncio.run(call())


def by_urllib(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as response:
        body: bytes = response.read()
    return body.decode()


def by_urllib3(url: str) -> str:
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, timeout=60, retries=False).data.decode()


def by_http_client(url: str) -> str:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=60)
    connection.request("GET", parts.path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def by_aiohttp(url: str, *, trust_env: bool = False) -> str:
    async def call() -> str:
        async with aiohttp.ClientSession(trust_env=trust_env) as session, session.get(url) as response:
            return await response.text()

    return asyncio.run(call())


CLIENTS: dict[str, Callable[[str], str]] = {
    "requests": by_requests,
    "requests-trust-env-off": by_requests_without_environment,
    "httpx": by_httpx,
    "httpx-trust-env-off": by_httpx_without_environment,
    "httpx-async": by_httpx_async,
    "urllib": by_urllib,
    "urllib3": by_urllib3,
    "http.client": by_http_client,
    "aiohttp": by_aiohttp,
    "aiohttp-trust-env": lambda url: by_aiohttp(url, trust_env=True),
}


def outcome(call: Callable[[str], str], url: str) -> str:
    try:
        return call(url)
    except Exception as error:  # noqa: BLE001 - the line says what happened
        return f"{type(error).__name__}: {error}".replace("\n", " ")


for base in sys.argv[1:]:
    for name, client in CLIENTS.items():
        print(f"python/{name}", base, outcome(client, f"{base}/python/{name}"), sep="\t", flush=True)  # noqa: T201
