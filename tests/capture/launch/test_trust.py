"""The bundle is what the app trusted before, and our authority."""

from __future__ import annotations

from pathlib import Path

import pytest

from wiretape_capture.launch import trust
from wiretape_capture.launch.ca import load_or_create


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """Two files with one root each."""
    for name in "ab":
        load_or_create(tmp_path / name, {})
    return [tmp_path / name / "wiretape-ca.crt" for name in "ab"]


def test_a_preset_bundle_takes_the_place_of_the_systems(tmp_path: Path, roots: list[Path]) -> None:
    ours = load_or_create(tmp_path / "ca", {"SSL_CERT_FILE": str(roots[0])})
    assert (tmp_path / "ca" / "bundle.pem").read_bytes() == roots[0].read_bytes() + ours.cert_pem


def test_every_preset_is_kept_once(roots: list[Path]) -> None:
    environ = {"REQUESTS_CA_BUNDLE": str(roots[0]), "CURL_CA_BUNDLE": str(roots[0]), "SSL_CERT_FILE": str(roots[1])}
    assert sorted(trust.root_files(environ)) == roots


def test_an_additional_root_does_not_replace_the_systems(roots: list[Path]) -> None:
    assert trust.root_files({"NODE_EXTRA_CA_CERTS": str(roots[0])}) == [trust.system_bundle(), roots[0]]


def test_a_preset_that_does_not_exist_is_passed_over(tmp_path: Path) -> None:
    assert trust.root_files({"SSL_CERT_FILE": str(tmp_path / "gone.pem")}) == [trust.system_bundle()]


def test_a_changed_preset_changes_the_bundle_and_the_truststore(tmp_path: Path, roots: list[Path]) -> None:
    load_or_create(tmp_path / "ca", {"SSL_CERT_FILE": str(roots[0])})
    before = (tmp_path / "ca" / "truststore.p12").read_bytes()
    load_or_create(tmp_path / "ca", {"SSL_CERT_FILE": str(roots[1])})
    assert roots[1].read_bytes() in (tmp_path / "ca" / "bundle.pem").read_bytes()
    assert (tmp_path / "ca" / "truststore.p12").read_bytes() != before


def test_text_around_certificates_and_damaged_ones_do_no_harm(roots: list[Path]) -> None:
    good = roots[0].read_bytes()
    bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    bundle = trust.join_bundles([b"# a comment\r\n" + good.replace(b"\n", b"\r\n"), bad, good])
    assert bundle == good + bad
    assert trust.java_truststore(bundle)
