"""Every key of a scenario file: its kind, its limits, its default and what it means.

The parser, the checks of the value types and the reference page all read these tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scheduler.domain.demands import MAX_AGE_S_MAX
from scheduler.errors import ScenarioError
from scheduler.network.kinds import FIBRE_PRESETS, Announces, LinkKind, NodeKind, WeatherUse

REQUIRED: Any = object()
"""Default of a key that must be there."""

NO_LIMIT_BITS = 2**62
"""Stands for "as much as comes" where a number of bits is asked for."""

DAY_S = 86_400
SPAN_KM_MIN, SPAN_KM_MAX = 30.0, 90.0
"""Lengths allowed to the spans of a leg; a much longer one gives no key at all."""
DELAY_S_MAX = 31.0 * DAY_S
"""Longest delay of an announcement."""
SESSIONS_MAX = 1000
"""Most sessions that a limit for one satellite may name."""
PARALLEL_MAX = 64
SPANS_MAX = 1000


class Kind(StrEnum):
    """What may stand behind a key."""

    TEXT = "text"
    FLAG = "true or false"
    WHOLE = "whole number"
    NUMBER = "number"
    NUMBERS = "list of numbers"
    TEXTS = "list of texts"
    CHOICE = "one of"
    CHOICE_OR_SECONDS = "one of, or seconds"
    SOURCES = "table of texts"
    HORIZON = "list of [azimuth, elevation], or a file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a table."""

    name: str
    kind: Kind
    meaning: str
    default: Any = REQUIRED
    default_words: str = ""  #: of a default that is not a plain value
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What may stand there, as a refusal says it."""
        if self.words:
            more = ", or seconds after a session" if self.kind is Kind.CHOICE_OR_SECONDS else ""
            return ", ".join(self.words) + more
        words = {
            Kind.TEXT: "a string",
            Kind.WHOLE: "an integer",
            Kind.NUMBER: "a finite number",
            Kind.NUMBERS: "a list of finite numbers",
            Kind.TEXTS: "a list of strings",
            Kind.SOURCES: "a table of strings",
            Kind.HORIZON: "[azimuth_deg, elevation_deg] pairs, or the name of a file",
        }.get(self.kind, self.kind.value)
        return words if self.low is None else f"{words}, {self.range}"

    @property
    def range(self) -> str:
        """The limits of a number, in words; empty without limits."""
        return "" if self.low is None else f"{_shown(self.low)} to {_shown(self.high)}"

    def holds(self, value: float) -> bool:
        """Whether a number lies within the limits, if there are any."""
        return self.low is None or self.high is None or self.low <= value <= self.high


def _shown(limit: float | None) -> str:
    return "2^62" if limit == NO_LIMIT_BITS else f"{limit:,.12g}" if limit is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table of a scenario file, `[name]` or many `[[name]]`."""

    name: str  #: "" for the top of the file
    meaning: str
    keys: tuple[Key, ...]
    many: bool = True

    def key(self, name: str) -> Key:
        """Return the key of that name."""
        (found,) = (key for key in self.keys if key.name == name)
        return found


def check_limits(schema: TableSchema, where: str, fact: object) -> None:
    """Raise ScenarioError for the first field of a value type that is beyond its key's limits."""
    for key in schema.keys:
        value = getattr(fact, key.name, None)
        if isinstance(value, int | float) and not key.holds(value):
            raise ScenarioError(f"{where}{key.name} {value}; allowed: {key.range}")


def _text(name: str, meaning: str, default: Any = REQUIRED, words: str = "") -> Key:
    return Key(name=name, kind=Kind.TEXT, meaning=meaning, default=default, default_words=words)


def _number(
    name: str, meaning: str, low: float, high: float, default: Any = REQUIRED, words: str = ""
) -> Key:
    return Key(name=name, kind=Kind.NUMBER, meaning=meaning, default=default, low=low, high=high,
               default_words=words)  # fmt: skip


def _whole(
    name: str, meaning: str, low: int, high: int, default: Any = REQUIRED, words: str = ""
) -> Key:
    return Key(name=name, kind=Kind.WHOLE, meaning=meaning, default=default, low=low, high=high,
               default_words=words)  # fmt: skip


def _flag(name: str, meaning: str, default: Any = REQUIRED) -> Key:
    words = "" if default is REQUIRED else f"`{str(default).lower()}`"
    return Key(name=name, kind=Kind.FLAG, meaning=meaning, default=default, default_words=words)


def _choice(name: str, meaning: str, words: tuple[str, ...], default: Any = REQUIRED) -> Key:
    return Key(name=name, kind=Kind.CHOICE, meaning=meaning, words=words, default=default)


def _stated(name: str, meaning: str, low: float, high: float) -> Key:
    """A number of a terminal: what is left out stays that of `like`."""
    return _number(name, meaning, low, high, None, "that of `like`")


def _stated_row(name: str, meaning: str) -> Key:
    return Key(name=name, kind=Kind.NUMBERS, meaning=meaning, default=None,
               default_words="those of `like`")  # fmt: skip


_ID = _text("id", "Its name in every command: lower-case letters and digits, parts joined by `-`.")
_NAME = _text("name", "Its name for people.")
_LAT = _number("lat_deg", "Latitude on WGS84, north positive.", -90.0, 90.0)
_LON = _number("lon_deg", "Longitude, east positive.", -180.0, 180.0)
_SOURCE = _text("source", "Where the figures of this table are from.", "")
_SYNTHETIC = _flag("synthetic", "Whether its place or its being there is an invention.")
_FIBRE = _choice("preset", "Kind of fibre link.", FIBRE_PRESETS)
_RESERVE = _whole("reserve_bits", "Merges leave this much.", 0, NO_LIMIT_BITS, 0)
_BUFFER = _whole(
    "buffer_bits", "What the buffers at its two ends hold; key beyond it is not made.",
    1, NO_LIMIT_BITS, None, "what the link makes between two merges",
)  # fmt: skip

TOP = TableSchema(
    name="",
    meaning="The top of the file.",
    many=False,
    keys=(
        _text("name", "Name of the scenario; a ledger is bound to it."),
        _text("title", "One line for people."),
        Key(name="notes", kind=Kind.TEXTS, default=[],
            meaning="What a reader should know of it."),
    ),
)  # fmt: skip

SCHEDULE = TableSchema(
    name="schedule",
    meaning="How often the jobs run, in seconds of the clock in use.",
    many=False,
    keys=(
        _whole("plan_interval_s", "Between two plans.", 1, 31 * DAY_S, DAY_S),
        _whole("trunk_interval_s", "Between two deposits of the fibre links.",
               1, 31 * DAY_S, 21_600),
        _whole("merge_interval_s", "Between two merges.", 1, 31 * DAY_S, 21_600),
    ),
)  # fmt: skip

PLANNING = TableSchema(
    name="planning",
    meaning="What a pass must satisfy to be booked.",
    many=False,
    keys=(
        _number("sun_elevation_deg_max", "The Sun stands below this at the station.",
                -90.0, 90.0, -6.0),
        _number("min_elevation_deg", "Passes are cut where the satellite is lower.",
                0.0, 89.0, 10.0),
        _number("setup_s", "From the start of the arc to the first key.", 0.0, 3600.0, 0.0),
        _number("slew_s", "Between two sessions of one satellite or one station.",
                0.0, 3600.0, 0.0),
        _whole("min_secret_bits", "Least key of a session.", 0, NO_LIMIT_BITS, 0),
        _number("max_element_age_days", "Beyond it, either side, an element set is refused.",
                0.01, 366.0, 14.0),
        _number("element_lag_s", "From an element set's epoch to its arrival.",
                0.0, 31.0 * DAY_S, 0.0),
        _number("min_duration_s", "Shortest session.", 0.0, 3600.0, 0.0),
        _whole("max_sessions_per_day", "Of one satellite, for its energy.",
               0, SESSIONS_MAX, None, "no limit"),
        _whole("max_sessions_per_orbit", "Of one satellite, for its energy.",
               0, SESSIONS_MAX, None, "no limit"),
        _choice("weather", "Where the chance of a clear sky comes from.",
                tuple(WeatherUse), WeatherUse.CLIMATOLOGY.value),
    ),
)  # fmt: skip

SATELLITES = TableSchema(
    name="satellites",
    meaning="Satellites that downlink key; in the network each is a trusted relay.",
    keys=(
        _ID, _NAME,
        _whole("norad_id", "Catalogue number.", 1, 999_999_999),
        _text("preset", "Whose transmitter it carries: a published downlink, or one of"
              " `[[transmitters]]`."),
        _SOURCE,
        Key(name="announces", kind=Kind.CHOICE_OR_SECONDS, default=Announces.NEXT_CONTACT.value,
            words=(Announces.NEXT_CONTACT.value, Announces.AT_ONCE.value),
            meaning="When it announces the XOR of two keys, which lets them be merged."),
        _text("announces_because", "With seconds: what takes so long, or how the announcement"
              " comes down without a station.", ""),
    ),
)  # fmt: skip

STATIONS = TableSchema(
    name="stations",
    meaning="Ground telescopes. A station anywhere, with any telescope, has a key yield.",
    keys=(
        _ID, _NAME, _LAT, _LON,
        _number("height_m", "Height above the WGS84 ellipsoid.", -500.0, 9000.0),
        _number("mask_deg", "Least elevation, all round.", 0.0, 89.0),
        Key(name="horizon", kind=Kind.HORIZON, default=None, default_words="none",
            meaning="What stands around it, above `mask_deg`: corners by azimuth, straight lines"
            " between them, the same azimuth twice for a step; or a survey, a line a corner, in a"
            " file beside the scenario's."),
        _flag("horizon_refraction", "Whether `horizon` is as seen through the air (a theodolite, a"
              " camera); else it is true elevation.", False),
        _text("node", "The node that keeps its key.", None, "its own id"),
        _text("preset", "Whose receiver it has: of a published downlink (that of the station of"
              " the same id, else of its first station), or one of `[[receivers]]`.",
              None, "that of the satellite's preset"),
        _number("telescope_m", "Diameter of its telescope.", 0.01, 40.0, None,
                "that of the receiver"),
        _text("mount", "Stations that name the same mount take turns.", "", "a mount of its own"),
        _number("slew_rate_deg_s", "Of the mount's slower axis.", 0.01, 90.0, None,
                "`planning.slew_s` for every change"),
        _SOURCE,
    ),
)  # fmt: skip

_LIKE = _text("like", "What it starts from: a published downlink, or another table of its kind.")
_STATED_SOURCE = _text(
    "source", 'Where its numbers are from, or "assumed"; needed where a number is stated.', ""
)
_SOURCES = Key(
    name="sources", kind=Kind.SOURCES, default={},
    meaning='Source of single numbers, by key, where it is another: `sources.gate_ns = "assumed"`.',
)  # fmt: skip

TRANSMITTERS = TableSchema(
    name="transmitters",
    meaning=(
        "The sending end of a satellite. The beam is stated by one of its angles, or by its loss"
        " into a telescope at a range; of the pointing figures those left out become 0 as soon as"
        " one is stated."
    ),
    keys=(
        _ID, _LIKE, _STATED_SOURCE, _SOURCES,
        _stated("wavelength_nm", "Wavelength.", 300.0, 2500.0),
        _stated("beam_half_angle_urad", "Divergence, 1/e^2 intensity half angle.", 0.01, 1e5),
        _stated("beam_full_angle_urad", "Divergence, 1/e^2 intensity full angle.", 0.01, 1e5),
        _stated("beam_fwhm_urad", "Divergence, full width at half maximum.", 0.01, 1e5),
        _stated("beam_loss_db", "Diffraction loss into `beam_telescope_m` at `beam_range_km`.",
                0.0, 200.0),
        _stated("beam_range_km", "Range of that loss.", 1.0, 1e6),
        _stated("beam_telescope_m", "Diameter of that loss.", 0.01, 40.0),
        _stated("pointing_jitter_urad", "Pointing jitter, rms per axis.", 0.0, 1e4),
        _stated("pointing_bias_urad", "Constant pointing offset.", 0.0, 1e4),
        _stated("pointing_loss_db", "A mean pointing loss, as it stands.", 0.0, 100.0),
        _stated("optics_transmittance", "Of the telescope, if intensities are set before it.",
                1e-6, 1.0),
        _stated("pulse_width_ps", "Pulse width, rms.", 0.0, 1e6),
        _stated("pulse_rate_hz", "Pulses a second.", 1.0, 1e12),
        _stated_row("intensities", "Photons per pulse, two or three, descending."),
        _stated_row("probabilities", "How often each intensity is sent; their sum is 1."),
        _stated("intensity_uncertainty", "Share by which every intensity may be wrong.", 0.0, 0.5),
        _stated("key_basis", "Probability of sending in the key basis.", 0.0, 1.0),
        _stated("secrecy", "Failure probability of secrecy, per block.", 1e-300, 0.1),
        _stated("correctness", "Failure probability of correctness, per block.", 1e-300, 0.1),
        _stated("leak_efficiency", "f_EC of error correction.", 1.0, 10.0),
    ),
)  # fmt: skip

RECEIVERS = TableSchema(
    name="receivers",
    meaning="The receiving end of a station, with the clear air above it.",
    keys=(
        _ID, _LIKE, _STATED_SOURCE, _SOURCES,
        _stated("telescope_m", "Diameter of the telescope.", 0.01, 40.0),
        _stated("obscuration_m", "Diameter of its central obscuration.", 0.0, 40.0),
        _stated("optics_transmittance", "From the telescope to the detectors.", 1e-6, 1.0),
        _stated("filter_transmittance", "Of the spectral filter.", 1e-6, 1.0),
        _stated("misalignment", "QBER of the signal clicks alone.", 0.0, 0.5),
        _stated("detector_efficiency", "Clicks per photon.", 1e-6, 1.0),
        _stated("efficiency_mismatch", "1 less the worst detector's share of the best's"
                " efficiency.", 0.0, 1.0),
        _whole("detector_count", "How many detectors, all alike.", 1, 64, None,
               "that of `like`"),
        _stated("dark_rate_hz", "Dark counts of EACH detector.", 0.0, 1e9),
        _stated("gate_ns", "Time window in which a click counts.", 1e-4, 1e6),
        _stated("timing_ps", "Jitter and synchronisation together, rms.", 0.0, 1e6),
        _stated("dead_time_ns", "After a click.", 0.0, 1e9),
        _stated("after_pulse", "Probability of an after-pulse.", 0.0, 0.5),
        _stated("key_basis", "Probability of measuring in the key basis.", 0.0, 1.0),
        _stated("stray_rate_hz", "Stray counts from a sunlit satellite, all detectors.", 0.0, 1e9),
        _stated("field_of_view_urad", "Full field of view: how much sky it sees.", 0.0, 1e5),
        _stated("filter_width_nm", "Width of the filter.", 0.0, 1e3),
        _stated("sky_brightness", "Zenith sky in magnitudes per square arc second.", 10.0, 23.0),
        _stated("air_zenith_db", "Loss of clear air straight up.", 0.0, 100.0),
        Key(name="air", kind=Kind.CHOICE, words=("standard",), default=None,
            default_words="that of `like`",
            meaning="The standard atmosphere of the station's height and the wavelength."),
    ),
)  # fmt: skip

NODES = TableSchema(
    name="nodes",
    meaning="Places that hold key. Satellites and stations are nodes by themselves.",
    keys=(
        _ID,
        _choice("kind", "What it is; every one but a user relays, and sees the key in clear.",
                tuple(kind.value for kind in NodeKind if kind is not NodeKind.SATELLITE)),
        _NAME, _LAT, _LON, _SYNTHETIC,
        _number("trust_weight", "Cost of relying on it; 1 is an ordinary trusted relay.",
                1e-3, 1e6, 1.0),
        _SOURCE,
    ),
)  # fmt: skip

LEGS = TableSchema(
    name="legs",
    meaning=(
        "A long way cut into spans: a chain of relays `PREFIX-1` and on, evenly placed on the"
        " straight line between its ends."
    ),
    keys=(
        _text("from", "A station or one of `[[nodes]]`."),
        _text("to", "A station or one of `[[nodes]]`."),
        _text("prefix", "How its relays are named.", None, "FROM-TO"),
        _number("length_km", "Its whole length.", 0.001, 100_000.0),
        _whole("span_count", f"So many equal spans of {SPAN_KM_MIN:g} to {SPAN_KM_MAX:g} km.",
               1, SPANS_MAX, None, "`spans_km` says"),
        Key(name="spans_km", kind=Kind.NUMBERS, default=None, default_words="`span_count` says",
            meaning="The length of each span; they add up to `length_km`."),
        Key(name="parallel", kind=Kind.NUMBERS, default=None, default_words="one each",
            meaning=f"Links side by side on each span, 1 to {PARALLEL_MAX}."),
        _FIBRE, _SYNTHETIC, _BUFFER, _RESERVE, _SOURCE,
    ),
)  # fmt: skip

LINKS = TableSchema(
    name="links",
    meaning="A fibre link, or several in parallel.",
    keys=(
        _text("from", "A node."),
        _text("to", "A node."),
        _choice("kind", "What it is.", (LinkKind.FIBRE.value, LinkKind.ACCESS.value)),
        _number("length_km", "Length of fibre.", 0.001, 1000.0),
        _FIBRE, _SYNTHETIC, _BUFFER, _RESERVE,
        _whole("parallel", "How many side by side.", 1, PARALLEL_MAX, 1),
        _SOURCE,
    ),
)  # fmt: skip

DEMANDS = TableSchema(
    name="demands",
    meaning="Who wants end-to-end key with whom.",
    keys=(
        _text("from", "A node."),
        _text("to", "A node."),
        _text("id", "Its name.", None, "FROM--TO"),
        _whole("bits_per_day", "What is wanted.", 1, NO_LIMIT_BITS),
        _number("weight", "Share in a shortage, against the others.", 1e-9, 1e9, 1.0),
        _whole("priority", "Higher ones are served first.", -1000, 1000, 0),
        _whole("min_disjoint_paths", "2 and more: combined over node-disjoint paths.", 1, 64, 1),
        _whole("spare_paths", "Of these paths so many may fail.", 0, 8, 0),
        Key(name="avoid_nodes", kind=Kind.TEXTS, default=[], meaning="Never by these nodes."),
        _whole("low_water_bits", "Merged first while the pair has less.", 0, NO_LIMIT_BITS, 0),
        _whole("high_water_bits", "Merged no more once the pair has this.",
               0, NO_LIMIT_BITS, NO_LIMIT_BITS, "no limit"),
        _number("max_age_s", "Key whose oldest source is older is of no use.",
                1e-3, MAX_AGE_S_MAX, None, "no limit"),
    ),
)  # fmt: skip

TABLES = (TOP, SATELLITES, TRANSMITTERS, STATIONS, RECEIVERS, NODES, LEGS, LINKS, DEMANDS,
          SCHEDULE, PLANNING)  # fmt: skip
"""In the order of the reference page."""


def table_names() -> Iterator[str]:
    """The tables that a file may hold, beside the keys at its top."""
    return (schema.name for schema in TABLES if schema.name)
