"""Whose signature counts for what, and which certificates were taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from api.security.certificates import PLANES, Plane
from scheduler.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a server makes of a client's certificate."""

    plane: Plane | None
    why: str | None  #: it does not count at all; None if it does
    since: datetime  #: from here on it counts
    until: datetime  #: it counts no longer, or nobody says any more whether it was revoked

    def at(self, now: datetime) -> tuple[str | None, Plane | None]:
        """Return why the certificate does not count at `now`, or the plane on which it does."""
        if self.why is None and not self.since <= now <= self.until:
            return (
                f"the certificate, or its revocation list, is good until {self.until:%FT%TZ}",
                None,
            )
        return (self.why, None) if self.why else (None, self.plane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The authorities of both planes, and the certificates that they took back.

    Each certificate that signs clients' directly stands here: a chain that a client sends
    decides nothing.
    """

    applications: tuple[x509.Certificate, ...]
    peers: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()

    def __post_init__(self) -> None:
        if not self.lists:
            return
        for one in self.lists:
            if not any(one.is_signature_valid(key.public_key()) for key in self._issuers(one)):  # type: ignore[arg-type]
                raise SettingsError(
                    f"revocation list of {one.issuer.rfc4514_string()!r}: no authority given here"
                    " signed it; allowed: those of the authorities given"
                )
        listed = {one.issuer for one in self.lists}
        for authority in (*self.applications, *self.peers):
            # OpenSSL would refuse every client of this one, with a message that names no file.
            if authority.subject not in listed:
                raise SettingsError(
                    f"authority {authority.subject.rfc4514_string()!r} has no revocation list;"
                    " allowed: one for each authority, or none at all"
                )

    def _issuers(self, revoked: x509.CertificateRevocationList) -> Iterable[x509.Certificate]:
        return (one for one in (*self.applications, *self.peers) if one.subject == revoked.issuer)

    def plane_of(self, certificate: x509.Certificate) -> Plane | None:
        """Return the plane whose authority signed `certificate`; None if there is none."""
        for plane, authorities in zip(PLANES, (self.applications, self.peers), strict=True):
            if any(_signed_by(certificate, authority) for authority in authorities):
                return plane
        return None

    def judge(self, certificate: x509.Certificate) -> Judgement:
        """Return for whom `certificate` stands, and how long.

        The handshake says the same of a new connection; one that stays open is asked again.
        """
        plane = self.plane_of(certificate)
        why = None if plane else "the certificate was signed by no authority of this server"
        until = certificate.not_valid_after_utc
        for one in self.lists:
            if one.issuer != certificate.issuer:
                continue
            until = min(until, one.next_update_utc or until)
            if one.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                why = "the certificate was revoked"
        return Judgement(plane=plane, why=why, since=certificate.not_valid_before_utc, until=until)


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):  # another issuer, another kind of key
        return False
    return True


def read_trust(
    applications: Path | None, peers: Path | None, revocation_lists: Iterable[Path]
) -> Trust:
    """Read authorities and revocation lists from PEM files.

    Raises SettingsError naming the file for one that cannot be read or holds nothing of the kind.
    """
    return Trust(
        applications=_authorities(applications),
        peers=_authorities(peers),
        lists=tuple(one for path in revocation_lists for one in _lists(path)),
    )


def read_pem(path: Path, what: str) -> bytes:
    """Return the bytes of a file. Raises SettingsError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{what} {path}: {error.strerror}; allowed: a readable file") from None


def read_certificates(path: Path, what: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, one at least. Raises SettingsError."""
    text = read_pem(path, what)
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise SettingsError(f"{what} {path}: {error}; allowed: certificates as PEM") from None


def _authorities(path: Path | None) -> tuple[x509.Certificate, ...]:
    if path is None:
        return ()
    found = read_certificates(path, "authority")
    for one in found:
        try:
            extension = one.extensions.get_extension_for_class(x509.BasicConstraints)
        except (x509.ExtensionNotFound, ValueError):
            extension = None
        if extension is None or not extension.value.ca:
            raise SettingsError(
                f"authority {path}: {one.subject.rfc4514_string()!r} may sign no certificates;"
                " allowed: certificates of authorities (CA:TRUE)"
            )
    return tuple(found)


END = b"-----END X509 CRL-----"


def _lists(path: Path) -> list[x509.CertificateRevocationList]:
    text = read_pem(path, "revocation list")
    try:
        found = [x509.load_pem_x509_crl(part + END) for part in text.split(END)[:-1]]
    except ValueError as error:
        raise SettingsError(f"revocation list {path}: {error}; allowed: PEM") from None
    if not found:
        raise SettingsError(f"revocation list {path} holds none; allowed: X509 CRL as PEM")
    return found
