"""Who a client certificate names: an application (SAE) or another key manager (a peer)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from cryptography import x509
from cryptography.x509.oid import NameOID

from scheduler.domain import check_sae_id
from scheduler.errors import FactError, NotAuthenticated

Plane = Literal["application", "peer"]
PLANES: tuple[Plane, ...] = get_args(Plane)

URN_OF: dict[Plane, str] = {"application": "urn:sae:", "peer": "urn:kme:"}
CERTIFICATES_KEPT = 4096  # parsed ones; a client sends the same one with each connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end of a connection, as its certificate says."""

    name: str  #: SAE id on the plane of applications, KME id on that of peers
    plane: Plane  #: whose authority signed the certificate
    serial: str  #: of the certificate, in hexadecimal


def peer_of(scope: Mapping[str, Any], plane: Plane | None = None) -> Peer:
    """Return who sent this request, by the certificate that the TLS layer has verified.

    Identity never comes from a header. Raises NotAuthenticated without a certificate, for one
    that names nobody or two, and for one of another plane than `plane` where that is given.
    """
    tls = scope.get("extensions", {}).get("tls") or {}
    chain = tuple(tls.get("client_cert_chain") or ())
    found: Plane | None = tls.get("plane")
    if not chain or found is None:
        why = tls.get("client_cert_error") or "no client certificate"
        raise NotAuthenticated(f"{why}; allowed: one that an authority of this server signed")
    peer = _named(chain[0], found)
    if plane is not None and peer.plane != plane:
        raise NotAuthenticated(f"the certificate is of plane {peer.plane}; allowed here: {plane}")
    return peer


def kme_of(scope: Mapping[str, Any]) -> str:
    """Return the KME id of the server certificate that this connection was shown.

    Raises NotAuthenticated on a connection without TLS.
    """
    tls = scope.get("extensions", {}).get("tls") or {}
    if not tls.get("server_cert"):
        raise NotAuthenticated("no TLS; allowed: the port of the key manager")
    return _named(tls["server_cert"], "peer").name


@lru_cache(maxsize=CERTIFICATES_KEPT)
def _named(pem: str, plane: Plane) -> Peer:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return Peer(
        name=name_in(certificate, plane), plane=plane, serial=f"{certificate.serial_number:x}"
    )


def name_in(certificate: x509.Certificate, plane: Plane) -> str:
    """Return the id that a certificate of that plane carries: URI `urn:sae:NAME`, else the CN.

    A key manager's is `urn:kme:NAME`. Raises NotAuthenticated for none, for two, and for a name
    that no path could carry.
    """
    urns = [uri for uri in _uris(certificate) if uri.lower().startswith(tuple(URN_OF.values()))]
    own = [uri for uri in urns if uri.lower().startswith(URN_OF[plane])]
    if len(own) != len(urns):
        raise NotAuthenticated(
            f"a certificate of plane {plane} names {urns}; allowed: its own kind"
        )
    names = [uri[len(URN_OF[plane]) :] for uri in own] or _common_names(certificate)
    if len(names) != 1:
        raise NotAuthenticated(
            f"the certificate names {len(names)} ids; allowed: one {URN_OF[plane]}NAME, else one CN"
        )
    try:
        check_sae_id(names[0])
    except FactError as error:
        raise NotAuthenticated(f"the certificate names an {error}") from None
    return names[0]


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # ValueError: names that cannot be parsed
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _common_names(certificate: x509.Certificate) -> list[str]:
    return [
        str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
