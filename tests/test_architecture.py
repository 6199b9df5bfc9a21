"""The house rules that a machine can hold: import directions, places of heavy imports, names, sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WINGS = {"wiretape_capture": "capture", "wiretape_replay": "replay", "wiretape_server": "server"}
FORBIDDEN = {
    "wiretape_capture": {"wiretape_replay", "wiretape_server"},
    "wiretape_replay": {"wiretape_server"},
    "wiretape_server": set[str](),
}
ONLY_IN = {
    "mitmproxy": "capture/wiretape_capture/proxy/",
    "mcp": "server/wiretape_server/mcp/",
    "click": "server/wiretape_server/cli/",
    "rich": "server/wiretape_server/cli/",
    "distributed": "replay/wiretape_replay/load/",
    "obstore": "server/wiretape_server/store/",
    "botocore": "server/wiretape_server/store/",
}
VAGUE = ("Manager", "Handler", "Helper", "Util", "Utils", "Service", "Processor", "Factory", "Wrapper")
DRAWERS = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "handler", "misc"}
LARGEST_MODULE = 500
LONGEST_FUNCTION = 60

SOURCES = sorted(path for package, wing in WINGS.items() for path in (ROOT / wing / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_keeps_the_house_rules(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    package = path.relative_to(ROOT).parts[1]
    tops = {name.split(".")[0] for name in imported(tree)}
    assert not tops & FORBIDDEN[package], f"{package} must not import {tops & FORBIDDEN[package]}"
    for library, place in ONLY_IN.items():
        assert library not in tops or relative(path).startswith(place), f"{library} belongs in {place}"
    assert path.stem not in DRAWERS, "name the module after what it holds"
    assert len(text.splitlines()) <= LARGEST_MODULE, "split the module"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(VAGUE), f"class {node.name} says nothing"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_says_what_it_owns(path: Path) -> None:
    if path.name != "__init__.py":
        assert ast.get_docstring(ast.parse(path.read_text())), "a module docstring is missing"


def test_architecture_page_is_short_and_names_what_exists() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(page.splitlines()) <= 60
    for package in WINGS:
        assert package in page


def test_every_package_folder_is_in_its_wing_readme() -> None:
    for package, wing in WINGS.items():
        readme = (ROOT / wing / "README.md").read_text()
        for folder in (ROOT / wing / package).iterdir():
            if folder.is_dir() and (folder / "__init__.py").exists():
                assert f"`{folder.name}/`" in readme, f"{wing}/README.md does not name {folder.name}/"
