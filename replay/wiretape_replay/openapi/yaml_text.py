"""YAML as JSON values by the core schema of YAML 1.2: `yes` and dates are texts, keys are texts, numbers are exact."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_DEPTH_LIMIT = 200


class _Core(_Loader):  # type: ignore[misc, valid-type]
    """libyaml's parser where it is installed; without the implicit types of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own attribute


_Core.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Core.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)
_Core.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])


def _integer(_loader: Any, node: yaml.ScalarNode) -> int:
    return int(node.value)


def _decimal(_loader: Any, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


def _mapping(loader: Any, node: yaml.MappingNode) -> Any:
    found: dict[str, Any] = {}
    yield found
    loader.flatten_mapping(node)
    for key, value in node.value:
        found[key.value if isinstance(key, yaml.ScalarNode) else str(key)] = loader.construct_object(value, deep=False)


_Core.add_constructor("tag:yaml.org,2002:int", _integer)
_Core.add_constructor("tag:yaml.org,2002:float", _decimal)
_Core.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_yaml(text: str) -> Any:
    """The value of one document. ValueError names the line that is wrong; RecursionError: it is nested too deeply."""
    try:
        _refuse_depth(text)
        return yaml.load(text, Loader=_Core)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ArithmeticError) as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _refuse_depth(text: str) -> None:
    """libyaml's composer is recursive and would end the process; its events are not."""
    depth = 0
    for event in yaml.parse(text, Loader=_Core):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_LIMIT:
            raise RecursionError


def dump_yaml(tree: Any) -> str:
    """JSON values as YAML, in their order."""
    return yaml.dump(tree, Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=120)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True
