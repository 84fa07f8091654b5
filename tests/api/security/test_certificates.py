"""Whom a certificate names, and who vouches for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from api.security.certificates import Plane, kme_of, peer_of
from scheduler.errors import NotAuthenticated

DAY = timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(
    *common_names: str,
    uris: tuple[str, ...] = (),
    issuer: str = "ca",
    signed_with: ec.EllipticCurvePrivateKey = KEY,
) -> x509.Certificate:
    """A certificate with those names, good for a day either side of now."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(KEY.public_key())
        .serial_number(0xABC)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
    if uris:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signed_with, hashes.SHA256())


def scope(shown: x509.Certificate, plane: Plane | None = "application") -> dict[str, Any]:
    pem = shown.public_bytes(Encoding.PEM).decode()
    tls = {"client_cert_chain": [pem], "server_cert": pem, "plane": plane}
    return {"type": "http", "extensions": {"tls": tls}}


NAMED: list[tuple[tuple[str, ...], tuple[str, ...], Plane, str]] = [
    (("SAE-A",), (), "application", "SAE-A"),
    (("some host",), ("urn:sae:SAE-A",), "application", "SAE-A"),
    (("some host",), ("https://a.example", "URN:sae:Bank.1"), "application", "Bank.1"),
    ((), ("urn:sae:A",), "application", "A"),
    (("some",), ("urn:sae:CN=" + "f" * 297,), "application", "CN=" + "f" * 297),
    (("KME-A",), (), "peer", "KME-A"),
    (("x",), ("urn:kme:KME-A",), "peer", "KME-A"),
]


@pytest.mark.parametrize(("common_names", "uris", "plane", "name"), NAMED)
def test_the_urn_names_the_client_else_the_common_name(
    common_names: tuple[str, ...], uris: tuple[str, ...], plane: Plane, name: str
) -> None:
    peer = peer_of(scope(certificate(*common_names, uris=uris), plane))

    assert (peer.name, peer.plane, peer.serial) == (name, plane, "abc")


REFUSED: list[tuple[tuple[str, ...], tuple[str, ...], Plane, str]] = [
    ((), (), "application", "0 ids"),
    (("A", "B"), (), "application", "2 ids"),
    (("A",), ("urn:sae:A", "urn:sae:B"), "application", "2 ids"),
    (("A",), ("urn:kme:A",), "application", "urn:kme:A"),
    (("A",), ("urn:sae:A",), "peer", "urn:sae:A"),
    (("A",), ("urn:sae:A", "urn:kme:A"), "peer", "urn:sae:A"),
    (("A",), ("urn:sae:",), "application", "''"),
    (("A",), ("urn:sae:..",), "application", "'..'"),
    (("A",), ("urn:sae:a/b",), "application", "'a/b'"),
    (("A",), ("urn:sae:a%20b",), "application", "'a%20b'"),
    (("A b",), (), "application", "'A b'"),
    (("A\n",), (), "application", r"'A\n'"),
    (("SAE-\u0410",), (), "application", r"\u0410"),
    (("A",), ("urn:sae:" + "x" * 301,), "application", "1 to 300"),
]


@pytest.mark.parametrize(("common_names", "uris", "plane", "words"), REFUSED)
def test_a_certificate_that_names_nobody_or_two_is_refused(
    common_names: tuple[str, ...], uris: tuple[str, ...], plane: Plane, words: str
) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        peer_of(scope(certificate(*common_names, uris=uris), plane))

    assert words in str(refused.value)


@pytest.mark.parametrize(
    "nobody",
    [
        {},
        {"extensions": {}},
        {"extensions": {"tls": None}},
        {"extensions": {"tls": {"client_cert_chain": [], "plane": None}}},
        scope(certificate("A"), None),
    ],
)
def test_without_a_certificate_that_counts_nobody_asks(nobody: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        peer_of(nobody)


def test_a_header_is_no_identity() -> None:
    with pytest.raises(NotAuthenticated):
        peer_of({"headers": [(b"x-client-cert", b"SAE-A"), (b"x-ssl-client-cn", b"SAE-A")]})


def test_the_wrong_plane_is_refused() -> None:
    with pytest.raises(NotAuthenticated, match="of plane peer; allowed here: application"):
        peer_of(scope(certificate("KME-B"), "peer"), "application")


def test_the_server_certificate_names_the_key_manager() -> None:
    assert kme_of(scope(certificate("host", uris=("urn:kme:KME-A",)))) == "KME-A"
    with pytest.raises(NotAuthenticated):
        kme_of({})
