"""What a pass search returns: columns of passes, and what there is to say of each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from math import isnan, nan
from typing import TYPE_CHECKING

import numpy as np

from orbits.earth import SHIPPED, EarthTime
from orbits.elements import Elements
from orbits.errors import PassTimesError, SearchError
from orbits.passes.assemble import Block, concatenate
from orbits.passes.lighting import PassLight, light_at
from orbits.station import GroundStation
from orbits.times import as_utc, datetime_at, iso_utc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]


class Visibility(StrEnum):
    """Whether a satellite rises and sets for a station within a window."""

    PASSES = "passes"
    ALWAYS_UP = "always up"  #: throughout the window and a day before and after
    NEVER_UP = "never up"  #: at no instant of the window


@dataclass(frozen=True, slots=True, kw_only=True)
class SatellitePass:
    """One arc of a satellite above a station's elevation mask, inside a window.

    Geometry only: whether it is dark, clear or booked is decided elsewhere.
    """

    norad_id: int
    satellite: str  #: its name, or its number where it has none
    station_id: str
    rises_at: datetime  #: elevation crosses the mask upwards, or the window's start
    culminates_at: datetime  #: highest elevation (not closest approach), UTC
    sets_at: datetime  #: elevation crosses the mask downwards, or the window's end
    tca_at: datetime  #: closest approach, least range
    max_elevation_deg: float
    range_km_min: float
    rise_azimuth_deg: float
    culmination_azimuth_deg: float
    set_azimuth_deg: float
    epoch: datetime  #: of the element set that it was computed from
    culminations: int = 1  #: highest points above the mask; 0 if cut short of one
    cut_at_start: bool = False
    cut_at_end: bool = False
    time_sigma_s: float | None = None  #: one sigma of the times, None if not known

    def __post_init__(self) -> None:
        for name in ("rises_at", "culminates_at", "sets_at", "tca_at", "epoch"):
            value = getattr(self, name)
            if (utc := as_utc(value)) is not value:
                object.__setattr__(self, name, utc)
        if not self.rises_at <= self.culminates_at <= self.sets_at:
            raise PassTimesError(f"need rise <= culmination <= set, got {self}")
        if not self.rises_at <= self.tca_at <= self.sets_at:
            raise PassTimesError(f"need rise <= closest approach <= set, got {self}")

    @property
    def duration_s(self) -> float:
        """Seconds from rise to set."""
        return (self.sets_at - self.rises_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A part of the window in which an element set gives no position worth using."""

    norad_id: int
    satellite: str
    start: datetime
    end: datetime
    reason: str


_COLUMNS = (
    "satellite_index", "station_index", "rise_offset_s", "culmination_offset_s", "set_offset_s",
    "tca_offset_s", "max_elevation_deg", "range_km_min", "rise_azimuth_deg",
    "culmination_azimuth_deg", "set_azimuth_deg", "culminations", "cut_at_start", "cut_at_end",
)  # fmt: skip


class PassTable:
    """The passes of satellites over stations in a window, in order of rising.

    A sequence of columns, numpy arrays of one length; rows are made when asked for. The
    order among passes that rise at the same instant is that of satellites, then stations.

    Attributes
    ----------
    elements, stations : what was searched, in the order given
    start, end : the window, half-open
    unusable : where an element set gave no position, and why (decayed, absurd)
    always_up : pairs of indices (satellite, station) that have no pass for this reason
    batch : indices of the satellites that this table is about
    block : the columns as found, in no particular order
    """

    def __init__(
        self,
        block: Block,
        *,
        elements: tuple[Elements, ...],
        stations: tuple[GroundStation, ...],
        start: datetime,
        end: datetime,
        always_up: frozenset[tuple[int, int]],
        batch: tuple[int, ...] | None = None,
        unusable: tuple[Unusable, ...] = (),
        time_sigma_s: FloatArray | None = None,
        earth: EarthTime = SHIPPED,
    ) -> None:
        self.block = block
        self.always_up = always_up
        self.batch = tuple(range(len(elements))) if batch is None else batch
        self._sigma = time_sigma_s
        self.elements = elements
        self.stations = stations
        self.start = start
        self.end = end
        self.unusable = unusable
        self.earth = earth

    def __len__(self) -> int:
        return len(self.block)

    def __iter__(self) -> Iterator[SatellitePass]:
        return self._rows(slice(None))

    def __getitem__(self, row: int) -> SatellitePass:
        if not -len(self) <= row < len(self):
            raise IndexError(f"pass {row}, not {-len(self)} to {len(self) - 1}")
        return next(self._rows(slice(row % len(self), row % len(self) + 1)))

    def _rows(self, part: slice) -> Iterator[SatellitePass]:
        columns = [getattr(self, name)[part].tolist() for name in _COLUMNS]
        sigmas_s = None if self.time_sigma_s is None else self.time_sigma_s[part].tolist()
        for row, values in enumerate(zip(*columns, strict=True)):
            satellite, station, rise_s, culmination_s, set_s, tca_s, *rest = values
            elevation_deg, range_km, rise_deg, culmination_deg, set_deg, *counts = rest
            culminations, cut_at_start, cut_at_end = counts
            elements = self.elements[satellite]
            sigma_s = nan if sigmas_s is None else sigmas_s[row]
            yield SatellitePass(
                norad_id=elements.norad_id,
                satellite=elements.label,
                station_id=self.stations[station].station_id,
                rises_at=datetime_at(self.start, rise_s),
                culminates_at=datetime_at(self.start, culmination_s),
                sets_at=datetime_at(self.start, set_s),
                tca_at=datetime_at(self.start, tca_s),
                max_elevation_deg=elevation_deg,
                range_km_min=range_km,
                rise_azimuth_deg=rise_deg,
                culmination_azimuth_deg=culmination_deg,
                set_azimuth_deg=set_deg,
                epoch=elements.epoch,
                culminations=culminations,
                cut_at_start=cut_at_start,
                cut_at_end=cut_at_end,
                time_sigma_s=None if isnan(sigma_s) else sigma_s,
            )

    @cached_property
    def _order(self) -> IntArray:
        block = self.block
        order = np.argsort(block.rise_s)
        rise_s = block.rise_s[order]
        tied = np.flatnonzero(rise_s[1:] == rise_s[:-1])
        if not tied.size:
            return order
        # Sorting all by three columns takes twice as long, and few rise at one instant.
        which = np.union1d(tied, tied + 1)
        some = order[which]
        order[which] = some[np.lexsort((block.station[some], block.satellite[some], rise_s[which]))]
        return order

    @cached_property
    def satellite_index(self) -> IntArray:
        """Which of `elements`, shape (P,)."""
        return self.block.satellite[self._order]

    @cached_property
    def station_index(self) -> IntArray:
        """Which of `stations`, shape (P,)."""
        return self.block.station[self._order]

    @cached_property
    def norad_id(self) -> NDArray[np.int64]:
        """Catalogue numbers, shape (P,)."""
        numbers = np.array([e.norad_id for e in self.elements], dtype=np.int64)
        return numbers[self.satellite_index]

    @cached_property
    def station_id(self) -> NDArray[np.str_]:
        """Station identities, shape (P,)."""
        return np.array([s.station_id for s in self.stations], dtype=np.str_)[self.station_index]

    @cached_property
    def rise_offset_s(self) -> FloatArray:
        """Rise, or the window's start where cut; seconds after `start`, shape (P,)."""
        return self.block.rise_s[self._order]

    @cached_property
    def culmination_offset_s(self) -> FloatArray:
        """Highest elevation; seconds after `start`, shape (P,)."""
        return self.block.culmination_s[self._order]

    @cached_property
    def set_offset_s(self) -> FloatArray:
        """Set, or the window's end where cut; seconds after `start`, shape (P,)."""
        return self.block.set_s[self._order]

    @cached_property
    def tca_offset_s(self) -> FloatArray:
        """Closest approach; seconds after `start`, shape (P,)."""
        return self.block.approach_s[self._order]

    @cached_property
    def max_elevation_deg(self) -> FloatArray:
        """Elevation at the culmination, degrees, shape (P,)."""
        return self.block.elevation_deg[self._order]

    @cached_property
    def range_km_min(self) -> FloatArray:
        """Range at the closest approach, km, shape (P,)."""
        return self.block.range_km[self._order]

    @cached_property
    def rise_azimuth_deg(self) -> FloatArray:
        """Azimuth at the rise, clockwise from north, 0 to 360, shape (P,)."""
        return self.block.rise_azimuth_deg[self._order]

    @cached_property
    def culmination_azimuth_deg(self) -> FloatArray:
        """Azimuth at the culmination, degrees, shape (P,)."""
        return self.block.culmination_azimuth_deg[self._order]

    @cached_property
    def set_azimuth_deg(self) -> FloatArray:
        """Azimuth at the set, degrees, shape (P,)."""
        return self.block.set_azimuth_deg[self._order]

    @cached_property
    def culminations(self) -> IntArray:
        """Number of highest points above the mask, shape (P,)."""
        return self.block.culminations[self._order]

    @cached_property
    def cut_at_start(self) -> BoolArray:
        """Whether the pass had begun before the window or the usable part, shape (P,)."""
        return self.block.open_start[self._order]

    @cached_property
    def cut_at_end(self) -> BoolArray:
        """Whether the pass goes on after the window or the usable part, shape (P,)."""
        return self.block.open_end[self._order]

    @cached_property
    def time_sigma_s(self) -> FloatArray | None:
        """One sigma of the times, seconds, shape (P,), NaN or None where it is not known."""
        return None if self._sigma is None else self._sigma[self._order]

    def _instants(self, offset_s: FloatArray) -> NDArray[np.datetime64]:
        start = np.datetime64(self.start.replace(tzinfo=None), "us")
        return start + np.rint(offset_s * 1e6).astype("timedelta64[us]")

    @property
    def rises_at(self) -> NDArray[np.datetime64]:
        """UTC instants of `rise_offset_s`, shape (P,)."""
        return self._instants(self.rise_offset_s)

    @property
    def culminates_at(self) -> NDArray[np.datetime64]:
        """UTC instants of `culmination_offset_s`, shape (P,)."""
        return self._instants(self.culmination_offset_s)

    @property
    def sets_at(self) -> NDArray[np.datetime64]:
        """UTC instants of `set_offset_s`, shape (P,)."""
        return self._instants(self.set_offset_s)

    @property
    def tca_at(self) -> NDArray[np.datetime64]:
        """UTC instants of `tca_offset_s`, shape (P,)."""
        return self._instants(self.tca_offset_s)

    def visibility(self, satellite_index: int = 0, station_index: int = 0) -> Visibility:
        """Return whether a pair has passes, is always up, or never."""
        if (satellite_index, station_index) in self.always_up:
            return Visibility.ALWAYS_UP
        block = self.block
        found = (block.satellite == satellite_index) & (block.station == station_index)
        return Visibility.PASSES if found.any() else Visibility.NEVER_UP

    def visibilities(self) -> dict[tuple[int, str], Visibility]:
        """Return what there is to say of every pair of catalogue number and station.

        A satellite of several element sets is always up if it is so by each of them.
        """
        counts = np.zeros((len(self.elements), len(self.stations)), dtype=np.intp)
        np.add.at(counts, (self.block.satellite, self.block.station), 1)
        said: dict[tuple[int, str], set[Visibility]] = {}
        for i in self.batch:
            for j, station in enumerate(self.stations):
                one = Visibility.PASSES if counts[i, j] else Visibility.NEVER_UP
                one = Visibility.ALWAYS_UP if (i, j) in self.always_up else one
                said.setdefault((self.elements[i].norad_id, station.station_id), set()).add(one)
        return {
            pair: next(iter(all_)) if len(all_) == 1 else Visibility.PASSES
            for pair, all_ in said.items()
        }

    @classmethod
    def merge(cls, tables: Sequence[PassTable]) -> PassTable:
        """Return the tables of one search, at least one, as one table."""
        first = tables[0]
        if len(tables) == 1:
            return first
        return cls(
            concatenate([table.block for table in tables]),
            elements=first.elements,
            stations=first.stations,
            start=first.start,
            end=first.end,
            always_up=frozenset().union(*(table.always_up for table in tables)),
            batch=tuple(sorted(index for table in tables for index in table.batch)),
            unusable=tuple(gap for table in tables for gap in table.unusable),
            earth=first.earth,
        )

    @cached_property
    def light(self) -> PassLight:
        """Sun, Moon and shadow at each culmination."""
        return light_at(
            self.start,
            self.culmination_offset_s,
            elements=self.elements,
            satellite=self.satellite_index,
            stations=self.stations,
            station=self.station_index,
            earth=self.earth,
        )

    def at_night(self, sun_below_deg: float = -6.0) -> PassTable:
        """Return the passes at whose culmination the Sun is below an elevation."""
        return self.where(self.light.sun_elevation_deg < sun_below_deg)

    def where(self, keep: BoolArray) -> PassTable:
        """Return the passes for which a mask of shape (P,), in this table's order, is true.

        Raises SearchError if the mask has another shape.
        """
        keep = np.asarray(keep, dtype=bool)
        if keep.shape != (len(self),):
            raise SearchError(f"mask of shape {keep.shape}, not ({len(self)},)")
        index = self._order[keep]
        return PassTable(
            self.block.take(index),
            elements=self.elements,
            stations=self.stations,
            start=self.start,
            end=self.end,
            always_up=self.always_up,
            batch=self.batch,
            unusable=self.unusable,
            time_sigma_s=None if self._sigma is None else self._sigma[index],
            earth=self.earth,
        )

    def with_sigma(self, time_sigma_s: FloatArray | None) -> PassTable:
        """Return the same passes with one sigma of their times, shape (P,), in this order."""
        found = self.where(np.ones(len(self), dtype=bool))
        found._sigma = time_sigma_s
        return found

    def to_dicts(self) -> list[dict[str, str | int | float | bool | None]]:
        """Return the passes as plain values, instants as ISO 8601 text that ends in Z."""
        return [_plain(row) for row in self]


def _plain(row: SatellitePass) -> dict[str, str | int | float | bool | None]:
    values = {name: getattr(row, name) for name in SatellitePass.__slots__}
    return {k: iso_utc(v) if isinstance(v, datetime) else v for k, v in values.items()}
