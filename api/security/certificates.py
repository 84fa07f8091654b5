"""Who a client certificate names, as the TLS layer found it (ASGI's TLS extension)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scheduler.errors import NotAllowed

_COMMON_NAME = re.compile(r"(?:^|,)CN=([^,+]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whoever holds the key of a client certificate that one of our authorities issued."""

    name: str
    plane: Literal["application", "peer"]
    serial: str


def peer_of(scope: Mapping[str, Any]) -> Peer:
    """The holder of the certificate of a connection. Raises NotAllowed without one."""
    tls = scope.get("extensions", {}).get("tls") or {}
    found = _COMMON_NAME.search(str(tls.get("client_cert_name") or ""))
    if found is None:
        raise NotAllowed("no client certificate; allowed: one of the authority for applications")
    return Peer(name=found[1], plane="application", serial="")
