"""What to answer to a line that is no message of the protocol: a client that hears nothing waits for ever. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

_ID = re.compile(r'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,100}")')
_HEAD = 1000
"""Characters of a line that is nested too deeply to be parsed in which its id is looked for."""
NO_MESSAGE = "not a JSON-RPC 2.0 message"


def answer_to(fault: Exception) -> JSONRPCError | None:
    """The error for a line that could not be read; None where no answer is due."""
    if not isinstance(fault, ValidationError):
        return _error(None, PARSE_ERROR, "the line cannot be read")
    problems = fault.errors(include_url=False)
    if problems[0]["type"] == "json_invalid":
        return _unparsed(str(problems[0]["input"]), problems[0]["msg"])
    whole = next((each["input"] for each in problems if each["type"] in ("missing", "model_type")), None)
    return _invalid(whole)


def _unparsed(line: str, said: str) -> JSONRPCError | None:
    """Python reads some of what the protocol's parser refuses, such as a lone surrogate."""
    if not line.strip():
        return None
    try:
        message = json.loads(line)
    except RecursionError:
        found = _ID.search(line[:_HEAD])
        return _error(json.loads(found[1]) if found else None, INVALID_REQUEST, "nested too deeply")
    except ValueError:
        return _error(None, PARSE_ERROR, said.removeprefix("Invalid JSON: "))
    deep = "recursion" in said
    return _error(_id_of(message), INVALID_REQUEST, "nested too deeply" if deep else "a text is not valid Unicode")


def _invalid(message: Any) -> JSONRPCError | None:
    if isinstance(message, list):
        return _error(None, INVALID_REQUEST, "batches are not taken: send one message a line")
    if not isinstance(message, dict):
        return _error(None, INVALID_REQUEST, NO_MESSAGE)
    if "id" not in message and "method" in message:
        return None  # a notification is never answered
    params = message.get("params")
    wrong = "params must be an object" if "params" in message and not isinstance(params, dict) else NO_MESSAGE
    return _error(_id_of(message), INVALID_REQUEST, wrong)


def _id_of(message: Any) -> int | str | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, int | str) and not isinstance(found, bool) and _sendable(found) else None


def _sendable(found: int | str) -> bool:
    return isinstance(found, int) or not re.search("[\ud800-\udfff]", found)


def _error(number: int | str | None, code: int, said: str) -> JSONRPCError:
    what = "Parse error" if code == PARSE_ERROR else "Invalid request"
    return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=f"{what}: {said[:200]}"))
