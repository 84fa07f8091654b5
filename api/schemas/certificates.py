"""Certificates of a laboratory."""

from __future__ import annotations

from typing import ClassVar

from api.schemas.base import Answer, Column, Instant, Listing, attribute


class Certificate(Answer):
    """A certificate that the laboratory issued; never its key."""

    name: str
    plane: str
    """`application` or `peer`: whose authority signed it."""
    serial: str
    from_: Instant = attribute("since", "from")
    to: Instant = attribute("until")
    revoked_at: Instant | None

    columns: ClassVar = (
        Column("plane", "plane"),
        Column("name", "name"),
        Column("until", "to"),
        Column("revoked", "revoked_at"),
        Column("serial", "serial", rank=1),
    )


class Certificates(Listing):
    """Certificates by plane, name and age."""

    certificates: list[Certificate]

    noun: ClassVar = "certificate"
