"""What can go wrong in `scheduler`; `api.errors` gives each its HTTP status and exit code."""


class SchedulerError(Exception):
    """Root of every error that `scheduler` raises.

    SchedulerError
    ├── InputError            what came from outside does not fit: value seen, what is allowed
    │   ├── FactError         a fact that contradicts itself
    │   ├── LedgerMissing     a question about a ledger that is not there
    │   ├── ScenarioError     a scenario file that does not parse or does not hold together
    │   └── SettingsError     a setting of the wrong form
    ├── UnknownName           a satellite, station, node, demand or booking nobody knows
    ├── StaleElements         no element set young enough for the instant asked about
    ├── BookingConflict       the satellite or the station is already taken
    ├── NotEnoughKey          a pool holds less than was asked for
    │   └── KeyRanOut         of two application entities; names how many keys are left
    ├── SimulatedKey          key that anybody with the seed can make; only laboratories hand it out
    ├── ConstraintNotMet      no key of a pair is as the request demands
    ├── LedgerError           the ledger refuses
    │   ├── LedgerBroken      verification failed; names the row
    │   ├── LedgerMismatch    another run, seed or schema lives in this database
    │   ├── LedgerRolledBack  the database is older than the counter beside its keys
    │   ├── LedgerUnavailable the database is away, full or too busy; retry the request
    │   ├── DuplicateBlock    key that was deposited before
    │   ├── WrongState        a block or a reservation is not in the state that a step needs
    │   ├── KeystoreError     the key-encryption key is missing or wrong, or a data key destroyed
    │   ├── ProofInvalid      a proof, a checkpoint or an exported ledger that does not hold
    │   └── RequestConflict   one request id, two different requests
    ├── ClockStepped          the machine's clock shows what cannot be; nothing is done by it
    ├── NotAuthenticated      nobody known: no certificate or token, or one that does not count
    ├── NotAllowed            somebody known, who may not do this
    ├── FeedError             a service outside did not answer, or not as agreed
    ├── StationTrouble        a station says that there will be no session, or was no key
    └── PlanError             no plan, or one that the validator rejects
    """


class InputError(SchedulerError, ValueError):
    """Input from outside that does not fit; the message names the value and what is allowed."""


class FactError(InputError):
    """A fact whose parts contradict each other."""


class LedgerMissing(InputError):
    """A question about a ledger that is not there; an empty new one would pass every check."""


class ClockStepped(SchedulerError):
    """The machine's clock made a step that no time server makes; the message says from where."""


class ScenarioError(InputError):
    """A scenario that does not parse or does not hold together."""


class SettingsError(InputError):
    """A setting of the wrong form."""


class UnknownName(SchedulerError, LookupError):
    """A name that nobody knows; the message lists the known ones."""


class StaleElements(SchedulerError):
    """No element set is young enough; the message names the nearest epoch and the limit."""


class BookingConflict(SchedulerError):
    """The satellite or the station is already taken at that time."""


class NotEnoughKey(SchedulerError):
    """A pool holds less key than was asked for."""


class KeyRanOut(NotEnoughKey):
    """Two application entities share fewer keys of that size than were asked for."""

    def __init__(self, message: str, *, available: int) -> None:
        super().__init__(message)
        self.available = available


class SimulatedKey(SchedulerError):
    """Key from a simulated source was asked for outside a laboratory."""


class ConstraintNotMet(SchedulerError):
    """No key of the pair has the properties that the request demands."""


class LedgerError(SchedulerError):
    """The ledger refuses; nothing was written."""


class LedgerBroken(LedgerError):
    """The ledger contradicts itself; the message names the row."""


class ReservationChanged(LedgerBroken):
    """A reservation, its parts or their entries are not as they were written; nothing was done."""


class LedgerMismatch(LedgerError):
    """The database belongs to another run, seed, scenario or schema."""


class LedgerRolledBack(LedgerError):
    """The database is an old copy, or has another history; used, it would deliver key twice."""


class DuplicateBlock(LedgerError):
    """Key under this id or natural key was deposited before; nothing was added."""


class LedgerUnavailable(LedgerError):
    """The database is away, full or too busy; retry the same request under the same id."""


class WrongState(LedgerError):
    """A block or a reservation is not in the state that the step needs; nothing was done."""


class KeystoreError(LedgerError):
    """Key at rest cannot be opened: its key-encryption key is missing, wrong or destroyed."""


class ProofInvalid(LedgerError):
    """A proof, a checkpoint or an exported ledger does not hold."""


class RequestConflict(LedgerError):
    """A request id came back with a different request behind it."""


class NotAuthenticated(SchedulerError):
    """Nobody known asks: no certificate or token, or one that does not count."""


class NotAllowed(SchedulerError):
    """Somebody known asks for what is not theirs to ask."""


class FeedError(SchedulerError):
    """A service outside that was asked did not answer, or not as agreed; nothing was stored."""


class StationTrouble(SchedulerError):
    """A station says that it cannot begin a session, or that one gave no key."""


class PlanError(SchedulerError):
    """There is no such plan, or the validator rejects it."""
