"""What stands around a station: the elevation below which it sees nothing, by azimuth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.errors import StationError
from orbits.refraction import true_elevation_deg

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

MASK_DEG_MIN, MASK_DEG_MAX = -10.0, 89.9
_CORNERS_MAX = 4000  # one each 0.1 deg, and steps
# Between these apparent elevations refraction is straight to 1e-3 deg.
_BENDS_DEG = (
    -0.35, 0.15, 0.4, 0.65, 0.9, 1.15, 1.45, 1.75, 2.1, 2.5, 2.95, 3.5, 4.1, 4.85, 5.75, 6.8, 8.1,
    9.75, 11.9, 14.7, 18.5, 23.9, 31.9, 44.65, 67.75,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A straight part of a horizon, degrees: it begins at an azimuth and runs clockwise."""

    azimuth_deg: float
    width_deg: float
    elevation_deg: float
    end_elevation_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonMask:
    """The elevation below which a station sees nothing, by azimuth.

    Parameters
    ----------
    azimuth_deg : azimuths of the corners, ascending, 0 to below 360, clockwise from north;
        one that is given twice is a vertical step
    elevation_deg : elevation at each corner, -10 to 89.9, true (`seen_through_air` takes
        apparent ones); straight lines in between, going round through north
    """

    azimuth_deg: tuple[float, ...]
    elevation_deg: tuple[float, ...]

    def __post_init__(self) -> None:
        azimuths, elevations = self.azimuth_deg, self.elevation_deg
        if not azimuths or len(azimuths) != len(elevations):
            raise StationError(
                f"a horizon needs as many azimuths as elevations and at least one, "
                f"got {len(azimuths)} and {len(elevations)}"
            )
        if len(azimuths) > _CORNERS_MAX:
            raise StationError(f"a horizon of {len(azimuths)} corners, not 1 to {_CORNERS_MAX}")
        for azimuth in azimuths:
            if not 0.0 <= azimuth < 360.0:
                raise StationError(f"horizon azimuth {azimuth} deg, not 0 to below 360")
        for before, after in pairwise(azimuths):
            if after < before:
                raise StationError(
                    f"horizon azimuths must ascend, got {after:g} deg after {before:g}"
                )
        for first, third in zip(azimuths, azimuths[2:], strict=False):
            if first == third:
                raise StationError(f"horizon azimuth {first:g} deg is there more than twice")
        for elevation in elevations:
            check_mask_deg(elevation)

    @property
    def is_constant(self) -> bool:
        """Whether the horizon is the same all round."""
        return self.elevation_deg_min == self.elevation_deg_max

    @property
    def elevation_deg_min(self) -> float:
        """The lowest elevation of the horizon."""
        return min(self.elevation_deg)

    @property
    def elevation_deg_max(self) -> float:
        """The highest elevation of the horizon."""
        return max(self.elevation_deg)

    def pieces(self) -> Iterator[Piece]:
        """Yield the straight parts clockwise from the first corner; a step has none."""
        azimuths, elevations = self.azimuth_deg, self.elevation_deg
        ends = [*azimuths[1:], azimuths[0] + 360.0], [*elevations[1:], elevations[0]]
        for azimuth, elevation, end, end_elevation in zip(azimuths, elevations, *ends, strict=True):
            if end > azimuth:
                yield Piece(azimuth, end - azimuth, elevation, end_elevation)

    def at(self, azimuth_deg: ArrayLike) -> FloatArray:
        """Return the horizon's elevation in degrees at azimuths in degrees.

        At a step it is the elevation clockwise of it.
        """
        azimuth = np.asarray(azimuth_deg, dtype=np.float64) % 360.0
        if self.is_constant:
            return np.full(azimuth.shape, self.elevation_deg[0])
        rows = np.array(
            [(p.azimuth_deg, p.width_deg, p.elevation_deg, p.end_elevation_deg)
             for p in self.pieces()]
        )  # fmt: skip
        begins, widths, lows, highs = rows.T
        # Before the first corner it is the last piece that comes round: index -1.
        which = np.searchsorted(begins, azimuth, side="right") - 1
        part = (azimuth - begins[which]) % 360.0 / widths[which]
        at: FloatArray = lows[which] + np.minimum(part, 1.0) * (highs[which] - lows[which])
        return at

    def at_least(self, elevation_deg: float) -> HorizonMask:
        """Return the same horizon, raised to an elevation where it is lower."""
        low = check_mask_deg(elevation_deg)
        return _joined(part for piece in self.pieces() for part in _raised(piece, low))

    def seen_through_air(self) -> HorizonMask:
        """Return the true horizon where this one was measured, as by a theodolite or camera.

        The air raises what is seen (`refraction.refraction_deg`), the skyline as well as a
        satellite above it. Corners are added where the straight lines would be off.
        """
        return _joined(part for piece in self.pieces() for part in _lowered(piece))


def _raised(piece: Piece, low: float) -> Iterator[Piece]:
    begin, end = piece.elevation_deg, piece.end_elevation_deg
    if (begin - low) * (end - low) >= 0.0:
        yield Piece(piece.azimuth_deg, piece.width_deg, max(begin, low), max(end, low))
        return
    width = piece.width_deg * (low - begin) / (end - begin)
    yield Piece(piece.azimuth_deg, width, max(begin, low), low)
    yield Piece(piece.azimuth_deg + width, piece.width_deg - width, low, max(end, low))


def _lowered(piece: Piece) -> Iterator[Piece]:
    low, high = piece.elevation_deg, piece.end_elevation_deg
    bends = np.array([bend for bend in _BENDS_DEG if min(low, high) < bend < max(low, high)])
    seen = np.concatenate([[low], bends if low < high else bends[::-1], [high]])
    true = np.maximum(true_elevation_deg(seen), MASK_DEG_MIN)
    parts = (seen - low) / (high - low) if low != high else np.array([0.0, 1.0])
    for k in range(len(seen) - 1):
        begin = piece.azimuth_deg + float(parts[k]) * piece.width_deg
        width = float(parts[k + 1] - parts[k]) * piece.width_deg
        yield Piece(begin, width, float(true[k]), float(true[k + 1]))


def _joined(pieces: Iterable[Piece]) -> HorizonMask:
    """Return the horizon of pieces that go round once."""
    # One that rounding leaves without a width would be a corner too many.
    every = [piece for piece in pieces if piece.azimuth_deg + piece.width_deg > piece.azimuth_deg]
    corners: list[tuple[float, float]] = []
    for before, piece in zip([every[-1], *every[:-1]], every, strict=True):
        azimuth = piece.azimuth_deg % 360.0
        if before.end_elevation_deg != piece.elevation_deg:
            corners.append((azimuth, before.end_elevation_deg))
        corners.append((azimuth, piece.elevation_deg))
    # Those past north come first; the order of a step stays.
    corners.sort(key=lambda corner: corner[0])
    return HorizonMask(
        azimuth_deg=tuple(azimuth for azimuth, _ in corners),
        elevation_deg=tuple(elevation for _, elevation in corners),
    )


def check_mask_deg(value: float) -> float:
    """Return an elevation mask in degrees; raise StationError outside -10 to 89.9."""
    if not MASK_DEG_MIN <= value <= MASK_DEG_MAX:
        raise StationError(f"mask {value} deg, not {MASK_DEG_MIN} to {MASK_DEG_MAX}")
    return float(value)


MaskLike = float | HorizonMask | Sequence[tuple[float, float]]


def as_mask(mask: MaskLike) -> HorizonMask:
    """Return a horizon from one elevation, a horizon, or (azimuth, elevation) pairs.

    Of pairs the last azimuth may be 360, which is north once more.
    """
    if isinstance(mask, HorizonMask):
        return mask
    if isinstance(mask, int | float | np.number):
        return HorizonMask(azimuth_deg=(0.0,), elevation_deg=(check_mask_deg(float(mask)),))
    pairs = [(float(azimuth), float(elevation)) for azimuth, elevation in mask]
    if pairs and pairs[-1][0] == 360.0:
        last = (0.0, pairs.pop()[1])
        if not pairs or pairs[0] != last:
            pairs.insert(0, last)
    return HorizonMask(
        azimuth_deg=tuple(azimuth for azimuth, _ in pairs),
        elevation_deg=tuple(elevation for _, elevation in pairs),
    )


def read_horizon(text: str) -> HorizonMask:
    """Return the horizon of a survey: a line a corner, azimuth and elevation in degrees.

    Takes commas, semicolons, tabs or blanks between columns, a line of column names (the
    first two columns count unless it names others), lines in any order, azimuths from -180
    to 360, and comments after '#'. Two lines of one azimuth are a step.

    Raises StationError naming the line.
    """
    corners: list[tuple[float, float]] = []
    columns = (0, 1)
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        separator = next((mark for mark in ";\t," if mark in line), None)
        cells = [cell.strip() for cell in line.split(separator)]
        if separator == ";":
            cells = [cell.replace(",", ".") for cell in cells]
        try:
            azimuth, elevation = (float(cells[column]) for column in columns)
        except (ValueError, IndexError):
            if corners or not any(letter.isalpha() for letter in line):
                raise StationError(
                    f"horizon, line {number}: {line[:40]!r}, expected azimuth and elevation in deg"
                ) from None
            columns = _columns(cells)
            continue
        if not -180.0 <= azimuth <= 360.0:
            raise StationError(f"horizon, line {number}: azimuth {azimuth} deg, not -180 to 360")
        corners.append((azimuth + 360.0 if azimuth < 0.0 else azimuth, elevation))
    return as_mask(sorted(corners, key=lambda corner: corner[0]))


def _columns(names: Sequence[str]) -> tuple[int, int]:
    """Return which columns hold azimuth and elevation, by their names."""
    found: list[int] = []
    for beginnings in (("az",), ("el", "alt", "hor")):
        named = [k for k, name in enumerate(names) if name.casefold().startswith(beginnings)]
        found.append(named[0] if named else len(found))
    return found[0], found[1]
