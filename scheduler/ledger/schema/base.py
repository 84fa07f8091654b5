"""What every table shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from sqlalchemy import BigInteger, Identity, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

Number = BigInteger().with_variant(Integer, "sqlite")
"""64-bit everywhere; SQLite wants the word INTEGER to make a column its row id."""


def identity() -> MappedColumn[int]:
    """The column of a table's own numbers: PostgreSQL's identity, SQLite's row id."""
    return mapped_column(Number, Identity(cache=1), primary_key=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """How a table's rows are kept from changing unseen; all that writer and audit must know."""

    hash: str = "sha256"  #: column of the hash over the row's lasting columns
    later: tuple[str, ...] = ()  #: columns outside the hash: filled or moved on when time passes
    leaf: tuple[str, ...] = ()  #: columns that name the row in the log, where it has its own leaf
    joint: str = "/"  #: between them
    #: columns that name a command, and the word by which that command's hash takes the row; a
    #: column `owner.column` is one of the row that `owner` names
    under: Mapping[str, str] = field(default_factory=dict)


class Base(DeclarativeBase):
    """Common base; constraints get names, so that a migration can find them."""

    audited: ClassVar[Audited | None] = None  #: none: its rows have no hash of their own

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
