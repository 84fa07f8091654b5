"""What every use case is handed: settings, scenario, clock, entropy, ledger, element sets."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

from orbits import Archive, EarthTime, Elements, Verdict, Verdicts
from scheduler.clock import Clock, SystemClock
from scheduler.entropy import Entropy, SystemEntropy
from scheduler.errors import LedgerMismatch, LedgerMissing, UnknownName
from scheduler.network import EVERYBODY, Satellite, Scenario, Station, Viewer
from scheduler.services.ahead import Ahead
from scheduler.services.answers import Answers
from scheduler.services.archives import Archives
from scheduler.services.last import Last
from scheduler.sources.earth import load_earth_time
from scheduler.sources.scenarios import load_scenario
from scheduler.weather import TrueSky

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from scheduler.domain import ElementBinding, KeyRunway, KnownSet, PassAnswer
    from scheduler.ledger import ElementRow, Ledger, LedgerView, Reader
    from scheduler.paths import Routes
    from scheduler.services.delivery.origins import KeyOrigins
    from scheduler.services.link_ratios import LinkRatios
    from scheduler.services.merges.demand_served import DemandServed
    from scheduler.settings import Settings

PASS_ANSWERS = 64
"""Answers about passes that are kept; one of a week over ten stations takes some 100 kB."""


class Context:
    """The wiring of one process. The ledger is opened by the first use case that needs it."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        extra_elements: Iterable[Elements] = (),
        on_new_ledger: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_new_ledger` is told, once, the public key by which a ledger that was made signs."""
        self.settings = settings
        self._on_new_ledger = on_new_ledger
        self.clock: Clock = clock or SystemClock()
        self.entropy: Entropy = entropy or SystemEntropy()
        self._archives = Archives(
            self._stored_elements,
            self._stored_verdicts,
            extra_elements,
            lambda: self.earth,
            self._stored_bindings,
        )
        self._elements_seen = -1
        self._opening = RLock()  # threads of a server share one ledger, and its queue of writers
        self._ledger: Ledger | None = None
        self._view: LedgerView | None = None
        self._is_bound = False  #: the ledger to this scenario
        self.viewer: Viewer = EVERYBODY  #: who is answered
        self.parts: dict[str, Context] = {}  #: by operator: what its tokens are answered from
        self.pair_runways: dict[str, KeyRunway] = {}  #: by pool, each for some seconds

    @cached_property
    def scenario(self) -> Scenario:
        """The network this process works for."""
        return load_scenario(self.settings.scenario)

    @cached_property
    def earth(self) -> EarthTime:
        """UT1 and leap seconds, as shipped or of the file of the setting `ut1_file`."""
        return load_earth_time(self.settings.ut1_file)

    @cached_property
    def routes(self) -> dict[str, Routes]:
        """Which paths could serve each demand; they depend on the network alone."""
        from scheduler.paths import routes_of

        return dict(routes_of(self.scenario, self.scenario.demands))

    @cached_property
    def lifetimes_s(self) -> dict[str, float]:
        """Seconds after which a link's key is of no use, where its demands all limit its age."""
        if all(demand.max_age_s is None for demand in self.scenario.demands):
            return {}
        from scheduler.services.keys.lifetimes import link_lifetimes

        return link_lifetimes(self.scenario, self.routes)

    @cached_property
    def served(self) -> DemandServed:
        """What each demand had of late, read from the ledger as it grows."""
        from scheduler.services.merges.demand_served import DemandServed

        return DemandServed()

    @cached_property
    def ratios(self) -> LinkRatios:
        """What each link's sessions measured, read from the ledger as it grows."""
        from scheduler.services.link_ratios import LinkRatios

        return LinkRatios()

    @cached_property
    def runways(self) -> Last:
        """The last key runway, for the next question about it."""
        return Last()

    @cached_property
    def pass_answers(self) -> Answers[PassAnswer]:
        """The last answers about passes, by element sets and question."""
        return Answers(PASS_ANSWERS)

    @cached_property
    def key_origins(self) -> KeyOrigins:
        """How the blocks were made that keys are cut from, as far as anybody asked."""
        from scheduler.services.delivery.origins import KeyOrigins

        return KeyOrigins(self.scenario)

    @cached_property
    def true_sky(self) -> TrueSky:
        """The weather that simulated sessions meet; one course of it for each seed."""
        return TrueSky(self.entropy.generator("sky", "course"))

    @cached_property
    def drawn_ahead(self) -> Ahead[Any]:
        """Sessions that are drawn and not settled."""
        return Ahead()

    @property
    def ledger(self) -> Ledger:
        """The ledger to write to; made if none is there, opened at first use."""
        with self._opening:
            if self._ledger is None:
                # SQLAlchemy takes a third of a second to import; most questions need none.
                from scheduler.ledger import open_ledger

                opened = open_ledger(
                    self.settings.database_url, key_folder=self.settings.key_folder
                )
                self._refuse_other_signer(opened)
                self._ledger = opened
                if opened.is_new:
                    self._on_new_ledger(self._signer_of(opened))
        return self._ledger

    def _refuse_other_signer(self, opened: Ledger) -> None:
        """Close a ledger and raise LedgerMismatch if its signing key is not the one in settings."""
        if (named := self.settings.log_public_key) is None:
            return
        seen = self._signer_of(opened)
        if seen != named:
            opened.close()
            raise LedgerMismatch(f"the ledger is signed by {seen}; `log_public_key` is {named}")

    def _signer_of(self, opened: Ledger) -> str:
        from scheduler.ledger.log.trail import public_key

        with opened.view.read() as reader:
            return public_key(reader.connection)

    @property
    def view(self) -> LedgerView:
        """The ledger to read from: no question makes or changes one, or needs its key.

        Raises LedgerMissing naming the database: an empty new one would pass every check.
        """
        with self._opening:
            if self._ledger is not None:
                return self._ledger.view
            if self._view is None:
                from scheduler.ledger import open_view

                self._view = open_view(
                    self.settings.database_url, key_folder=self.settings.key_folder
                )
        return self._view

    @property
    def existing_ledger(self) -> Ledger:
        """The ledger to write to, for what must not make one. Raises LedgerMissing as `view`."""
        with self._opening:
            if self._ledger is None:
                _ = self.view  # that there is one; another thread may be reading it
            return self.ledger

    @property
    def archive(self) -> Archive:
        """Every element set known to this process: packaged, imported, handed over."""
        return self._archives.whole()

    def archive_without(self, norad_ids: Collection[int]) -> Archive:
        """Every element set but those of some satellites."""
        return self._archives.without(norad_ids)

    @property
    def unreadable_elements(self) -> tuple[str, ...]:
        """A sentence for each stored set that is none by now, of those read so far."""
        return self._archives.unreadable()

    def latest_elements(self) -> list[KnownSet]:
        """The last set of each satellite, by catalogue number; texts are hardly read."""
        return self._archives.latest()

    def archive_of(self, norad_id: int, *, known_at: datetime | None = None) -> Archive:
        """The element sets of one satellite; with `known_at` those that had arrived by then."""
        if known_at is None:
            return self._archives.of(norad_id)
        lag = timedelta(seconds=self.scenario.planning.element_lag_s)
        return self._archives.known_at(norad_id, known_at, lag=lag)

    @property
    def verdicts(self) -> Verdicts:
        """What was decided of element sets: held back, accepted, withdrawn."""
        return Verdicts(self._archives.verdicts())

    def elements_of_epoch(self, norad_id: int, epoch: datetime) -> Elements:
        """The set of that satellite and epoch, one that serves rather than not, the last to arrive.

        Raises UnknownName if there is none.
        """
        archive = self.archive_of(norad_id)
        found = sorted(
            (item for item in archive if item.epoch == epoch),
            key=lambda item: archive.standing(item).is_serving,
        )
        if not found:
            raise UnknownName(
                f"the archive holds no element set of satellite {norad_id} with epoch "
                f"{epoch.isoformat()}"
            )
        return found[-1]

    @property
    def max_element_age(self) -> timedelta:
        """The age beyond which an element set is refused."""
        days = self.settings.max_element_age_days or self.scenario.planning.max_element_age_days
        return timedelta(days=days)

    def refresh_elements(self) -> None:
        """Read the element sets anew at next use if there are new ones, or verdicts."""
        count = self._element_count()
        if count != self._elements_seen:
            self._archives.forget()
            self._elements_seen = count

    @property
    def elements_seen(self) -> int:
        """How many element sets and verdicts there were when they were last looked at."""
        return self._elements_seen

    def _element_count(self) -> int:
        from scheduler.ledger.books import element_reads

        count = element_reads.element_count(self.settings.database_url)
        if count is not None:
            return count
        from scheduler.ledger.books.bindings import count_bindings
        from scheduler.ledger.books.elements import count_elements
        from scheduler.ledger.books.verdicts import count_verdicts

        try:
            with self.view.read() as reader:
                return count_elements(reader) + count_verdicts(reader) + count_bindings(reader)
        except LedgerMissing:
            return 0

    def _stored_elements(self, norad_id: int | None, latest: bool = False) -> list[ElementRow]:
        from scheduler.ledger.books import element_reads

        rows = element_reads.element_rows(self.settings.database_url, norad_id, latest=latest)
        if rows is not None:
            return rows
        from scheduler.ledger.books.elements import get_elements

        try:
            with self.view.read() as reader:
                return get_elements(reader, norad_id, latest=latest)
        except LedgerMissing:
            return []

    def _stored_verdicts(self) -> list[Verdict]:
        from scheduler.ledger.books import element_reads

        found = element_reads.element_verdicts(self.settings.database_url)
        if found is not None:
            return found
        from scheduler.ledger.books.verdicts import get_verdicts

        try:
            with self.view.read() as reader:
                return get_verdicts(reader)
        except LedgerMissing:
            return []

    def _stored_bindings(self) -> list[ElementBinding]:
        from scheduler.ledger.books import element_reads

        found = element_reads.element_bindings(self.settings.database_url)
        if found is not None:
            return found
        from scheduler.ledger.books.bindings import get_bindings

        try:
            with self.view.read() as reader:
                return get_bindings(reader)
        except LedgerMissing:
            return []

    def numbers_of(self, norad_id: int) -> list[int]:
        """The numbers under which a satellite's sets may come: its own, and bound ones."""
        bound = [
            one.norad_id for one in self._archives.bindings() if one.satellite_norad_id == norad_id
        ]
        return [norad_id, *dict.fromkeys(bound)]

    def catalogued(self, norad_id: int) -> list[Elements]:
        """Every set that came under a catalogue number, whosever it is."""
        return self._archives.catalogued(norad_id)

    def elements_digest(self) -> str:
        """SHA-256 over every known element set and what was decided of it: part of a run's name.

        A UT1 file counts too.
        """
        texts = sorted(elements.sha256 for elements in self.archive)
        texts += [f"{one.sha256} {one.standing} {one.since}" for one in self._archives.verdicts()]
        texts += [
            f"{one.norad_id} is {one.satellite_norad_id} since {one.since}"
            for one in self._archives.bindings()
        ]
        texts += [self.earth.digest] if self.settings.ut1_file else []
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()

    def scenario_digest(self) -> str:
        """SHA-256 of the scenario as it was understood."""
        return hashlib.sha256(repr(self.scenario).encode()).hexdigest()

    def satellite(self, name: str) -> Satellite:
        """The satellite of that id, name or catalogue number. Raises UnknownName."""
        wanted = name.casefold()
        for satellite in self.scenario.satellites:
            if wanted in {
                satellite.satellite_id.casefold(),
                satellite.name.casefold(),
                str(satellite.norad_id),
            }:
                return satellite
        known = ", ".join(item.satellite_id for item in self.scenario.satellites)
        raise UnknownName(f"satellite {name!r} is not known; known: {known}")

    def stations(self, names: Sequence[str] | None = None) -> list[Station]:
        """The stations of those ids or names, all without names. Raises UnknownName."""
        if names is None:
            return list(self.scenario.stations)
        return [self._station(name) for name in names]

    def _station(self, name: str) -> Station:
        for station in self.scenario.stations:
            if name.casefold() in {station.station_id.casefold(), station.name.casefold()}:
                return station
        known = ", ".join(item.station_id for item in self.scenario.stations)
        raise UnknownName(f"station {name!r} is not known; known: {known}")

    def check_scenario(self, reader: Reader) -> None:
        """Raise LedgerMismatch if the ledger belongs to a run of another scenario."""
        if self._is_bound:  # once for all
            return
        from scheduler.ledger.books.runs import get_run_facts

        facts = get_run_facts(reader)
        bound = facts.get("scenario", self.scenario.name)
        if bound != self.scenario.name:
            raise LedgerMismatch(
                f"this ledger belongs to scenario {bound!r}, asked for was"
                f" {self.scenario.name!r}; give --scenario {bound}, or another database"
            )
        self._is_bound = "scenario" in facts

    def refuse_other_scenario(self) -> None:
        """Raise LedgerMismatch if there is a ledger and it belongs to another scenario."""
        with suppress(LedgerMissing), self.view.read() as reader:
            self.check_scenario(reader)

    def close(self) -> None:
        """Close the ledger if it was opened."""
        for opened in (self._ledger, self._view):
            if opened is not None:
                opened.close()
        self._ledger = self._view = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()
