"""What `wiretape init` reads from a project's files, by framework."""

from __future__ import annotations

import json

import pytest

from wiretape_server.workspace.guess import Guess, guess, recorded

FASTAPI = '[project]\ndependencies = ["fastapi[standard]>=0.1", "httpx"]\n'
EXPRESS = json.dumps({"main": "server.js", "dependencies": {"express": "^4"}})
SPRING = "<parent><artifactId>spring-boot-starter-parent</artifactId></parent>"


@pytest.mark.parametrize(
    ("files", "command", "port"),
    [
        ({"pyproject.toml": FASTAPI, "main.py": ""}, "uvicorn main:app --port 8000", 8000),
        ({"requirements.txt": "Flask==3\n", "app.py": ""}, "flask --app app run --port 5000", 5000),
        ({"requirements.txt": "django\n", "manage.py": ""}, "python manage.py runserver --noreload 8000", 8000),
        ({"server.py": "app.run(port=9001)"}, "python server.py", 9001),
        ({"package.json": EXPRESS, "server.js": "app.listen(process.env.PORT || 3000)"}, "node server.js", 3000),
        ({"package.json": '{"scripts": {"start": "next start"}, "dependencies": {"next": "1"}}'}, "npm start", 3000),
        ({"pom.xml": SPRING}, "mvn -q spring-boot:run", 8080),
        ({"go.mod": "module x", "main.go": 'http.ListenAndServe(":8085", nil)'}, "go run .", 8085),
        ({"Procfile": "web: gunicorn shop:app -b 0.0.0.0:8001\n"}, "gunicorn shop:app -b 0.0.0.0:8001", 8001),
        ({"Dockerfile": 'FROM x\nEXPOSE 8088\nCMD ["./shop", "--serve"]\n'}, "./shop --serve", 8088),
        ({"app.py": "", ".env": "PORT=8123\n"}, "python app.py", 8123),
        ({}, "", None),
        ({"package.json": "{", "pyproject.toml": "=", "Dockerfile": "CMD [broken]"}, "", None),
    ],
)
def test_command_and_port_are_read(files: dict[str, str], command: str, port: int | None) -> None:
    found = guess(files)
    assert (" ".join(found.command), found.port) == (command, port)


def test_variables_that_hold_a_url_are_services_but_the_app_itself_is_not() -> None:
    files = {
        "app.py": "port=8000",
        ".env": 'PAYMENTS_API_URL="https://u:p@pay.example.com/v1"\nBASE_URL=http://localhost:8000/\nNAME=x\n',
        "compose.yaml": "environment:\n  - CATALOG_URL=http://catalog:8080\n  SEARCH_URL: http://search:9200\n",
    }
    assert guess(files).services == {
        "payments": "https://pay.example.com",
        "catalog": "http://catalog:8080",
        "search": "http://search:9200",
    }
    assert guess(files).sources["catalog"] == "CATALOG_URL in compose.yaml"


def test_a_recording_is_surer_than_a_file() -> None:
    found = recorded(guess({"app.py": ""}), "checkout", ("node", "server.js"), 3000)
    assert found == Guess(
        command=("node", "server.js"), port=3000,
        sources={"command": "snapshot checkout", "port": "snapshot checkout"},
    )  # fmt: skip
