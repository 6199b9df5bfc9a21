"""What a project's own files say about how its app starts: for `wiretape init`. Pure: file texts in, a guess out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

type Files = Mapping[str, str]
"""Text by file name, of the files in READ that the project has."""

READ = (
    "Procfile", "pyproject.toml", "requirements.txt", "manage.py", "main.py", "app.py", "server.py", "wsgi.py",
    "package.json", "server.js", "index.js", "pom.xml", "build.gradle", "go.mod", "main.go", "Dockerfile",
    "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", ".env", ".env.example",
)  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """How the app seems to start, and from which file each part was read."""

    framework: str = ""
    command: tuple[str, ...] = ()
    port: int | None = None
    services: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """File by what was read from it: `command`, `port`, a service's name."""


def guess(files: Files) -> Guess:
    """The first source that knows the command wins; ports and services are added from wherever they stand."""
    found = Guess()
    for look in (_procfile, _python, _node, _java, _go, _dockerfile):
        found = look(files, found)
    found = _port(files, found)
    return _services(files, found)


def recorded(found: Guess, name: str, command: Sequence[str], port: int | None) -> Guess:
    """What a snapshot was recorded from is surer than any file."""
    source = f"snapshot {name}"
    if command:
        found = replace(found, command=tuple(command), sources={**found.sources, "command": source})
    return found if port is None else _with_port(found, str(port), source)


def _with_command(found: Guess, framework: str, command: str, source: str) -> Guess:
    if found.command:
        return found if found.framework else replace(found, framework=framework)
    return replace(found, framework=framework, command=tuple(command.split()),
                   sources={**found.sources, "command": source})  # fmt: skip


def _procfile(files: Files, found: Guess) -> Guess:
    web = re.search(r"^web:\s*(.+)$", files.get("Procfile", ""), re.MULTILINE)
    return _with_command(found, "", web[1].replace("$PORT", "8000"), "Procfile") if web else found


PYTHON: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("django", lambda _module: "python manage.py runserver --noreload 8000"),
    ("fastapi", lambda module: f"uvicorn {module}:app --port 8000"),
    ("starlette", lambda module: f"uvicorn {module}:app --port 8000"),
    ("flask", lambda module: f"flask --app {module} run --port 5000"),
    ("aiohttp", lambda module: f"python {module}.py"),
)
"""Framework by the name of its distribution, with the usual command for a module that holds the app."""


def _python(files: Files, found: Guess) -> Guess:
    source = next((name for name in ("pyproject.toml", "requirements.txt") if name in files), "")
    declared = _python_packages(files)
    module = next((name for name in ("main", "app", "server", "wsgi") if f"{name}.py" in files), "")
    for framework, command in PYTHON:
        if framework in declared and (module or framework == "django"):
            return _with_command(found, framework, command(module), source)
    if not declared and module and f"{module}.py" in files:
        return _with_command(found, "", f"python {module}.py", f"{module}.py")
    return found


def _python_packages(files: Files) -> set[str]:
    lines = files.get("requirements.txt", "").splitlines()
    try:
        lines += tomllib.loads(files.get("pyproject.toml", "")).get("project", {}).get("dependencies", [])
    except tomllib.TOMLDecodeError:
        return set()
    names = (re.match(r"[A-Za-z0-9._-]+", line.strip()) for line in lines)
    return {name[0].lower() for name in names if name}


def _node(files: Files, found: Guess) -> Guess:
    try:
        package = json.loads(files.get("package.json", "{}"))
    except ValueError:
        return found
    packages = package.get("dependencies", {})
    framework = next((name for name in ("next", "fastify", "koa", "express", "@nestjs/core") if name in packages), "")
    if "start" in package.get("scripts", {}):
        return _with_command(found, framework or "node", "npm start", "package.json")
    entry = package.get("main") or next((name for name in ("server.js", "index.js") if name in files), "")
    return _with_command(found, framework or "node", f"node {entry}", "package.json") if package and entry else found


def _java(files: Files, found: Guess) -> Guess:
    if "spring-boot" in files.get("pom.xml", ""):
        return _with_command(found, "spring boot", "mvn -q spring-boot:run", "pom.xml")
    if "spring-boot" in files.get("build.gradle", ""):
        return _with_command(found, "spring boot", "./gradlew bootRun", "build.gradle")
    return found


def _go(files: Files, found: Guess) -> Guess:
    return _with_command(found, "go", "go run .", "go.mod") if "go.mod" in files and "main.go" in files else found


def _dockerfile(files: Files, found: Guess) -> Guess:
    steps = re.findall(r"^(?:CMD|ENTRYPOINT)\s+(\[.*\])\s*$", files.get("Dockerfile", ""), re.MULTILINE)
    if found.command or not steps:
        return found
    try:
        words = json.loads(steps[-1])
    except ValueError:
        return found
    return replace(found, command=tuple(words), sources={**found.sources, "command": "Dockerfile"})


_PORTS: tuple[tuple[str, str], ...] = (
    (".env", r"^(?:APP_|HTTP_|SERVER_)?PORT\s*=\s*[\"']?(\d+)"),
    (".env.example", r"^(?:APP_|HTTP_|SERVER_)?PORT\s*=\s*[\"']?(\d+)"),
    ("Dockerfile", r"^EXPOSE\s+(\d+)"),
    ("server.js", r"listen\(\s*(?:process\.env\.PORT\s*\|\|\s*)?(\d+)"),
    ("index.js", r"listen\(\s*(?:process\.env\.PORT\s*\|\|\s*)?(\d+)"),
    ("main.go", r'ListenAndServe\("[^"]*:(\d+)'),
    ("main.py", r"port\s*=\s*(\d{2,5})"),
    ("app.py", r"port\s*=\s*(\d{2,5})"),
    ("server.py", r"port\s*=\s*(\d{2,5})"),
)
"""Where a port is written down, most telling first."""

_USUAL_PORT = {"django": 8000, "fastapi": 8000, "starlette": 8000, "flask": 5000, "spring boot": 8080, "next": 3000}


def _port(files: Files, found: Guess) -> Guess:
    said = re.search(r"(?:--port[= ]|-p |--bind \S*:|-b \S*:|runserver (?:--\S+ )*)(\d{2,5})", " ".join(found.command))
    if said:
        return _with_port(found, said[1], found.sources.get("command", ""))
    for name, pattern in _PORTS:
        if match := re.search(pattern, files.get(name, ""), re.MULTILINE):
            return _with_port(found, match[1], name)
    usual = _USUAL_PORT.get(found.framework)
    return _with_port(found, str(usual), f"{found.framework}'s usual port") if usual else found


def _with_port(found: Guess, port: str, source: str) -> Guess:
    return replace(found, port=int(port), sources={**found.sources, "port": source})


_VARIABLE = re.compile(r"^(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*[\"']?(https?://[^\s\"'#]+)", re.MULTILINE)
_COMPOSE_VARIABLE = re.compile(r"^\s*-?\s*([A-Z][A-Z0-9_]*)\s*[:=]\s*[\"']?(https?://[^\s\"'#]+)", re.MULTILINE)


def _services(files: Files, found: Guess) -> Guess:
    """Variables that hold the URL of something else than the app itself."""
    services, sources = dict(found.services), dict(found.sources)
    for name in (".env", ".env.example", "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"):
        pattern = _VARIABLE if name.startswith(".env") else _COMPOSE_VARIABLE
        for variable, url in pattern.findall(files.get(name, "")):
            service = _service_name(variable)
            if service not in services and not _is_app(url, found.port):
                services[service] = _origin(url)
                sources[service] = f"{variable} in {name}"
    return replace(found, services=services, sources=sources)


def _service_name(variable: str) -> str:
    name = re.sub(r"_(URL|URI|ENDPOINT|BASE|HOST|API|ADDR|ADDRESS)\b", "", variable)
    return re.sub(r"(_(URL|URI|ENDPOINT|BASE|HOST|API|ADDR|ADDRESS))+$", "", name).lower().replace("_", "-")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_app(url: str, port: int | None) -> bool:
    parts = urlsplit(url)
    return port is not None and parts.hostname in {"localhost", "127.0.0.1"} and parts.netloc.endswith(f":{port}")
