"""The laboratory's certificates: files, refusals, and what other programs make of them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from api.security.pki import DAYS_MAX, Laboratory
from scheduler.domain import SAE_ID_MAX
from scheduler.errors import InputError

Command = Callable[..., Any]
NOW = datetime.now(UTC)


def test_a_laboratory_from_the_command_line(skytrunk: Command, tmp_path: Path) -> None:
    assert skytrunk("pki", "init").returncode == 0
    assert skytrunk("pki", "issue", "kme", "KME-A").stdout == "pki/KME-A.pem\n"
    assert skytrunk("pki", "issue", "application", "SAE-A").stdout == "pki/SAE-A.pem\n"
    revoked = skytrunk("pki", "revoke", "SAE-A")
    shown = json.loads(skytrunk("pki", "list", "--json").stdout)["certificates"]

    assert revoked.stdout.startswith("revoked SAE-A, serial ")
    assert [(one["plane"], one["name"]) for one in shown] == [
        ("application", "SAE-A"),
        ("peer", "KME-A"),
    ]
    assert shown[0]["revoked_at"] is not None
    assert shown[1]["revoked_at"] is None
    assert "SAE-A" in skytrunk("pki", "list").stdout


def test_every_file_is_its_owners_alone(laboratory: Laboratory) -> None:
    laboratory.revoke("SAE-A", NOW)
    laboratory.issue("SAE-A", plane="application", now=NOW, replace=True)
    files = [path for path in laboratory.folder.rglob("*") if path.is_file()]

    assert len(files) == 2 * 3 + 2 + 3  # authorities, certificates with keys, records
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_names_as_long_as_the_ledgers_have_files_of_their_own(laboratory: Laboratory) -> None:
    names = ["f" * SAE_ID_MAX, "f" * (SAE_ID_MAX - 1) + "g"]
    files = {laboratory.issue(one, plane="application", now=NOW) for one in names}

    assert len(files) == 2
    assert set(names) < {one.name for one in laboratory.list()}
    assert [one.name for one in laboratory.revoke(names[1], NOW)] == names[1:]


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("init",), "applications-ca.pem is there"),
    (("issue", "application", "SAE-A"), "SAE-A.pem is there"),
    (("issue", "server", "SAE-B"), "'server'; allowed: application, kme"),
    (("issue", "application", "../SAE-B"), "'../SAE-B'"),
    (("issue", "application", ".."), "'..'"),
    (("issue", "application", "a b"), "'a b'"),
    (("issue", "application", ""), "''"),
    (("issue", "application", "peers-ca"), "an authority's"),
    (("issue", "application", "peers-ca", "--replace"), "an authority's"),
    (("issue", "application", "SAE-B", "--host", "x"), "hosts x for an application"),
    (("issue", "kme", "KME-B", "--host", "a/b"), "host 'a/b'"),
    (("issue", "kme", "KME-B", "--host", ""), "host ''"),
    (("issue", "kme", "KME-B", "--days", "0"), "days 0; allowed: 1 to 825"),
    (("issue", "kme", "KME-B", "--days", "826"), "days 826"),
    (("revoke", "SAE-Z"), "'SAE-Z' is not known"),
    (("issue", "application", "SAE-B", "--folder", "none"), "pki init"),
    (("list", "--folder", "none"), "pki init"),
    (("revoke", "SAE-A", "--folder", "none"), "pki init"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(
    skytrunk: Command, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    made = Laboratory(tmp_path / "pki")
    made.init(NOW)
    made.issue("SAE-A", plane="application", now=NOW)
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    done = skytrunk("pki", *arguments)

    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert before == {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}


def test_a_name_is_revoked_once(laboratory: Laboratory) -> None:
    (first,) = laboratory.revoke("SAE-A", NOW)
    with pytest.raises(InputError, match="revoked before"):
        laboratory.revoke(first.serial, NOW)


def test_a_new_certificate_of_a_revoked_name_counts(laboratory: Laboratory) -> None:
    laboratory.revoke("SAE-A", NOW)
    laboratory.issue("SAE-A", plane="application", now=NOW, replace=True)

    counting = [one.revoked_at is None for one in laboratory.list() if one.name == "SAE-A"]
    assert sorted(counting) == [False, True]


def test_a_certificate_ends_when_it_was_asked_to(laboratory: Laboratory) -> None:
    path = laboratory.issue("SAE-B", plane="application", now=NOW, days=DAYS_MAX)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())

    assert abs(certificate.not_valid_after_utc - NOW - timedelta(days=DAYS_MAX)) < timedelta(
        seconds=1
    )


def test_strict_programs_take_them(laboratory: Laboratory) -> None:
    """Python 3.13 checks strictly by default: RFC 5280's extensions, nothing too much."""
    context = ssl.create_default_context(cafile=laboratory.authority_file("peer"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(laboratory.file_of("KME-A"))
    for host in ("localhost", "127.0.0.1", "kme-a.localhost"):
        shake_hands(context, server, host)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> None:
    """Shake hands in memory. Raises ssl.SSLError if either side refuses."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(back, there, server_hostname=host),
        server.wrap_bio(there, back, server_side=True),
    ]
    done = 0
    for end in ends * 4:
        try:
            end.do_handshake()
            done += 1
        except ssl.SSLWantReadError:
            pass
    assert done >= 2
