"""The TLS side of the key manager's port: who it is, whom it trusts, re-read when files change."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from api.security.certificates import name_in
from api.security.trust import Trust, read_certificates, read_pem, read_trust
from scheduler.errors import NotAuthenticated, SettingsError

log = structlog.get_logger("skytrunk.tls")

LOOK_EVERY_S = 1.0  # a change of files counts that soon; a look costs one stat a file
VERIFY_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN: whoever is listed is trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The files behind a port: a certificate for each key manager, authorities, lists."""

    certificates: tuple[Path, ...]  #: each with its key, or with the key beside it as `.key`
    applications: Path | None = None
    peers: Path | None = None
    revocation_lists: tuple[Path, ...] = ()
    anonymous: bool = False  #: clients need no certificate; they are known otherwise

    def all(self) -> Iterable[Path]:
        """Return every file, those that need not be there among them."""
        yield from self.certificates
        yield from map(_key_beside, self.certificates)
        yield from (path for path in (self.applications, self.peers) if path is not None)
        yield from self.revocation_lists


class IdentityContext(ssl.SSLContext):
    """The TLS context of one key manager; it knows its own certificate and whose it is."""

    certificate_pem: str
    kme_id: str
    server: ServerTls


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one reading of the files gave."""

    trust: Trust
    default: IdentityContext  #: for clients that name no host, or one that nobody here has
    by_host: dict[str, IdentityContext]


class ServerTls:
    """Contexts and trust for the connections of one port; the newest files count.

    Files that do not hold together are refused at the start, by SettingsError. Later they are
    logged and the last good ones stay, so that a half-written file stops nothing.
    """

    def __init__(
        self,
        files: TlsFiles,
        *,
        look_every_s: float = LOOK_EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._look_every_s = look_every_s
        self._monotonic = monotonic
        self._looked_s = monotonic()
        self._state = _state_of(files)
        self._read = self._read_files()

    @property
    def trust(self) -> Trust:
        """Whose signature counts now."""
        return self._current().trust

    @property
    def kme_ids(self) -> list[str]:
        """The key managers that this port speaks for, the default one first."""
        read = self._current()
        others = {one.kme_id for one in read.by_host.values()} - {read.default.kme_id}
        return [read.default.kme_id, *sorted(others)]

    def context(self) -> ssl.SSLContext:
        """Return a context for a listener: each connection is made with the newest files."""
        listener = _ListenerContext(ssl.PROTOCOL_TLS_SERVER)
        listener.server = self
        return listener

    def newest(self) -> IdentityContext:
        """Return the context for a connection made now."""
        return self._current().default

    def choose(self, connection: Any, host: str | None, _: ssl.SSLContext) -> None:
        """Show the certificate of the key manager that the client named by its host (SNI)."""
        found = self._current().by_host.get((host or "").lower())
        if found is not None:
            connection.context = found

    def _current(self) -> _Read:
        now_s = self._monotonic()
        if now_s - self._looked_s >= self._look_every_s:
            self._looked_s = now_s
            state = _state_of(self._files)
            if state != self._state:
                self._state = state
                try:
                    self._read = self._read_files()
                    log.info("certificates read again", kme_ids=self._names())
                except SettingsError as error:
                    log.error("certificates not read again; the last ones stay", why=str(error))
        return self._read

    def _names(self) -> list[str]:
        return sorted({one.kme_id for one in self._read.by_host.values()})

    def _read_files(self) -> _Read:
        files = self._files
        if not files.certificates:
            raise SettingsError("no server certificate; allowed: one or more")
        if not files.anonymous and files.applications is None and files.peers is None:
            raise SettingsError("no authority for clients; allowed: that of applications, of peers")
        trust = read_trust(files.applications, files.peers, files.revocation_lists)
        contexts = [self._identity(path, trust) for path in files.certificates]
        ids = [context.kme_id for context, _ in contexts]
        if len(set(ids)) < len(ids):
            raise SettingsError(f"server certificates of {ids}; allowed: one for each key manager")
        by_host: dict[str, IdentityContext] = {}
        for context, hosts in contexts:
            for host in hosts:
                by_host.setdefault(host, context)  # a host of several: the first answers
        return _Read(trust=trust, default=contexts[0][0], by_host=by_host)

    def _identity(self, path: Path, trust: Trust) -> tuple[IdentityContext, list[str]]:
        """Return the context of one key manager, and the hosts it answers for."""
        own = read_certificates(path, "server certificate")[0]
        context = IdentityContext(ssl.PROTOCOL_TLS_SERVER)
        context.server = self
        context.certificate_pem = _pem(own)
        _load_chain(context, path)
        _harden(context)
        if self._files.anonymous:
            context.kme_id = ""
        else:
            context.kme_id = _kme_id(own, path)
            _trust_clients(context, trust)
        context.sni_callback = self.choose
        return context, [context.kme_id.lower(), *(name.lower() for name in _hosts(own))]


class _ListenerContext(ssl.SSLContext):
    """What a listener keeps for its whole life; it makes no connection of its own."""

    server: ServerTls

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        """Make a connection with the newest files. asyncio asks this once a connection."""
        return self.server.newest().wrap_bio(*given, **named)


def _load_chain(context: ssl.SSLContext, path: Path) -> None:
    beside = _key_beside(path)
    key = None if b"PRIVATE KEY-----" in read_pem(path, "server certificate") else beside
    try:
        # The password is asked of nobody: OpenSSL would ask on the terminal, for ever.
        context.load_cert_chain(path, key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(
            f"server certificate {path}: {why}; allowed: a certificate and its own key, not"
            f" encrypted, both in this file or the key in {beside.name}"
        ) from None


def _kme_id(certificate: x509.Certificate, path: Path) -> str:
    try:
        return name_in(certificate, "peer")
    except NotAuthenticated as error:
        raise SettingsError(f"server certificate {path}: {error}") from None


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    # A session that is taken up again shows no certificate, so that none is: no tickets.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])


def _trust_clients(context: ssl.SSLContext, trust: Trust) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    authorities = (*trust.applications, *trust.peers)
    context.load_verify_locations(cadata="".join(map(_pem, authorities)))
    context.verify_flags |= VERIFY_PARTIAL_CHAIN
    if trust.lists:
        # `cadata` takes no lists. A file of our own holds what was checked, and nothing else.
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.writelines(map(_pem, trust.lists))
            file.flush()
            context.load_verify_locations(cafile=file.name)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _pem(one: x509.Certificate | x509.CertificateRevocationList) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def _hosts(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _key_beside(path: Path) -> Path:
    return path.with_suffix(".key")


def _state_of(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    """What a change of any file changes."""
    found: list[tuple[int, int, int] | None] = []
    for path in files.all():
        try:
            seen = path.stat()
            found.append((seen.st_mtime_ns, seen.st_size, seen.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)
