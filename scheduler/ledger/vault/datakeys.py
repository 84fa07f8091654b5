"""The data keys of an open ledger: made with the first deposit of an epoch, then remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, func, insert, select, update

from scheduler.errors import KeystoreError
from scheduler.ledger.schema import AuditKey, DataKey, PoolRow
from scheduler.ledger.vault.keystore import KeyEncryptionKey, new_data_key

_NUMBER = select(DataKey.id).where(
    DataKey.pool_ref == bindparam("pool_"), DataKey.epoch == bindparam("epoch_")
)
_WRAPPED = (
    select(DataKey.wrapped, DataKey.epoch, PoolRow.pool_id)
    .join(PoolRow, DataKey.pool_ref == PoolRow.id)
    .where(DataKey.id == bindparam("number_"))
)
_LAST = select(func.max(DataKey.id))
# The signing key is rewrapped in the transaction that rotates, so it tells the key of the day.
_SIGNING_KEKS = select(AuditKey.kek_id)
_ADD = insert(DataKey)


def context_of(pool_id: str, epoch: int) -> bytes:
    """What a wrapped data key is bound to."""
    return f"data key of {pool_id}, epoch {epoch}".encode()


@dataclass(slots=True)
class SharedKeys:
    """What an open ledger remembers of its data keys between transactions."""

    ciphers: dict[int, AESGCM] = field(default_factory=dict)  #: by number
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)  #: by pool and epoch


class DataKeys:
    """Data keys that one transaction may use; new ones are shared after its commit only.

    A number taken by a transaction that was undone is given out again, so a cipher must not
    be remembered under it before the commit.
    """

    def __init__(self, kek: KeyEncryptionKey, shared: SharedKeys) -> None:
        self._kek = kek
        self._all = shared
        self._shared = shared.ciphers
        self._learnt: dict[int, AESGCM] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._last: int | None = None
        self._made: list[dict[str, Any]] = []

    def flush(self, connection: Connection) -> None:
        """Write down the keys made since the last time, wrapped."""
        if self._made:
            connection.execute(_ADD, self._made)
            self._made = []

    def publish(self) -> None:
        """Share what this transaction made, after its commit."""
        self._shared.update(self._learnt)
        self._all.numbers.update(self._numbers)

    def current(
        self, connection: Connection, pool_ref: int, pool_id: str, epoch: int
    ) -> tuple[int, AESGCM]:
        """Number and cipher under which this pool's bytes of that epoch go into the store."""
        place = (pool_ref, epoch)
        number = self._numbers.get(place) or self._all.numbers.get(place)
        if number is None:
            number = connection.execute(_NUMBER, {"pool_": pool_ref, "epoch_": epoch}).scalar()
        if number is None:
            number = self._make(connection, pool_ref, pool_id, epoch)
        self._numbers[place] = number
        return number, self.cipher(connection, number)

    def cipher(self, connection: Connection, number: int) -> AESGCM:
        """The cipher behind a data key's number. Raises KeystoreError if it was destroyed."""
        known = self._learnt.get(number) or self._shared.get(number)
        if known is not None:
            return known
        row = connection.execute(_WRAPPED, {"number_": number}).one_or_none()
        if row is None or row.wrapped is None:
            raise KeystoreError(f"data key {number} is destroyed, and what it sealed with it")
        key = self._kek.unwrap(row.wrapped, context_of(row.pool_id, row.epoch))
        self._learnt[number] = AESGCM(key)
        return self._learnt[number]

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open another wrapped key for this transaction's use. Raises KeystoreError."""
        return self._kek.unwrap(wrapped, context)

    def _make(self, connection: Connection, pool_ref: int, pool_id: str, epoch: int) -> int:
        if self._last is None:
            self._last = connection.execute(_LAST).scalar() or 0
        current = set(connection.execute(_SIGNING_KEKS).scalars())
        if current - {self._kek.kek_id}:
            raise KeystoreError(
                f"the ledger is kept under key-encryption key {', '.join(sorted(current))} now,"
                f" this process holds {self._kek.kek_id}; start it again with the new one"
            )
        number = self._last = self._last + 1
        key = new_data_key()
        row = {
            "id": number,
            "pool_ref": pool_ref,
            "epoch": epoch,
            "kek_id": self._kek.kek_id,
            "wrapped": self._kek.wrap(key, context_of(pool_id, epoch)),
        }
        self._made.append(row)
        self._learnt[number] = AESGCM(key)
        return number

    def destroy(self, connection: Connection, pool_ref: int, epoch: int) -> None:
        """Erase a data key for ever; what it sealed can never be read again."""
        self.flush(connection)
        number = connection.execute(
            select(DataKey.id).where(DataKey.pool_ref == pool_ref, DataKey.epoch == epoch)
        ).scalar()
        if number is not None:
            connection.execute(update(DataKey).where(DataKey.id == number).values(wrapped=None))
            self._shared.pop(number, None)
            self._learnt.pop(number, None)
            self._numbers.pop((pool_ref, epoch), None)
            self._all.numbers.pop((pool_ref, epoch), None)


def rewrap(connection: Connection, old: KeyEncryptionKey, new: KeyEncryptionKey) -> int:
    """Wrap every data key anew; return how many. The sealed bytes stay as they are."""
    rows = connection.execute(
        select(DataKey.id, DataKey.wrapped, DataKey.epoch, PoolRow.pool_id)
        .join(PoolRow, DataKey.pool_ref == PoolRow.id)
        .where(DataKey.wrapped.is_not(None))
    ).all()
    for row in rows:
        context = context_of(row.pool_id, row.epoch)
        wrapped = new.wrap(old.unwrap(row.wrapped or b"", context), context)
        connection.execute(
            update(DataKey).where(DataKey.id == row.id).values(wrapped=wrapped, kek_id=new.kek_id)
        )
    return len(rows)
