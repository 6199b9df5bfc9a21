"""What the conformance suite asks servers to have: tools and a prompt that need something of the client first.

In the 2026-07-28 protocol a server answers with what it needs and is called again; before, it sent requests of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import (
    CallToolResult,
    InputRequiredResult,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

from conformance.contents import said

MODERN = "2026-07-28"
MISSING_CAPABILITY = -32021

type Asked = CallToolResult | InputRequiredResult


class Reply(BaseModel):
    """What test_elicitation asks for."""

    response: str = Field(description="User's response")


class Defaults(BaseModel):
    """A form whose every field has a default."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def _titled(*names: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": name} for number, name in enumerate(names, 1)]


class Choices(BaseModel):
    """A form with each spelling of a choice."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled("First", "Second", "Third")})  # type: ignore[dict-item]
    legacyEnum: str = Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]})
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled("First", "Second")}})  # type: ignore[dict-item]


def form(message: str, **properties: str) -> dict[str, Any]:
    """A question to the user."""
    schema = {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()},
              "required": list(properties)}  # fmt: skip
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sampling(text: str, most: int) -> dict[str, Any]:
    """A question to the model."""
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": most}}


ROOTS: dict[str, Any] = {"method": "roots/list", "params": {}}


def needs(requests: Mapping[str, Any], state: str | None = None) -> InputRequiredResult:
    """The answer that asks; the SDK signs the state."""
    asked: dict[str, Any] = {"resultType": "input_required", "inputRequests": dict(requests)}
    return InputRequiredResult.model_validate(asked | ({"requestState": state} if state else {}))


def given(ctx: Context[Any], key: str) -> dict[str, Any] | None:
    """What the client answered to one of the questions."""
    answer = (ctx.input_responses or {}).get(key)
    return None if answer is None else answer.model_dump(mode="json", by_alias=True)


def entered(ctx: Context[Any], key: str) -> dict[str, Any]:
    """What a form holds."""
    return (given(ctx, key) or {}).get("content") or {}


def add_rounds(server: MCPServer[Any]) -> None:
    """Register them."""
    _add_questions(server)
    _add_states(server)
    _add_requests(server)


def _add_questions(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_elicitation(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result elicitation."""
        name = entered(ctx, "user_name").get("name")
        return said(f"Hello, {name}!") if name else needs({"user_name": form("What is your name?", name="string")})

    @server.tool()
    async def test_input_required_result_sampling(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result sampling."""
        if (answer := given(ctx, "capital_question")) is not None:
            return said(json.dumps(answer["content"]))
        return needs({"capital_question": sampling("What is the capital of France?", 100)})

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result list roots."""
        if (answer := given(ctx, "client_roots")) is not None:
            return said(f"{len(answer['roots'])} roots")
        return needs({"client_roots": ROOTS})

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result capabilities."""
        able = ctx.client_capabilities
        questions = {}
        if able is not None and able.elicitation is not None:
            questions["asked"] = form("A value?", value="string")
        if able is not None and able.sampling is not None:
            questions["sampled"] = sampling("Anything", 50)
        return needs(questions) if questions else said("the client can be asked nothing")

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Context[Any]) -> str | InputRequiredResult:
        """Conformance fixture: input required result prompt."""
        context = entered(ctx, "user_context").get("context")
        asked = needs({"user_context": form("What context should the prompt use?", context="string")})
        return f"Prompt with context: {context}" if context else asked


def _add_states(server: MCPServer[Any]) -> None:
    confirm = {"confirm": form("Please confirm", ok="boolean")}

    @server.tool()
    async def test_input_required_result_request_state(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result request state."""
        done = ctx.request_state == "asked" and entered(ctx, "confirm").get("ok") is True
        return said("state-ok: it came back") if done else needs(confirm, "asked")

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result tampered state."""
        return said("integrity-ok") if ctx.request_state and given(ctx, "confirm") else needs(confirm, "untouched")

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result multiple inputs."""
        questions = {"user_name": form("What is your name?", name="string"),
                     "greeting": sampling("Generate a greeting", 50), "client_roots": ROOTS}  # fmt: skip
        all_given = all(given(ctx, key) is not None for key in questions)
        return said("all given") if ctx.request_state and all_given else needs(questions, "three")

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Context[Any]) -> Asked:
        """Conformance fixture: input required result multi round."""
        if ctx.request_state == "round-2" and given(ctx, "step2"):
            return said("two rounds")
        if ctx.request_state == "round-1" and given(ctx, "step1"):
            return needs({"step2": form("Step 2: What is your favorite color?", color="string")}, "round-2")
        return needs({"step1": form("Step 1: What is your name?", name="string")}, "round-1")


def _add_requests(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_sampling(prompt: str, ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: sampling."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
        return said(f"LLM response: {answer.model_dump_json(by_alias=True)}")

    async def ask(ctx: Context[Any], message: str, schema: type[BaseModel]) -> CallToolResult:
        answer = await ctx.elicit(message, schema)
        entered = answer.data.model_dump_json() if answer.action == "accept" else "{}"
        return said(f"User response: action={answer.action}, content={entered}")

    @server.tool()
    async def test_elicitation(message: str, ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: elicitation."""
        return await ask(ctx, message, Reply)

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: elicitation sep1034 defaults."""
        return await ask(ctx, "Please review and update the form fields with defaults", Defaults)

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: elicitation sep1330 enums."""
        return await ask(ctx, "Please select options from the enum fields", Choices)

    @server.tool()
    async def test_missing_capability(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: missing capability."""
        able = ctx.client_capabilities
        if able is None or able.sampling is None:
            raise MCPError(MISSING_CAPABILITY, "this tool asks the model", {"requiredCapabilities": {"sampling": {}}})
        return said("the client can sample")

    @server.tool()
    async def test_streaming_elicitation(ctx: Context[Any]) -> Asked:
        """Conformance fixture: streaming elicitation."""
        await ctx.report_progress(1, 2, "asking")
        return said("answered") if given(ctx, "asked") else needs({"asked": form("Go on?", ok="boolean")})
