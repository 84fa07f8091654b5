"""The words of the ledger: states of key and kinds of account."""

from __future__ import annotations

from enum import StrEnum

BYTE_BITS = 8
"""Key is spent by the whole byte, from the front of its block."""


class KeyState(StrEnum):
    """State of a block's unallocated rest, or the state that an entry's range enters."""

    SIFTED = "sifted"  #: no secret key yet: it waits for its finite-key block to close
    RECEIVED = "received"
    AVAILABLE = "available"
    QUARANTINED = "quarantined"
    HELD = "held"
    RESERVED = "reserved"
    UNCERTAIN = "uncertain"
    DISTILLED = "distilled"  #: of sifted key: made into a finite-key block's secret key
    VOIDED = "voided"
    EXPIRED = "expired"
    COMPROMISED = "compromised"
    DELIVERED = "delivered"
    RELAY_CONSUMED = "relay_consumed"
    COMBINED = "combined"
    AUTHENTICATED = "authenticated"  #: spent on the tags of the messages that made it
    DESTROYED = "destroyed"


class AccountKind(StrEnum):
    """Accounts of one pool, in bits; only `generated` may be negative.

    `pool` is what is available. `generated`, `spent`, `expired`, `delivered`, `withdrawn` and
    `distilled` close the books; the others hold key that is on its way between two of these.
    """

    GENERATED = "generated"
    POOL = "pool"
    RECEIVED = "received"
    QUARANTINED = "quarantined"
    HELD = "held"
    RESERVED = "reserved"
    UNCERTAIN = "uncertain"
    SPENT = "spent"
    EXPIRED = "expired"
    DELIVERED = "delivered"
    WITHDRAWN = "withdrawn"
    SIFTED = "sifted"
    DISTILLED = "distilled"


ACCOUNT_OF = {
    KeyState.SIFTED: AccountKind.SIFTED,
    KeyState.DISTILLED: AccountKind.DISTILLED,
    KeyState.RECEIVED: AccountKind.RECEIVED,
    KeyState.AVAILABLE: AccountKind.POOL,
    KeyState.QUARANTINED: AccountKind.QUARANTINED,
    KeyState.HELD: AccountKind.HELD,
    KeyState.RESERVED: AccountKind.RESERVED,
    KeyState.UNCERTAIN: AccountKind.UNCERTAIN,
    KeyState.VOIDED: AccountKind.WITHDRAWN,
    KeyState.COMPROMISED: AccountKind.WITHDRAWN,
    KeyState.EXPIRED: AccountKind.EXPIRED,
    KeyState.DELIVERED: AccountKind.DELIVERED,
    KeyState.RELAY_CONSUMED: AccountKind.SPENT,
    KeyState.COMBINED: AccountKind.SPENT,
    KeyState.AUTHENTICATED: AccountKind.SPENT,
}
"""The account that holds the bits of a range in each state."""

TERMINAL_KEY_STATES = frozenset(
    {
        KeyState.VOIDED,
        KeyState.EXPIRED,
        KeyState.COMPROMISED,
        KeyState.DELIVERED,
        KeyState.RELAY_CONSUMED,
        KeyState.COMBINED,
        KeyState.AUTHENTICATED,
        KeyState.DISTILLED,
    }
)
"""A range in one of these has had its one use; only its bytes may still be erased."""

ALLOWED_MOVES: dict[KeyState, frozenset[KeyState]] = {
    KeyState.SIFTED: frozenset({KeyState.DISTILLED, KeyState.VOIDED}),
    KeyState.RECEIVED: frozenset({KeyState.AVAILABLE, KeyState.VOIDED, KeyState.QUARANTINED}),
    KeyState.AVAILABLE: frozenset({KeyState.HELD, KeyState.EXPIRED, KeyState.COMPROMISED}),
    KeyState.HELD: frozenset({KeyState.AVAILABLE, KeyState.EXPIRED, KeyState.COMPROMISED}),
    KeyState.QUARANTINED: frozenset({KeyState.VOIDED, KeyState.COMPROMISED}),
}
"""Where a block's unallocated rest may go; all else is refused. Reservations go by range."""


class ReservationState(StrEnum):
    """Life of a reservation. From `intended` on, bytes may have left: it is never released."""

    OPEN = "open"
    INTENDED = "intended"
    UNCERTAIN = "uncertain"
    RELEASED = "released"
    DELIVERED = "delivered"
    RELAY_CONSUMED = "relay_consumed"
    COMBINED = "combined"
    VOIDED = "voided"


RESERVATION_MOVES: dict[ReservationState, frozenset[ReservationState]] = {
    ReservationState.OPEN: frozenset(
        {
            ReservationState.RELEASED,
            ReservationState.DELIVERED,
            ReservationState.RELAY_CONSUMED,
            ReservationState.COMBINED,
            ReservationState.UNCERTAIN,
        }
    ),
    ReservationState.INTENDED: frozenset(
        {
            ReservationState.DELIVERED,
            ReservationState.RELAY_CONSUMED,
            ReservationState.COMBINED,
            ReservationState.UNCERTAIN,
        }
    ),
    ReservationState.UNCERTAIN: frozenset(
        {
            ReservationState.DELIVERED,
            ReservationState.RELAY_CONSUMED,
            ReservationState.VOIDED,
        }
    ),
}
"""Where a reservation may go from each state; what is not here is final."""
