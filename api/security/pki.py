"""A laboratory's certificates: two authorities in one folder, what they issued and took back."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api.security.certificates import PLANES, URN_OF, Plane, name_in
from scheduler.domain import check_sae_id
from scheduler.errors import InputError, UnknownName

DAYS_MAX = 825  # CA/Browser Forum's old limit, and enough for a laboratory
AUTHORITY_DAYS = 3650
LIST_DAYS = 365  # signed again by every `issue` and `revoke`
SKEW = timedelta(minutes=5)  # by which the clock of a client may be behind
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\Z")
FILE_NAME_MAX = 200  # of a longer name the file bears the beginning and a digest
AUTHORITY_NAME: dict[Plane, str] = {"application": "applications", "peer": "peers"}
ISSUED = "issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate of the laboratory."""

    name: str
    plane: Plane
    serial: str  #: in hexadecimal
    since: datetime
    until: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Laboratory:
    """The folder; its files are its whole state, readable and writable by their owner alone."""

    folder: Path

    def file_of(self, name: str) -> Path:
        """Where the certificate and key of `name` are, in one file."""
        if len(name) > FILE_NAME_MAX:
            name = f"{name[:FILE_NAME_MAX]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        return self.folder / f"{name}.pem"

    def authority_file(self, plane: Plane) -> Path:
        """The certificate of an authority: what the other side must trust."""
        return self.folder / f"{AUTHORITY_NAME[plane]}-ca.pem"

    def list_file(self, plane: Plane) -> Path:
        """The revocation list of an authority."""
        return self.folder / f"{AUTHORITY_NAME[plane]}-ca.crl"

    def _key_file(self, plane: Plane) -> Path:
        return self.folder / f"{AUTHORITY_NAME[plane]}-ca.key"

    def init(self, now: datetime) -> None:
        """Make both authorities and their empty lists.

        Raises InputError if there is anything of the kind in the folder already.
        """
        for plane in PLANES:
            for path in (self.authority_file(plane), self._key_file(plane), self.list_file(plane)):
                if path.exists():
                    raise InputError(f"{path} is there; allowed: a folder without authorities")
        (self.folder / ISSUED).mkdir(mode=0o700, parents=True, exist_ok=True)
        for plane in PLANES:
            key = ec.generate_private_key(ec.SECP256R1())
            _write(self._key_file(plane), _key_pem(key))
            certificate = _authority(f"Skytrunk laboratory {AUTHORITY_NAME[plane]}", key, now)
            _write(self.authority_file(plane), certificate.public_bytes(Encoding.PEM))
            self._sign_list(plane, (), now)

    def issue(
        self,
        name: str,
        *,
        plane: Plane,
        now: datetime,
        days: int = DAYS_MAX,
        hosts: Sequence[str] = (),
        replace: bool = False,
    ) -> Path:
        """Issue a certificate; return the file with it and its key.

        An application's is for a client; a key manager's is for a server and, towards peers, a
        client. Raises InputError for a name or host that cannot be, for days out of range, and if
        the file is there and `replace` is not asked for.
        """
        check_sae_id(name)
        if not 1 <= days <= DAYS_MAX:
            raise InputError(f"days {days}; allowed: 1 to {DAYS_MAX}")
        if not hosts and plane == "peer":
            # The first names this one alone: curl and browsers take it for the loopback address.
            hosts = (f"{name.lower()}.localhost", *LOOPBACK)
        elif hosts and plane == "application":
            raise InputError(f"hosts {', '.join(hosts)} for an application; allowed: for a kme")
        authority, signing = self._authority(plane)
        path = self.file_of(name)
        if path in {self.authority_file(one) for one in PLANES}:
            raise InputError(f"name {name!r} is an authority's; allowed: another one")
        if path.exists() and not replace:
            raise InputError(f"{path} is there; allowed: another name, or --replace")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _leaf(name, plane, hosts, now, now + timedelta(days=days))
        builder = builder.public_key(key.public_key()).issuer_name(authority.subject)
        builder = builder.add_extension(_issuer_key(authority), critical=False)
        builder = builder.add_extension(_own_key(key), critical=False)
        certificate = builder.sign(signing, hashes.SHA256())
        pem = certificate.public_bytes(Encoding.PEM)
        record = f"{plane}.{certificate.serial_number:x}.pem"
        _write(self.folder / ISSUED / record, pem)
        _write(path, pem + _key_pem(key), replace=replace)
        self._sign_list(plane, self._taken_back(plane), now)
        return path

    def revoke(self, which: str, now: datetime) -> list[Issued]:
        """Take back every certificate of a name, or that of a serial number; return them.

        Raises UnknownName if there is none, InputError if all were taken back before.
        """
        found = [one for one in self.list() if which in {one.name, one.serial}]
        if not found:
            raise UnknownName(f"certificate {which!r} is not known; `skytrunk pki list` shows them")
        fresh = [one for one in found if one.revoked_at is None]
        if not fresh:
            raise InputError(f"{which!r} was revoked before; allowed: a certificate that counts")
        for plane in {one.plane for one in fresh}:
            added = [_revocation(one, now) for one in fresh if one.plane == plane]
            self._sign_list(plane, [*self._taken_back(plane), *added], now)
        return fresh

    def list(self) -> list[Issued]:
        """Every certificate that was issued, by name and age. Raises InputError without a CA."""
        found = []
        for plane in PLANES:
            revoked = {one.serial_number: one for one in self._taken_back(plane)}
            for path in sorted((self.folder / ISSUED).glob(f"{plane}.*.pem")):
                one = x509.load_pem_x509_certificate(path.read_bytes())
                taken = revoked.get(one.serial_number)
                found.append(
                    Issued(
                        name=name_in(one, plane),
                        plane=plane,
                        serial=f"{one.serial_number:x}",
                        since=one.not_valid_before_utc,
                        until=one.not_valid_after_utc,
                        revoked_at=taken.revocation_date_utc if taken else None,
                    )
                )
        return sorted(found, key=lambda one: (one.plane, one.name, one.since))

    def _authority(self, plane: Plane) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = load_pem_private_key(self._read(self._key_file(plane)), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return x509.load_pem_x509_certificate(self._read(self.authority_file(plane))), key

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}; allowed: a folder that `skytrunk pki init` made"
            ) from None

    def _taken_back(self, plane: Plane) -> Sequence[x509.RevokedCertificate]:
        return list(x509.load_pem_x509_crl(self._read(self.list_file(plane))))

    def _sign_list(
        self, plane: Plane, revoked: Iterable[x509.RevokedCertificate], now: datetime
    ) -> None:
        authority, signing = self._authority(plane)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(now - SKEW)
            .next_update(now + timedelta(days=LIST_DAYS))
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1e6)), critical=False)
            .add_extension(_issuer_key(authority), critical=False)
        )
        for one in revoked:
            builder = builder.add_revoked_certificate(one)
        signed = builder.sign(signing, hashes.SHA256())
        _write(self.list_file(plane), signed.public_bytes(Encoding.PEM), replace=True)


def _authority(name: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_own_key(key), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    name: str, plane: Plane, hosts: Iterable[str], now: datetime, until: datetime
) -> x509.CertificateBuilder:
    """Return what both kinds have: names, times, uses."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(URN_OF[plane] + name)]
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if plane == "peer":
        names += [_host(one) for one in hosts]
        uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        if not HOST.match(host):
            raise InputError(
                f"host {host!r:.260}; allowed: an address, or a name of letters, digits, - and ."
            ) from None
        return x509.DNSName(host)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _own_key(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _issuer_key(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    found = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _revocation(one: Issued, now: datetime) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16))
    return builder.revocation_date(now).build()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a file that its owner alone may read; what is to be replaced stays until the end."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft") if replace else path
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; allowed: a new file in a folder that takes one"
        ) from None
