"""The data keys of an open ledger: made with the first deposit of an epoch, then remembered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, select

from scheduler.errors import KeystoreError, LedgerUnavailable
from scheduler.ledger.schema import AuditKey, DataKey, PoolRow
from scheduler.ledger.vault.keyring import Epoch, Keyring

_NUMBER = select(DataKey.open_id).where(
    DataKey.pool_ref == bindparam("pool_"), DataKey.epoch == bindparam("epoch_")
)
_EPOCH = (
    select(PoolRow.pool_id, DataKey.epoch)
    .join(PoolRow, DataKey.pool_ref == PoolRow.id)
    .where(DataKey.open_id == bindparam("number_"))
)
# The signing key is rewrapped in the transaction that rotates, so it tells the key of the day;
# and whoever makes a data key meanwhile must wait for that.
_SIGNING_KEKS = select(AuditKey.kek_id).with_for_update(read=True)


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

    def __init__(self, ring: Keyring, shared: SharedKeys) -> None:
        self._ring = ring
        self._shared = shared
        self._learnt: dict[int, AESGCM] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._shredded: dict[int, Epoch] = {}

    def publish(self) -> None:
        """Share what this transaction made, destroy what it shredded; after its commit only."""
        self._shared.ciphers.update(self._learnt)
        self._shared.numbers.update(self._numbers)
        for number in self._shredded:
            self._shared.ciphers.pop(number, None)
        for place in [
            place for place, number in self._shared.numbers.items() if number in self._shredded
        ]:
            del self._shared.numbers[place]
        if self._shredded:
            # Committed it is; what could not be destroyed now is with the next tidying of the keys.
            with suppress(LedgerUnavailable):
                self._ring.destroy(self._shredded.values())

    def number(self, connection: Connection, pool_ref: int, epoch: int) -> int | None:
        """Number of the key under which a pool's bytes of an epoch are kept; None before it."""
        place = (pool_ref, epoch)
        number = self._numbers.get(place) or self._shared.numbers.get(place)
        if number is None:
            number = connection.execute(_NUMBER, {"pool_": pool_ref, "epoch_": epoch}).scalar()
        if number is not None:
            self._numbers[place] = number
        return number

    def make(self, connection: Connection, number: int, pool_ref: int, of: Epoch) -> None:
        """Make the key of an epoch under a new number; it is kept before this returns."""
        self._refuse_old_kek(connection)
        self._learnt[number] = AESGCM(self._ring.make(of))
        self._numbers[pool_ref, of.epoch] = number

    def cipher(self, connection: Connection, number: int) -> AESGCM:
        """The cipher behind a data key's number. Raises KeystoreError if it was destroyed."""
        known = self._learnt.get(number) or self._shared.ciphers.get(number)
        if known is not None:
            return known
        row = connection.execute(_EPOCH, {"number_": number}).one_or_none()
        if row is None:
            raise KeystoreError(f"data key {number} is destroyed, and what it sealed with it")
        of = Epoch(row.pool_id, row.epoch)
        key = self._ring.find(of)
        if key is None:
            self._refuse_old_kek(connection)
            key = self._ring.open(of)
        self._learnt[number] = AESGCM(key)
        return self._learnt[number]

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open another wrapped key for this transaction's use. Raises KeystoreError."""
        return self._ring.kek.unwrap(wrapped, context)

    def shred(self, number: int, of: Epoch) -> None:
        """Destroy a key for ever once this transaction is committed."""
        self._learnt.pop(number, None)
        self._numbers = {place: one for place, one in self._numbers.items() if one != number}
        self._shredded[number] = of

    def _refuse_old_kek(self, connection: Connection) -> None:
        current = set(connection.execute(_SIGNING_KEKS).scalars())
        if current - {self._ring.kek.kek_id}:
            raise KeystoreError(
                f"the ledger is kept under key-encryption key {', '.join(sorted(current))} now,"
                f" this process holds {self._ring.kek.kek_id}; start it again with the new one"
            )
