"""A sealed piece of key: what it is bound to, and how it opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scheduler.errors import KeystoreError, LedgerBroken
from scheduler.ledger.vault.keystore import NONCE_BYTES

BOTH_ENDS = (0, 1)


class BlockNames(NamedTuple):
    """What a piece is bound to, besides its end and its place."""

    ref: int
    block_id: str
    pool_ref: int
    pool_id: str
    epoch: int  #: in which the block was deposited

    def context(self, side: int, start_byte: int) -> bytes:
        """Associated data of a piece: it opens nowhere else."""
        return f"{self.block_id}|{self.pool_id}|{side}|{start_byte}|{self.epoch}".encode()


def open_piece(cipher: AESGCM, data: bytes, block: BlockNames, side: int, begins: int) -> bytes:
    """Open one sealed piece. Raises LedgerBroken if it was changed or belongs elsewhere."""
    try:
        nonce, sealed = data[:NONCE_BYTES], data[NONCE_BYTES:]
        return cipher.decrypt(nonce, sealed, block.context(side, begins))
    except (InvalidTag, TypeError, ValueError):  # the last two: no bytes, or too few
        raise LedgerBroken(
            f"material of block {block.block_id}, end {side}, byte {begins}: does not open;"
            " it was changed or belongs elsewhere"
        ) from None


class Ciphers(dict[int, AESGCM]):
    """Ciphers of data keys by number, each made when it is first needed.

    Takes the opened keys, or why one does not open: that is raised for whatever it sealed.
    Another process gets the keys; a cipher cannot be sent.
    """

    def __init__(self, keys: Mapping[int, bytes | str]) -> None:
        super().__init__()
        self._keys = keys

    def __missing__(self, number: int) -> AESGCM:
        key = self._keys.get(number)
        if key is None:
            raise KeystoreError(f"data key {number} is destroyed, and what it sealed with it")
        if isinstance(key, str):
            raise KeystoreError(key)
        cipher = self[number] = AESGCM(key)
        return cipher

    def __reduce__(self) -> tuple[type[Ciphers], tuple[Mapping[int, bytes | str]]]:
        return Ciphers, (self._keys,)

    def unopened(self) -> dict[int, str]:
        """Why a key does not open, by number."""
        return {number: key for number, key in self._keys.items() if isinstance(key, str)}
