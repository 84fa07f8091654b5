"""The one table: domain error -> HTTP status, exit code and title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from api.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an error becomes at every interface."""

    status: int  #: HTTP status
    exit_code: int  #: 2 for bad input, 1 for everything else
    title: str  #: of the problem document (RFC 9457); the same for every error of the kind


def _bad(title: str, status: int = 422) -> Outcome:
    return Outcome(status=status, exit_code=2, title=title)


def _failed(title: str, status: int) -> Outcome:
    return Outcome(status=status, exit_code=1, title=title)


@cache
def outcomes() -> Mapping[type[Exception], Outcome]:
    """Return the table. Built at first use: only a failing command pays for these imports."""
    from orbits import errors as orbit_errors
    from qkd import errors as key_errors
    from scheduler import errors

    return {
        errors.SchedulerError: _failed("The scheduler failed", 500),
        errors.InputError: _bad("Input refused"),
        errors.FactError: _bad("Facts contradict each other"),
        errors.LedgerMissing: _bad("There is no ledger"),
        errors.ScenarioError: _bad("Scenario refused"),
        errors.SettingsError: _bad("Setting refused", 500),
        errors.UnknownName: _bad("Unknown name", 404),
        errors.StaleElements: _bad("No element set young enough", 409),
        errors.BookingConflict: _failed("Already taken", 409),
        errors.NotEnoughKey: _failed("Not enough key", 503),
        errors.KeyRanOut: _failed("Not enough key", 503),
        errors.SimulatedKey: _failed("Simulated key stays in the laboratory", 503),
        errors.ConstraintNotMet: _failed("No key is as demanded", 409),
        errors.LedgerError: _failed("The ledger refuses", 500),
        errors.LedgerBroken: _failed("The ledger contradicts itself", 500),
        errors.ReservationChanged: _failed("A reservation was changed", 500),
        errors.LedgerMismatch: _failed("The ledger belongs to another run", 409),
        errors.LedgerRolledBack: _failed("An old copy of the ledger", 409),
        errors.RequestConflict: _failed("One request id, two requests", 409),
        errors.DuplicateBlock: _failed("Key already deposited", 409),
        errors.WrongState: _failed("Not in a state for that", 409),
        errors.LedgerUnavailable: _failed("The ledger cannot be reached", 503),
        errors.KeystoreError: _failed("The key store refuses", 500),
        errors.ProofInvalid: _failed("A proof does not hold", 422),
        errors.ClockStepped: _failed("The clock is not plausible", 503),
        errors.NotAuthenticated: _failed("Not authenticated", 401),
        errors.NotAllowed: _failed("Not allowed", 403),
        errors.FeedError: _failed("A service outside failed", 502),
        errors.StationTrouble: _failed("A station has trouble", 502),
        errors.PlanError: _failed("No such plan", 422),
        orbit_errors.OrbitsError: _bad("Orbit question refused"),
        orbit_errors.TimeError: _bad("Times refused"),
        orbit_errors.ElementsError: _bad("Element set refused"),
        orbit_errors.StationError: _bad("Station refused"),
        orbit_errors.PassTimesError: _bad("Pass refused"),
        orbit_errors.SearchError: _bad("Search refused"),
        orbit_errors.ArchiveError: _bad("No element set to use", 409),
        orbit_errors.NoElementsError: _bad("No element set to use", 409),
        orbit_errors.StaleElementsError: _bad("No element set young enough", 409),
        key_errors.QkdError: _bad("Key-yield question refused"),
        key_errors.QkdInputError: _bad("Key-yield input refused"),
        key_errors.NotModelledError: _bad("Not modelled"),
        key_errors.UnknownPresetError: _bad("Unknown preset", 404),
    }


def known_errors() -> tuple[type[Exception], ...]:
    """Return what an interface answers for; anything else is a fault of ours and stays visible."""
    return (*outcomes(), OSError)


def outcome_of(error: Exception) -> Outcome:
    """Return the row of the nearest class of `error`; a failing file or socket is exit code 1."""
    table = outcomes()
    for kind in type(error).__mro__:
        if kind in table:
            return table[kind]
    return _failed("The system refused", 500)


def lines_of(error: Exception) -> list[str]:
    """Return the message of `error` line by line: a scenario tells every mistake on its own."""
    from scheduler.errors import ScenarioError

    if isinstance(error, ScenarioError):
        return [message_of(ScenarioError(line)) for line in str(error).splitlines()]
    return [message_of(error)]


def message_of(error: Exception) -> str:
    """Return the message of `error` as one printable line."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, KeyError) and error.args:  # KeyError quotes its message
        text = str(error.args[0])
    line = " ".join(text.split()) or type(error).__name__
    return printable(line)
