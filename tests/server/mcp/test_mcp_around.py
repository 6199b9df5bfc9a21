"""What surrounds the tools: prompts that name real tools, completed names, resources that announce themselves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import (
    PromptReference,
    ResourceListChangedNotification,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
    TextContent,
    TextResourceContents,
)

from wiretape_capture.jobs.events import Finished
from wiretape_server.mcp.announcements import resources_of
from wiretape_server.mcp.app import TOOLS, build_server
from wiretape_server.mcp.completions import matching
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.state import ServerState
from wiretape_server.workspace.workspace import Workspace

type InMemory = Callable[[Workspace], AbstractAsyncContextManager[Client]]

RUN = "20261123-101010"
ARGUMENTS: dict[str, dict[str, str]] = {
    "set_up": {}, "verify_change": {"snapshot": "first"}, "explain_failure": {"run": RUN, "finding": "F-00000001"},
    "raise_hit_rate": {"snapshot": "first"},
}  # fmt: skip


async def prompt(client: Client, name: str, arguments: dict[str, str]) -> str:
    content = (await client.get_prompt(name, arguments)).messages[0].content
    assert isinstance(content, TextContent)
    return content.text


async def test_prompts_lead_through_tools_that_exist(project: Workspace, in_memory: InMemory) -> None:
    tools = {function.__name__ for function, _, _ in TOOLS}
    async with in_memory(project) as client:
        listed = [each.name for each in (await client.list_prompts()).prompts]
        texts = [await prompt(client, name, arguments) for name, arguments in ARGUMENTS.items()]
        bare = [await prompt(client, name, {}) for name in ARGUMENTS]

    assert listed == list(ARGUMENTS)
    for text in (*texts, *bare):
        words = re.findall(r"\b(?:run|get|list|start|stop|search|accept)_[a-z]+\b", text)
        assert words
        assert set(words) - {"get_order"} <= tools
        assert "{" not in text
    assert 'explain(id="F-00000001", run="20261123-101010")' in texts[2]
    assert 'run_replay(snapshot="first")' in texts[1]
    assert "1. Call get_run." in bare[2]


async def test_a_prompt_takes_no_path_for_a_name(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        with pytest.raises(MCPError):
            await client.get_prompt("verify_change", {"snapshot": "../../etc"})


async def complete(client: Client, ref: PromptReference | ResourceTemplateReference, name: str, typed: str,
                   known: dict[str, str] | None = None) -> list[str]:  # fmt: skip
    found = await client.complete(ref, {"name": name, "value": typed}, context_arguments=known)
    return found.completion.values


async def test_names_are_completed(project: Workspace, in_memory: InMemory) -> None:
    verify, failure = PromptReference(name="verify_change"), PromptReference(name="explain_failure")
    finding = ResourceTemplateReference(uri="wiretape://runs/{run}/findings/{finding}")
    exchange = ResourceTemplateReference(uri="wiretape://snapshots/{name}/exchanges/{sequence}")
    async with in_memory(project) as client:
        assert await complete(client, verify, "snapshot", "f") == ["first"]
        assert set(await complete(client, exchange, "name", "")) == {"first", "second"}
        assert await complete(client, exchange, "sequence", "", {"name": "first"}) == ["1", "2", "3"]
        assert await complete(client, failure, "run", "2026") == [RUN]
        assert (await complete(client, finding, "finding", "F-0000000a", {"run": RUN})) == ["F-0000000a"]
        assert await complete(client, verify, "route", "orders", {"snapshot": "first"}) == [
            "POST /orders", "GET /orders/{id}"]  # fmt: skip
        assert await complete(client, finding, "finding", "", {"run": "../x"}) == []
        assert await complete(client, verify, "nothing", "") == []


def test_what_begins_so_comes_before_what_holds_it() -> None:
    assert matching(["late-orders", "orders", "x"], "Ord") == ["orders", "late-orders"]


async def test_a_finding_is_a_resource(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        contents = (await client.read_resource(f"wiretape://runs/{RUN}/findings/F-00000001")).contents[0]
        with pytest.raises(MCPError, match="did you mean"):
            await client.read_resource(f"wiretape://runs/{RUN}/findings/F-0000000f")

    assert isinstance(contents, TextResourceContents)
    found = json.loads(contents.text)
    assert found["detail"]["patch"] == [{"op": "replace", "path": "/total", "value": "12.5"}]
    assert found["why"]
    assert found["considered"]
    assert "eyJhbGciOiJub25lIn0" not in contents.text


class Ended:
    """Stands in place of a job: only what an announcement reads of one."""

    kind = "run"
    name = RUN
    result = Finished(result={})


@asynccontextmanager
async def served(project: Workspace, **choices: Any) -> AsyncIterator[tuple[Client, LiveJobs]]:
    async with LiveJobs() as jobs:
        server = build_server(ServerState(ServeOptions(directory=project.root), jobs))
        async with Client(server, **choices) as client:
            yield client, jobs


async def end(jobs: LiveJobs) -> None:
    for told in jobs.on_end:
        await told(Ended())  # type: ignore[arg-type]


async def test_listeners_hear_that_a_run_ended(project: Workspace) -> None:
    async with served(project) as (client, jobs):
        uri = f"wiretape://runs/{RUN}"
        async with client.listen(resource_subscriptions=[uri], resources_list_changed=True) as events:
            await end(jobs)
            async with asyncio.timeout(30):
                heard = [await anext(events), await anext(events)]

    assert heard == [ResourceUpdated(uri=uri), ResourcesListChanged()]


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_subscribers_of_the_older_protocol_hear_it_too(project: Workspace) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(message: Any) -> None:
        await heard.put(message)

    async with served(project, mode="legacy", message_handler=hear) as (client, jobs):
        capabilities = client.server_capabilities
        await client.subscribe_resource("wiretape://runs")
        await client.subscribe_resource(f"wiretape://runs/{RUN}/report")
        await client.unsubscribe_resource(f"wiretape://runs/{RUN}/report")
        await end(jobs)
        async with asyncio.timeout(30):
            told = [await heard.get(), await heard.get()]

    assert capabilities is not None
    assert capabilities.resources is not None
    assert (capabilities.resources.subscribe, capabilities.resources.list_changed) == (True, True)
    assert isinstance(told[0], ResourceUpdatedNotification)
    assert str(told[0].params.uri) == "wiretape://runs"
    assert isinstance(told[1], ResourceListChangedNotification)


def test_what_a_job_leaves_to_be_read() -> None:
    assert resources_of("recording", "a")[1] == "wiretape://snapshots/a"
    assert resources_of("mock", "a") == []
