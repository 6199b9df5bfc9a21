"""What an app's environment becomes: whole dictionaries, because a variable too many matters as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from wiretape_capture.launch.environment import (
    BUNDLE_VARIABLES,
    NODE_HOOK,
    PYTHON_HOOK,
    app_environment,
    own_environment,
)
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec

CA = Path("/project/.wiretape/ca")
DIRECT = "169.254.169.254,169.254.170.2,fd00:ec2::254"


def environment(base: dict[str, str], ca_dir: Path = CA) -> dict[str, str]:
    return app_environment(base, proxy_port=4140, ca_dir=ca_dir, maps={})


def test_an_empty_environment_gets_exactly_this() -> None:
    assert environment({}) == {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:4140"),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), DIRECT),
        **dict.fromkeys(BUNDLE_VARIABLES, "/project/.wiretape/ca/bundle.pem"),
        "NODE_OPTIONS": f'--require "{NODE_HOOK}"',
        "NODE_USE_ENV_PROXY": "0",
        "JAVA_TOOL_OPTIONS": "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=4140 -Dhttps.proxyHost=127.0.0.1 "
        "-Dhttps.proxyPort=4140 -Dhttp.nonProxyHosts= -Djavax.net.ssl.trustStore=/project/.wiretape/ca/truststore.p12 "
        "-Djavax.net.ssl.trustStorePassword=changeit -Djavax.net.ssl.trustStoreType=PKCS12",
        "PYTHONPATH": str(PYTHON_HOOK),
        "WIRETAPE_PROXY": "127.0.0.1:4140",
        "WIRETAPE_CA_BUNDLE": "/project/.wiretape/ca/bundle.pem",
    }


def test_the_users_own_options_stay_in_front() -> None:
    base = {"NODE_OPTIONS": "--max-old-space-size=512", "JAVA_TOOL_OPTIONS": "-Xmx1g", "PYTHONPATH": "/app/lib"}
    changed = environment(base)
    assert changed["NODE_OPTIONS"] == f'--max-old-space-size=512 --require "{NODE_HOOK}"'
    assert changed["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g -Dhttp.proxyHost=")
    assert changed["PYTHONPATH"] == f"{PYTHON_HOOK}:/app/lib"


def test_the_users_exceptions_for_loopback_go() -> None:
    assert environment({"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "*"})["no_proxy"] == DIRECT


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy"])
def test_a_proxy_for_everything_is_replaced_only_where_there_is_one(name: str) -> None:
    assert "ALL_PROXY" not in environment({})
    changed = environment({name: "socks5://corporate:1080"})
    assert changed["ALL_PROXY"] == changed["all_proxy"] == "http://127.0.0.1:4140"


def test_a_path_with_a_space_is_quoted_for_java() -> None:
    assert (
        '"-Djavax.net.ssl.trustStore=/my project/ca/truststore.p12"'
        in environment({}, Path("/my project/ca"))["JAVA_TOOL_OPTIONS"]
    )


def test_maps_are_told_by_name_and_by_the_variables_that_name_the_service() -> None:
    base = {"ORDERS_URL": "https://orders.example.com/v1", "OTHER": "https://orders.example.com.evil/"}
    maps = {"orders": "http://127.0.0.1:9001"}
    services = [parse_map("orders=https://orders.example.com@9001")]
    changed = app_environment(base, proxy_port=4140, ca_dir=CA, maps=maps, services=services)
    assert changed["WIRETAPE_ORDERS_URL"] == "http://127.0.0.1:9001"
    assert changed["ORDERS_URL"] == "http://127.0.0.1:9001/v1"
    assert "OTHER" not in changed


def test_relative_ca_files_are_found_in_the_apps_own_directory(tmp_path: Path) -> None:
    app = AppSpec(command=("app",), cwd=tmp_path, env={"SSL_CERT_FILE": "own.pem"})
    own = own_environment({"CURL_CA_BUNDLE": "/etc/roots.pem", "OTHER": "x"}, app)
    assert own == {"SSL_CERT_FILE": str(tmp_path / "own.pem"), "CURL_CA_BUNDLE": "/etc/roots.pem", "OTHER": "x"}
