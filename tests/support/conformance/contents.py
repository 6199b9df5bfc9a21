"""What the conformance suite asks servers to have: tools, resources and prompts of fixed names that answer at once."""

from __future__ import annotations

import base64
import json
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Message, UserMessage
from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(
    b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + b"\x01\x00\x01\x00"
    + (8000).to_bytes(4, "little") * 2 + b"\x01\x00\x08\x00data" + bytes(4)
).decode()  # fmt: skip

SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""The schema whose every keyword must reach the client as it is."""


def said(text: str) -> CallToolResult:
    """A result of one text."""
    return result(TextContent(type="text", text=text))


def result(*content: ContentBlock) -> CallToolResult:
    """A result without fields."""
    return CallToolResult(content=list(content))


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )  # fmt: skip


def add_contents(server: MCPServer[Any]) -> None:
    """Register them."""
    picture = ImageContent(type="image", data=PIXEL, mime_type="image/png")

    @server.tool()
    def test_simple_text() -> CallToolResult:
        """Conformance fixture: simple text."""
        return said("This is a simple text response for testing.")

    @server.tool()
    def test_image_content() -> CallToolResult:
        """Conformance fixture: image content."""
        return result(picture)

    @server.tool()
    def test_audio_content() -> CallToolResult:
        """Conformance fixture: audio content."""
        return result(AudioContent(type="audio", data=SILENCE, mime_type="audio/wav"))

    @server.tool()
    def test_embedded_resource() -> CallToolResult:
        """Conformance fixture: embedded resource."""
        return result(_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))

    @server.tool()
    def test_multiple_content_types() -> CallToolResult:
        """Conformance fixture: multiple content types."""
        told = TextContent(type="text", text="Multiple content types test:")
        data = _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
        return result(told, picture, data)

    @server.tool()
    async def test_tool_with_logging(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: tool with logging."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await anyio.sleep(0.05)
        return said("Logged")

    @server.tool()
    async def test_logging_tool(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: logging tool."""
        await ctx.info("only for those who asked for a level")
        return said("Logged")

    @server.tool()
    async def test_tool_with_progress(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: tool with progress."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"Completed step {done} of 100")
        return said("Done")

    @server.tool()
    def test_error_handling() -> CallToolResult:
        """Conformance fixture: error handling."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool()
    def test_x_mcp_header(region: str) -> CallToolResult:
        """Conformance fixture: x mcp header."""
        return said(region)

    @server.tool()
    def json_schema_2020_12_tool(name: str = "") -> CallToolResult:
        """Conformance fixture: json schema 2020 12 tool."""
        return said(name)

    _add_resources(server)
    _add_prompts(server, picture)


def _add_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PIXEL)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 - the suite's name
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        return "Watched resource content"


def _add_prompts(server: MCPServer[Any], picture: ImageContent) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """Conformance fixture: simple prompt."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """Conformance fixture: prompt with arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
        """Conformance fixture: prompt with embedded resource."""
        data = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(data), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    def test_prompt_with_image() -> list[Message]:
        """Conformance fixture: prompt with image."""
        return [UserMessage(picture), UserMessage("Please analyze the image above.")]
