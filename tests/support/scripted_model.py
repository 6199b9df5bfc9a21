"""A language model that plays a script, behind the four wire formats of the agents' vendors, on loopback.

Each request is read as a `Turn`: what tools the model is offered, how many answers it gave so far, and what each of its
calls brought back. A script is a function from that to the next answer, so a request that is sent again gets the same.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """The model calls a tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """The model says something and ends its turn."""

    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model is shown."""

    tools: Mapping[str, Any]
    """Schemas by the name that the model has to call."""
    told: str
    """Instructions and what the user said, in one text."""
    answers: int
    """How many answers the model gave so far in this conversation."""
    results: tuple[str, ...]
    """What its calls brought back, as the model sees it."""

    def tool(self, name: str) -> str:
        """The offered name that ends in `name`."""
        found = [one for one in self.tools if one == name or one.endswith((f"_{name}", f"-{name}", f".{name}"))]
        assert found, f"no tool {name} among {sorted(self.tools)}"
        return min(found, key=len)


type Script = Callable[[Turn], Call | Say]


@dataclass
class ScriptedModel:
    """What was asked of the model, and the script's own failure, which must not look like one of the agent."""

    script: Script
    url: str = ""
    turns: list[Turn] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def answer(self, turn: Turn) -> Call | Say:
        """The next answer; a side conversation without tools (a title, a summary) gets a word."""
        if not turn.tools:
            return Say("ok")
        self.turns.append(turn)
        try:
            return self.script(turn)
        except Exception as error:  # noqa: BLE001 - told by the test, which would otherwise wait for the agent
            self.errors.append(f"{type(error).__name__}: {error}")
            return Say("the script failed")


@contextmanager
def scripted_model(script: Script) -> Iterator[ScriptedModel]:
    """The model, listening."""
    model = ScriptedModel(script)

    class Requests(_Requests):
        """Bound to this model."""

        served = model

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ScriptedModel

    def do_GET(self) -> None:
        """Lists of models and whatever else is asked before the first turn."""
        self.served.paths.append(self.path)
        self._send("application/json", json.dumps({"object": "list", "data": [], "models": []}))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """One turn."""
        self.served.paths.append(self.path)
        asked = json.loads(self._body() or b"{}")
        path = self.path.partition("?")[0]
        if path.endswith(("/count_tokens", ":countTokens")):
            self._send("application/json", json.dumps({"input_tokens": 100, "totalTokens": 100}))
        elif path.endswith("/messages"):
            self._stream(anthropic_events(self.served.answer(anthropic_turn(asked))), asked.get("stream"))
        elif path.endswith("/responses"):
            self._stream(responses_events(self.served.answer(responses_turn(asked))), asked.get("stream"))
        elif path.endswith("/chat/completions"):
            self._stream(chat_events(self.served.answer(chat_turn(asked))), asked.get("stream"))
        elif "enerateContent" in path:
            self._stream(gemini_events(self.served.answer(gemini_turn(asked))), path.endswith(":streamGenerateContent"))
        else:
            self._send("application/json", "{}")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _stream(self, events: Iterator[tuple[str, Any]], streaming: object) -> None:
        """All events, or what the last one holds where the client did not ask for a stream."""
        if streaming:
            told = "".join((f"event: {name}\n" if name else "")
                           + f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n"
                           for name, value in events if name != "whole")  # fmt: skip
            self._send("text/event-stream", told)
        else:
            whole = next(value for name, value in events if name == "whole")
            self._send("application/json", json.dumps(whole))

    def _send(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _text(content: Any) -> str:
    """The text of a content that is a string, or a list of blocks of any vendor."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(block) for block in content)
    if isinstance(content, dict):
        return _text(content["text"] if "text" in content else content.get("content", ""))
    return ""


def anthropic_turn(asked: dict[str, Any]) -> Turn:
    """Anthropic Messages."""
    blocks = [(message["role"], block) for message in asked["messages"]
              for block in ([{"type": "text", "text": message["content"]}] if isinstance(message["content"], str)
                            else message["content"])]  # fmt: skip
    said = [_text(block) for role, block in blocks if block["type"] == "text" and role == "user"]
    return Turn(
        tools={tool["name"]: tool.get("input_schema") for tool in asked.get("tools", [])},
        told="\n".join([_text(asked.get("system", "")), *said]),
        answers=sum(message["role"] == "assistant" for message in asked["messages"]),
        results=tuple(_text(block.get("content", "")) for _, block in blocks if block["type"] == "tool_result"),
    )


def anthropic_events(answer: Call | Say) -> Iterator[tuple[str, Any]]:
    """Its stream of events."""
    calls = isinstance(answer, Call)
    usage = {"input_tokens": 10, "output_tokens": 10}
    reason = "tool_use" if calls else "end_turn"
    if isinstance(answer, Call):
        block: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{_fresh()}", "name": answer.tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(answer.arguments)}
        whole = block | {"input": answer.arguments}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": answer.text}
        whole = block | {"text": answer.text}
    message: dict[str, Any] = {
        "id": f"msg_{_fresh()}", "type": "message", "role": "assistant", "model": "scripted", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    yield "message_start", {"type": "message_start", "message": message}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": reason, "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": stop, "usage": usage}
    yield "message_stop", {"type": "message_stop"}
    yield "whole", message | {"content": [whole], "stop_reason": reason}


def responses_turn(asked: dict[str, Any]) -> Turn:
    """OpenAI Responses; a namespace's tools are called as `namespace.name`."""
    items = asked["input"] if isinstance(asked["input"], list) else [{"role": "user", "content": asked["input"]}]
    tools: dict[str, Any] = {}
    for tool in asked.get("tools", []):
        inside = tool.get("tools")
        for one in inside if isinstance(inside, list) else [tool]:
            prefix = f"{tool['name']}." if isinstance(inside, list) else ""
            tools[prefix + one.get("name", one["type"])] = one
    descriptions = "\n".join(str(tool.get("description", "")) for tool in asked.get("tools", []))
    said = [_text(item.get("content", "")) for item in items if item.get("role") in ("user", "developer", "system")]
    return Turn(
        tools=tools,
        told="\n".join([asked.get("instructions") or "", descriptions, *said]),
        answers=sum(item.get("type") in ("function_call", "custom_tool_call") or item.get("role") == "assistant"
                    for item in items),
        results=tuple(_text(item["output"]) for item in items if str(item.get("type")).endswith("_call_output")),
    )  # fmt: skip


def responses_events(answer: Call | Say) -> Iterator[tuple[str, Any]]:
    """Its stream of events."""
    ident = _fresh()
    if isinstance(answer, Say):
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        item: dict[str, Any] = {"type": "message", "id": f"msg_{ident}", "role": "assistant", "status": "completed",
                                "content": content}  # fmt: skip
    else:
        namespace, _, name = answer.tool.rpartition(".")
        item = {"type": "function_call", "id": f"fc_{ident}", "call_id": f"call_{ident}", "name": name,
                "arguments": json.dumps(answer.arguments), "status": "completed"}  # fmt: skip
        item |= {"namespace": namespace} if namespace else {}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20, **details}
    response = {"id": f"resp_{ident}", "object": "response", "status": "in_progress", "model": "scripted", "output": []}
    done = response | {"status": "completed", "output": [item], "usage": usage}
    yield "response.created", {"type": "response.created", "response": response}
    yield "response.output_item.added", {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield "response.output_item.done", {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield "response.completed", {"type": "response.completed", "response": done}
    yield "whole", done


def chat_turn(asked: dict[str, Any]) -> Turn:
    """OpenAI Chat Completions."""
    messages = asked["messages"]
    return Turn(
        tools={tool["function"]["name"]: tool["function"].get("parameters") for tool in asked.get("tools", [])},
        told="\n".join(_text(one["content"]) for one in messages if one["role"] in ("system", "developer", "user")),
        answers=sum(one["role"] == "assistant" for one in messages),
        results=tuple(_text(one["content"]) for one in messages if one["role"] == "tool"),
    )


def chat_events(answer: Call | Say) -> Iterator[tuple[str, Any]]:
    """Its stream of chunks."""
    ident = _fresh()
    if isinstance(answer, Call):
        function = {"name": answer.tool, "arguments": json.dumps(answer.arguments)}
        message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [
            {"index": 0, "id": f"call_{ident}", "type": "function", "function": function}]}  # fmt: skip
    else:
        message = {"role": "assistant", "content": answer.text}
    reason = "tool_calls" if isinstance(answer, Call) else "stop"
    chunk = {"id": f"chatcmpl-{ident}", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    yield "", chunk | {"choices": [{"index": 0, "delta": message, "finish_reason": None}]}
    yield "", chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}
    yield "", "[DONE]"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    yield "whole", chunk | {"object": "chat.completion", "choices": [choice], "usage": usage}


def gemini_turn(asked: dict[str, Any]) -> Turn:
    """Gemini generateContent."""
    parts = [(content.get("role", "user"), part) for content in asked.get("contents", []) for part in content["parts"]]
    offered = [one for tool in asked.get("tools", []) for one in tool.get("functionDeclarations", [])]
    system = (asked.get("systemInstruction") or {}).get("parts", [])
    return Turn(
        tools={one["name"]: one.get("parametersJsonSchema", one.get("parameters")) for one in offered},
        told="\n".join([*map(_text, system), *(_text(part) for role, part in parts if role == "user")]),
        answers=sum(content.get("role") == "model" for content in asked.get("contents", [])),
        results=tuple(_gemini_result(part["functionResponse"]) for _, part in parts if "functionResponse" in part),
    )


def _gemini_result(result: dict[str, Any]) -> str:
    told = result["response"]
    return str(told["output"]) if set(told) == {"output"} else json.dumps(told, ensure_ascii=False)


def gemini_events(answer: Call | Say) -> Iterator[tuple[str, Any]]:
    """Its stream: one event."""
    part = ({"functionCall": {"name": answer.tool, "args": answer.arguments}} if isinstance(answer, Call)
            else {"text": answer.text})  # fmt: skip
    whole = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20},
        "modelVersion": "scripted",
    }
    yield "", whole
    yield "whole", whole


_count = iter(range(1, 1_000_000))


def _fresh() -> str:
    return f"{next(_count):08d}"
