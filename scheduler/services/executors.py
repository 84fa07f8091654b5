"""Who carries out a session: a device over ETSI GS QKD 014, or somebody who leaves files.

The simulator is the other one, in `sessions`. An executor says how a session went; it never
guesses. What it has is settled, station trouble without key fails the session, and what is not
there yet is asked for again, as often as a job is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from scheduler.domain import Booking, NewBlock, Pool, pair_name
from scheduler.errors import FeedError, InputError, SettingsError, StationTrouble
from scheduler.fibre import buffer_bits
from scheduler.ledger.keys.stock import get_stock
from scheduler.network import pairs_of, pool_of
from scheduler.sources.device import DeviceEnd, pull, stored
from scheduler.sources.filedrop import MANIFESTS, read_drop

if TYPE_CHECKING:
    from scheduler.domain import Candidate
    from scheduler.services.context import Context
    from scheduler.settings import DeviceKme, ExecutorSetting

TROUBLE = "trouble.txt"
"""A file beside the manifest, or in its place: what went wrong at the station, in words."""
TROUBLE_MAX = 200
PULLS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One block of key that a session gave, at both ends."""

    block: NewBlock
    material_a: bytes = field(repr=False)
    material_b: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a session gave, and what went wrong besides; no key is a result too."""

    received: tuple[Received, ...] = ()
    trouble: str = ""


class Executor(Protocol):
    """Carries out sessions."""

    def prepare(self, context: Context, booking: Booking) -> None:
        """Get ready at AOS. Raises StationTrouble if there can be none, FeedError to retry."""

    def outcome(self, context: Context, booking: Booking) -> Outcome:
        """How it went, asked from LOS on.

        Raises FeedError if that is not known yet, StationTrouble if there was no key.
        """


def executor_of(context: Context, candidate: Candidate) -> Executor | None:
    """Who carries out the sessions of a downlink; None is the simulator."""
    named = context.settings.executors
    found = named.get(f"{candidate.satellite_id}/{candidate.station_id}")
    return _built(found or named.get(candidate.station_id))


def _built(setting: ExecutorSetting | None) -> Executor | None:
    match setting:
        case None:
            return None
        case _ if setting.kind == "device":
            assert setting.a is not None
            assert setting.b is not None
            return Device(_end(setting.a), _end(setting.b))
        case _ if setting.kind == "file-drop":
            assert setting.folder is not None
            return FileDrop(setting.folder)
    return None


def _end(kme: DeviceKme) -> DeviceEnd:
    return DeviceEnd(url=kme.url, sae_id=kme.sae, cert=kme.certificate, key=kme.key, ca=kme.ca)


def check_executors(context: Context) -> None:
    """Raise SettingsError for an executor of a downlink that the scenario does not have."""
    stations = [one.station_id for one in context.scenario.stations]
    known = stations + [
        f"{satellite.satellite_id}/{station}"
        for satellite in context.scenario.satellites
        for station in stations
    ]
    known += [
        f"{satellite.satellite_id}/{pair_name(one.station_id, other.station_id)}"
        for satellite in context.scenario.satellites
        for one, other in pairs_of(satellite, context.scenario.stations)
    ]
    for name in context.settings.executors:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"; probably meant: {near[0]}" if near else ""
            raise SettingsError(
                f"setting executors: no downlink {name!r}{meant}; allowed: {', '.join(stations)},"
                " or SATELLITE/STATION"
            )


def _pool(context: Context, candidate: Candidate) -> Pool:
    return pool_of(context.scenario, candidate.satellite_id, candidate.station_id)


@dataclass(frozen=True, slots=True)
class Device:
    """The link's own key managers, asked for all the key that they hold once the session is over.

    Each gives a key once. What one end gave and the other did not is nobody's; what was collected
    whole before a failure is settled.
    """

    a: DeviceEnd
    b: DeviceEnd

    def prepare(self, context: Context, booking: Booking) -> None:
        """See that both ends answer. Raises FeedError if one does not."""
        stored(self.a, self.b)
        stored(self.b, self.a)

    def outcome(self, context: Context, booking: Booking) -> Outcome:
        """Collect what is there, as far as the link's buffers have room."""
        pool = _pool(context, booking.candidate)
        with context.ledger.view.read() as reader:
            held = get_stock(reader, at=context.clock.now()).get(pool.pool_id, 0)
        link = context.scenario.link(pool.pool_id)
        room = buffer_bits(link, context.scenario.schedule) - held
        found: list[Received] = []
        try:
            for _ in range(PULLS_MAX):
                count, size = stored(self.a, self.b)
                number = min(count, room // size if size else 0)
                if number < 1:
                    break
                pulled = pull(self.a, self.b, number=number, size_bits=size)
                room -= pulled.length_bits
                natural_key = f"device/{pool.pool_id}/{pulled.key_ids[0]}"
                block = NewBlock(
                    block_id=context.entropy.uuid("block", natural_key),
                    pool=pool,
                    natural_key=natural_key,
                    length_bits=pulled.length_bits,
                    source="device",
                    simulated=False,
                )
                found.append(
                    Received(
                        block=block, material_a=pulled.material_a, material_b=pulled.material_b
                    )
                )
        except (FeedError, InputError) as error:
            if not found:
                raise FeedError(str(error)) from None
            return Outcome(received=tuple(found), trouble=str(error))
        if not found:
            raise FeedError(f"the device of {pool.pool_id} holds no key of the session yet")
        return Outcome(received=tuple(found))


@dataclass(frozen=True, slots=True)
class FileDrop:
    """A folder in which somebody leaves a session's key, in a folder of its booking's id."""

    folder: Path

    def prepare(self, context: Context, booking: Booking) -> None:
        """Raise StationTrouble if the station says before the session that there will be none."""
        place = self._place(booking.booking_id)
        if self._manifest(place) is None and (words := self._trouble(place)):
            raise StationTrouble(words)

    def outcome(self, context: Context, booking: Booking) -> Outcome:
        """Read what was left; a manifest is written last, after the files that it names."""
        place, pool = self._place(booking.booking_id), _pool(context, booking.candidate)
        trouble = self._trouble(place)
        if self._manifest(place) is None:
            if trouble:
                raise StationTrouble(trouble)
            raise FeedError(f"{place.name} has no manifest yet")
        try:
            dropped = read_drop(place)
        except InputError as error:
            # Somebody may still be writing it, or mend it: it is read again.
            raise FeedError(str(error)) from None
        if strange := next((one for one in dropped if one.pool != pool), None):
            raise StationTrouble(f"key of {strange.pool.pool_id} was left for {pool.pool_id}")
        return Outcome(
            received=tuple(
                Received(
                    block=NewBlock(
                        block_id=context.entropy.uuid("block", one.natural_key),
                        pool=pool,
                        natural_key=one.natural_key,
                        length_bits=one.length_bits,
                        source=one.source,
                        simulated=one.simulated,
                        eps_total=one.eps_total,
                    ),
                    material_a=one.material_a,
                    material_b=one.material_b,
                )
                for one in dropped
            ),
            trouble=trouble,
        )

    def _place(self, booking_id: UUID) -> Path:
        return self.folder / str(booking_id)

    def _manifest(self, place: Path) -> Path | None:
        return next((place / name for name in MANIFESTS if (place / name).is_file()), None)

    def _trouble(self, place: Path) -> str:
        """What the station says went wrong, in one printable line; nothing without a report."""
        try:
            text = (place / TROUBLE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        line = "".join(char for char in " ".join(text.split()) if char.isprintable())
        return line[:TROUBLE_MAX] or "the station reports trouble"
