"""`wiretape-noise.toml`: learned noise, one rule a table, made to be reviewed and kept in git. Read by every replay."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_replay.compare.learned import LearnedRule
from wiretape_server.workspace.config import plain_reason
from wiretape_server.workspace.toml_lines import line_of

FILE_NAME = "wiretape-noise.toml"

HEADER = """\
# Noise of this project: places whose values vary on unchanged code, or that somebody accepted.
# Values there are not compared, but their shape is. Written by `wiretape noise learn` and `wiretape noise accept`,
# taken back by `wiretape noise undo ID`; a rule that is deleted here is gone as well.
"""


class _File(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")

    rule: tuple[LearnedRule, ...] = ()


def read_rules(path: Path) -> tuple[LearnedRule, ...]:
    """The rules of the file; none where there is no file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise WiretapeError(f"{path} cannot be read ({error.strerror})", "check the file's permissions") from None
    return parse_rules(text, path.name)


def parse_rules(text: str, name: str = FILE_NAME) -> tuple[LearnedRule, ...]:
    """The rules that `text` stands for."""
    try:
        return _File.model_validate(tomllib.loads(text)).rule
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}",
                         "mend that line, or take it back with git") from None  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, key = line_of(text, first["loc"]), ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name} line {where}: {key}: {plain_reason(first)}",
                         "mend that rule, or delete its whole table") from None  # fmt: skip


def write_rules(path: Path, rules: Iterable[LearnedRule], *, keep: bool = False) -> None:
    """Write all rules, sorted by place, so that a diff shows what changed; without any, a file only to `keep` it."""
    ordered = sorted(rules, key=lambda rule: (rule.route, rule.pointer, rule.kind))
    try:
        if not ordered and not keep:
            path.unlink(missing_ok=True)
            return
        part = path.with_name(f"{path.name}.part")
        part.write_text(HEADER + "".join(_table(rule) for rule in ordered), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise WiretapeError(f"{path} cannot be written ({error.strerror})", "check the folder's rights") from None


def merged(known: Sequence[LearnedRule], fresh: Iterable[LearnedRule]) -> list[LearnedRule]:
    """Fresh evidence replaces older evidence for the same place; what somebody accepted stays as it was."""
    rules = {rule.id: rule for rule in known}
    rules.update({rule.id: rule for rule in fresh if not (rule.id in rules and rules[rule.id].accepted_by)})
    return list(rules.values())


def _table(rule: LearnedRule) -> str:
    shape = rule.shape.model_dump(exclude_defaults=True, mode="json")
    plain = {name: value for name, value in rule.model_dump(exclude={"shape"}, mode="json").items()
             if value not in ("", 0) or name in ("route", "pointer")}  # fmt: skip
    lines = [f"{name} = {_toml(value)}" for name, value in plain.items()]
    if shape:
        lines.append(f"shape = {{ {', '.join(f'{name} = {_toml(value)}' for name, value in shape.items())} }}")
    return "\n[[rule]]\n" + "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """TOML spells strings, numbers and arrays of them as JSON does, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
