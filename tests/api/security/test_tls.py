"""Real handshakes: who gets in, who does not, and what changes without a restart."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from api.security.pki import Laboratory
from api.security.tls import ServerTls, TlsFiles
from api.security.transport import Limits
from scheduler.errors import SettingsError
from tests.api.security.conftest import NOW, Asked, files_of, tls_server

LONG_AGO = NOW - timedelta(days=400)


def context_of(laboratory: Laboratory, pem: Path | None) -> ssl.SSLContext:
    """A client's TLS context; it trusts the laboratory's key managers."""
    context = ssl.create_default_context(cafile=laboratory.authority_file("peer"))
    if pem is not None:
        context.load_cert_chain(pem)
    return context


@contextmanager
def client(
    laboratory: Laboratory, port: int, pem: Path | None, host: str = "127.0.0.1"
) -> Iterator[httpx.Client]:
    context = context_of(laboratory, pem)
    with httpx.Client(
        base_url=f"https://{host}:{port}", verify=context, trust_env=False, timeout=10.0
    ) as found:
        yield found


def test_applications_and_peers_are_known_by_their_certificates(laboratory: Laboratory) -> None:
    with tls_server(Asked(), files_of(laboratory)) as port:
        with client(laboratory, port, laboratory.file_of("SAE-A")) as sae:
            assert sae.get("/").json() == ["SAE-A", "application", "KME-A"]
            assert sae.get("/").json() == ["SAE-A", "application", "KME-A"]
        with client(laboratory, port, laboratory.file_of("KME-A")) as kme:
            assert kme.get("/").json() == ["KME-A", "peer", "KME-A"]


def foreign(laboratory: Laboratory) -> Path:
    other = Laboratory(laboratory.folder / "other")
    other.init(NOW)
    return other.issue("SAE-A", plane="application", now=NOW)


def expired(laboratory: Laboratory) -> Path:
    path = laboratory.issue("SAE-old", plane="application", now=LONG_AGO, days=30)
    laboratory.issue("SAE-new", plane="application", now=NOW)  # and with it a list of today
    return path


def not_yet(laboratory: Laboratory) -> Path:
    path = laboratory.issue("SAE-next", plane="application", now=NOW + timedelta(days=1))
    laboratory.issue("SAE-new", plane="application", now=NOW)
    return path


def revoked(laboratory: Laboratory) -> Path:
    laboratory.revoke("SAE-A", NOW)
    return laboratory.file_of("SAE-A")


def self_signed(laboratory: Laboratory) -> Path:
    """The authority of another laboratory, as a client."""
    other = Laboratory(laboratory.folder / "other")
    other.init(NOW)
    path = laboratory.folder / "self.pem"
    key = other.folder / "applications-ca.key"
    path.write_bytes(other.authority_file("application").read_bytes() + key.read_bytes())
    return path


def none(_: Laboratory) -> None:
    return None


@pytest.mark.parametrize("make", [none, foreign, expired, not_yet, revoked, self_signed])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_handshake_refuses_who_does_not_count(
    laboratory: Laboratory, make: object, version: ssl.TLSVersion
) -> None:
    pem = make(laboratory)  # type: ignore[operator]
    app = Asked()
    with tls_server(app, files_of(laboratory)) as port:
        context = context_of(laboratory, pem)
        context.minimum_version = context.maximum_version = version
        assert refused(port, context)

    assert app.count == 0


@contextmanager
def talking(port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10.0) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


def refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether the server will not talk; TLS 1.3 tells a client so only when it reads."""
    try:
        with talking(port, context) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(laboratory: Laboratory) -> None:
    context = context_of(laboratory, laboratory.file_of("SAE-A"))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with tls_server(Asked(), files_of(laboratory)) as port:
        assert refused(port, context)


def test_a_peer_is_nobody_where_only_applications_count(laboratory: Laboratory) -> None:
    files = TlsFiles(
        certificates=(laboratory.file_of("KME-A"),),
        applications=laboratory.authority_file("application"),
    )
    app = Asked()
    with (
        tls_server(app, files) as port,
        client(laboratory, port, laboratory.file_of("KME-A")) as kme,
        pytest.raises(httpx.TransportError),
    ):
        kme.get("/")

    assert app.count == 0


def test_each_key_manager_shows_its_own_certificate(laboratory: Laboratory) -> None:
    laboratory.issue("KME-B", plane="peer", now=NOW, hosts=["localhost"])
    laboratory.issue("KME-A", plane="peer", now=NOW, hosts=["127.0.0.1"], replace=True)
    pem = laboratory.file_of("SAE-A")
    with tls_server(Asked(), files_of(laboratory, "KME-A", "KME-B")) as port:
        with client(laboratory, port, pem) as sae:
            assert sae.get("/").json()[2] == "KME-A"
        with client(laboratory, port, pem, host="localhost") as sae:
            assert sae.get("/").json()[2] == "KME-B"


def test_a_new_server_certificate_counts_without_a_restart(laboratory: Laboratory) -> None:
    pem = laboratory.file_of("SAE-A")

    def shown(port: int) -> str:
        with talking(port, context_of(laboratory, pem)) as connection:
            return str((connection.getpeercert() or {})["serialNumber"])

    with tls_server(Asked(), files_of(laboratory)) as port:
        first = shown(port)
        laboratory.issue("KME-A", plane="peer", now=NOW, replace=True)
        second = shown(port)
        laboratory.file_of("KME-A").write_text("half written")
        third = shown(port)

    assert first != second
    assert third == second


def test_a_revocation_counts_at_once_on_new_and_open_connections(laboratory: Laboratory) -> None:
    laboratory.issue("SAE-B", plane="application", now=NOW)
    app = Asked()
    with (
        tls_server(app, files_of(laboratory)) as port,
        client(laboratory, port, laboratory.file_of("SAE-A")) as open_one,
        client(laboratory, port, laboratory.file_of("SAE-B")) as other,
    ):
        assert open_one.get("/").status_code == 200
        assert other.get("/").status_code == 200
        laboratory.revoke("SAE-A", NOW)
        # The application raises NotAuthenticated, which nothing here makes an answer of.
        assert open_one.get("/").status_code == 500
        assert other.get("/").status_code == 200
        with (
            client(laboratory, port, laboratory.file_of("SAE-A")) as new,
            pytest.raises(httpx.TransportError),
        ):
            new.get("/")


def test_no_session_is_taken_up_again_after_a_revocation(laboratory: Laboratory) -> None:
    context = context_of(laboratory, laboratory.file_of("SAE-A"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose sessions have ids
    with tls_server(Asked(), files_of(laboratory)) as port:
        with talking(port, context) as connection:
            session = connection.session
        laboratory.revoke("SAE-A", NOW)
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            socket.create_connection(("127.0.0.1", port), timeout=10.0) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=session),
        ):
            pass


def test_an_old_revocation_list_refuses_everybody(laboratory: Laboratory) -> None:
    laboratory.issue("SAE-B", plane="application", now=LONG_AGO)  # signs a list of 400 days ago
    with (
        tls_server(Asked(), files_of(laboratory)) as port,
        client(laboratory, port, laboratory.file_of("SAE-A")) as sae,
        pytest.raises(httpx.TransportError),
    ):
        sae.get("/")


def test_a_key_may_stand_beside_its_certificate(laboratory: Laboratory) -> None:
    whole = laboratory.file_of("KME-A").read_text()
    certificate, key = whole.split("-----BEGIN PRIVATE", 1)
    laboratory.file_of("KME-A").write_text(certificate)
    laboratory.file_of("KME-A").with_suffix(".key").write_text("-----BEGIN PRIVATE" + key)

    assert ServerTls(files_of(laboratory)).kme_ids == ["KME-A"]


def _no_certificate(laboratory: Laboratory) -> TlsFiles:
    return TlsFiles(certificates=(), applications=laboratory.authority_file("application"))


def _no_authority(laboratory: Laboratory) -> TlsFiles:
    return TlsFiles(certificates=(laboratory.file_of("KME-A"),))


def _missing(laboratory: Laboratory) -> TlsFiles:
    return files_of(laboratory, "KME-Z")


def _no_key(laboratory: Laboratory) -> TlsFiles:
    path = laboratory.file_of("KME-A")
    path.write_text(path.read_text().split("-----BEGIN PRIVATE")[0])
    return files_of(laboratory)


def _key_of_another(laboratory: Laboratory) -> TlsFiles:
    path = laboratory.file_of("KME-A")
    key = laboratory.file_of("SAE-A").read_text().split("-----BEGIN PRIVATE")[1]
    path.write_text(path.read_text().split("-----BEGIN PRIVATE")[0] + "-----BEGIN PRIVATE" + key)
    return files_of(laboratory)


def _leaf_as_authority(laboratory: Laboratory) -> TlsFiles:
    return TlsFiles(
        certificates=(laboratory.file_of("KME-A"),), applications=laboratory.file_of("SAE-A")
    )


def _one_list_of_two(laboratory: Laboratory) -> TlsFiles:
    laboratory.list_file("peer").write_bytes(laboratory.list_file("application").read_bytes())
    return files_of(laboratory)


def _list_of_another(laboratory: Laboratory) -> TlsFiles:
    other = Laboratory(laboratory.folder / "other")
    other.init(NOW)
    shutil.copy(other.list_file("peer"), laboratory.list_file("peer"))
    return files_of(laboratory)


def _not_a_list(laboratory: Laboratory) -> TlsFiles:
    laboratory.list_file("peer").write_text("nothing")
    return files_of(laboratory)


def _two_alike(laboratory: Laboratory) -> TlsFiles:
    return files_of(laboratory, "KME-A", "KME-A")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_no_certificate, "no server certificate"),
        (_no_authority, "no authority for clients"),
        (_missing, "KME-Z.pem: No such file"),
        (_no_key, "KME-A.key"),
        (_key_of_another, "KEY_VALUES_MISMATCH"),
        (_leaf_as_authority, "may sign no certificates"),
        (_one_list_of_two, "has no revocation list"),
        (_list_of_another, "no authority given here signed it"),
        (_not_a_list, "holds none"),
        (_two_alike, "one for each key manager"),
    ],
)
def test_files_that_do_not_hold_together_are_named(
    laboratory: Laboratory, make: object, words: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        ServerTls(make(laboratory))  # type: ignore[operator]

    assert words in str(refused.value)
    assert "allowed" in str(refused.value)
    assert "BEGIN" not in str(refused.value)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
SLOW: list[tuple[str, bytes | None, bytes]] = [
    ("handshake_s", None, b""),
    ("request_s", b"", b""),
    ("request_s", b"", GET + b"X-Slow: "),
    ("request_s", b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123"),
    ("request_s", GET + b"\r\n", GET + b"X-Slow: "),
    ("idle_s", GET + b"\r\n", b""),
]


class Swallow:
    """Reads the whole body, then answers."""

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        """Answer one request."""
        if scope["type"] == "lifespan":
            await Asked()(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(("limit", "before", "then"), SLOW)
def test_a_slow_client_is_left(
    laboratory: Laboratory, limit: str, before: bytes | None, then: bytes
) -> None:
    limits = replace(Limits(), **{limit: 1.0 if limit == "idle_s" else 0.2})
    context = context_of(laboratory, laboratory.file_of("SAE-A"))
    with (
        tls_server(Swallow(), files_of(laboratory), limits=limits) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10.0) as plain,
    ):
        if before is None:
            _drain(plain)
            return
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            if before:
                connection.sendall(before)
                assert connection.recv(65536).startswith(b"HTTP/1.1 204")
            connection.sendall(then)
            _drain(connection)


def _drain(connection: socket.socket) -> None:
    """Read until the other side is gone; a socket of ten seconds' patience says if it is not."""
    try:
        while connection.recv(65536):
            pass
    except (ConnectionError, ssl.SSLEOFError):
        pass
