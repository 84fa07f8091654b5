"""One element set of one satellite, as SGP4 reads it."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sgp4.api import WGS72, Satrec

from orbits.errors import ElementsError
from orbits.times import DAY_S, as_utc, julian_pair

NORAD_ID_MAX = 999_999_999  # nine digits, CCSDS 502.0-B-3, NORAD_CAT_ID
_SGP4_NUMBER_MAX = 339_999  # the sgp4 package refuses more; the number has no meaning to SGP4
_EARTH_RADIUS_KM = 6378.135  # WGS72, as inside SGP4
_EARTH_MU_KM3_S2 = 398600.8  # WGS72, as inside SGP4
_SGP4_EPOCH_JD = 2433281.5  # 1949-12-31 0 h, from where SGP4 counts its epochs
_XP_EPHEMERIS_TYPE = 4
_MEAN_MOTION_MAX = 17.05  # of a circle at the equator's radius; above it there is no orbit
# The first satellite flew in 1957, and a TLE's two digits of the year end in 2056.
_FIRST_EPOCH, _LAST_EPOCH = datetime(1957, 1, 1, tzinfo=UTC), datetime(2057, 1, 1, tzinfo=UTC)
# Control characters, line separators, halves of characters, and what XML cannot hold.
_NOT_IN_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def _check_text(name: str, text: str) -> None:
    """Raise ElementsError for a character that some format of element sets cannot hold."""
    # Almost every text there is, in a third of the time.
    if text.isascii() and text.isprintable():
        return
    if found := _NOT_IN_TEXT.search(text):
        raise ElementsError(
            f"{name} {text[:40]!r} holds U+{ord(found[0]):04X}, not a printable character"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """One mean element set in the sense of SGP4, and where it came from.

    Angles are degrees, mean motion revolutions a day and its two derivatives as printed
    in a TLE (halved and divided by six). The text it was read from, its source and the
    instant it arrived are kept, but two sets are equal if they say the same.

    Raises ElementsError naming the value that is out of range.
    """

    norad_id: int
    name: str = ""
    epoch: datetime
    mean_motion_rev_per_day: float
    eccentricity: float
    inclination_deg: float
    raan_deg: float
    argument_of_perigee_deg: float
    mean_anomaly_deg: float
    bstar: float = 0.0
    mean_motion_dot: float = 0.0
    mean_motion_ddot: float = 0.0
    international_designator: str = ""  #: as in OMM: 2016-051A
    classification: str = "U"
    ephemeris_type: int = 0
    element_set_number: int = 0
    revolution_at_epoch: int = 0
    raw: str = field(default="", compare=False, repr=False)
    source: str = field(default="", compare=False)
    arrived_at: datetime | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "epoch", as_utc(self.epoch))
        if self.arrived_at is not None:
            object.__setattr__(self, "arrived_at", as_utc(self.arrived_at))
        if not _FIRST_EPOCH <= self.epoch < _LAST_EPOCH:
            raise ElementsError(
                f"satellite {self.norad_id}: epoch {self.epoch:%Y-%m-%d}, not 1957 to 2056"
            )
        for name in ("name", "international_designator", "classification"):
            _check_text(name, getattr(self, name))
        if not 0 <= self.norad_id <= NORAD_ID_MAX:
            raise ElementsError(f"catalogue number {self.norad_id}, not 0 to {NORAD_ID_MAX}")
        if self.ephemeris_type == _XP_EPHEMERIS_TYPE:
            raise ElementsError(
                f"satellite {self.norad_id}: ephemeris type 4 (SGP4-XP) needs another "
                f"propagator, allowed are SGP4 sets"
            )
        self._check_ranges()

    def _check_ranges(self) -> None:
        ranges = (
            ("mean_motion_rev_per_day", 1e-6, _MEAN_MOTION_MAX),
            ("eccentricity", 0.0, 0.999999999),
            ("inclination_deg", 0.0, 180.0),
            ("raan_deg", -360.0, 360.0),
            ("argument_of_perigee_deg", -360.0, 360.0),
            ("mean_anomaly_deg", -360.0, 360.0),
            ("bstar", -1e4, 1e4),
            ("mean_motion_dot", -1e4, 1e4),
            ("mean_motion_ddot", -1e4, 1e4),
        )
        for name, low, high in ranges:
            value = getattr(self, name)
            # A comparison with NaN is false, so this refuses NaN as well.
            if not low <= value <= high:
                raise ElementsError(
                    f"satellite {self.norad_id}: {name} {value}, not {low:g} to {high:g}"
                )

    @property
    def sha256(self) -> str:
        """SHA-256 of the text that this set was read from, in hexadecimal."""
        return hashlib.sha256(self.raw.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def label(self) -> str:
        """The name, or the catalogue number where there is none."""
        return self.name or str(self.norad_id)

    @property
    def period_s(self) -> float:
        """Orbital period in seconds."""
        return DAY_S / self.mean_motion_rev_per_day

    @property
    def semi_major_axis_km(self) -> float:
        """Semi-major axis of the mean motion as printed, km."""
        rate_rad_s = 2.0 * math.pi / self.period_s
        return float((_EARTH_MU_KM3_S2 / rate_rad_s**2) ** (1.0 / 3.0))

    @property
    def perigee_height_km(self) -> float:
        """Height of the mean perigee above a sphere of the equatorial radius, km."""
        return self.semi_major_axis_km * (1.0 - self.eccentricity) - _EARTH_RADIUS_KM

    @property
    def apogee_height_km(self) -> float:
        """Height of the mean apogee above a sphere of the equatorial radius, km."""
        return self.semi_major_axis_km * (1.0 + self.eccentricity) - _EARTH_RADIUS_KM

    def age(self, t: datetime) -> timedelta:
        """Return how long after the epoch an instant is; negative before it."""
        return as_utc(t) - self.epoch

    def epoch_jd(self) -> tuple[float, float]:
        """Return the epoch as a split UTC Julian date.

        A TLE prints the day to eight digits. A microsecond datetime within half of its
        last digit of such a value is taken to be that value, so that a set read from a
        TLE propagates as `Satrec.twoline2rv` does, to the last bit.
        """
        jd, fraction = julian_pair(self.epoch)
        printed = round(fraction, 8)
        if abs(printed - fraction) * DAY_S <= 0.51e-6:
            fraction = printed
        return jd, fraction

    def satrec(self) -> Satrec:
        """Return a new SGP4 record of this set (WGS72 constants, improved mode).

        The catalogue number is left out of it: SGP4 does not use it, and the package
        refuses numbers above 339,999.
        """
        jd, fraction = self.epoch_jd()
        rad = math.pi / 180.0
        per_minute = 1440.0 / (2.0 * math.pi)
        record = Satrec()
        record.sgp4init(
            WGS72,
            "i",
            self.norad_id if self.norad_id <= _SGP4_NUMBER_MAX else 0,
            jd + fraction - _SGP4_EPOCH_JD,
            self.bstar,
            self.mean_motion_dot / (per_minute * 1440.0),
            self.mean_motion_ddot / (per_minute * 1440.0 * 1440.0),
            self.eccentricity,
            self.argument_of_perigee_deg * rad,
            self.inclination_deg * rad,
            self.mean_anomaly_deg * rad,
            self.mean_motion_rev_per_day / per_minute,
            self.raan_deg * rad,
        )
        # sgp4init keeps the epoch in one float64; the split pair is exact.
        record.jdsatepoch, record.jdsatepochF = jd, fraction
        return record
