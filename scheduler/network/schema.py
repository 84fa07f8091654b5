"""Every key of a scenario file: its kind, its limits, its default and what it means.

The parser, the checks of the value types and the reference page all read these tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.domain.demands import MAX_AGE_S_MAX
from scheduler.network.keys import (
    DAY_S,
    NO_LIMIT_BITS,
    PARALLEL_MAX,
    SESSIONS_MAX,
    SPAN_KM_MAX,
    SPAN_KM_MIN,
    SPANS_MAX,
    TOO_LONG,
    Key,
    Kind,
    TableSchema,
    choice,
    flag,
    number,
    stated,
    stated_row,
    text,
    texts,
    whole,
)
from scheduler.network.kinds import (
    FIBRE_KINDS,
    FIBRE_PRESETS,
    Announces,
    KeyBlocks,
    NodeKind,
    SessionKind,
    WeatherUse,
)
from scheduler.network.schema_sharing import OPERATORS, SHARES

_ID = text("id", "Its name in every command: lower-case letters and digits, parts joined by `-`.")
_NAME = text("name", "Its name for people.")
_LAT = number("lat_deg", "Latitude on WGS84, north positive.", -90.0, 90.0)
_LON = number("lon_deg", "Longitude, east positive.", -180.0, 180.0)
_SOURCE = text("source", "Where the figures of this table are from.", "")
_SYNTHETIC = flag("synthetic", "Whether its place or its being there is an invention.")
_FIBRE = choice("preset", "Kind of fibre link.", FIBRE_PRESETS)
_RESERVE = whole("reserve_bits", "Merges leave this much.", 0, NO_LIMIT_BITS, 0)
_DOMAIN = text("domain", "Trust domain: whose place it is, as demands name it.", "")
_RATE = number(
    "rate_bps", "Secret key rate that a source states, while the link is on.", 0.0, 1e12,
    None, "what the preset gives at that length",
)  # fmt: skip
_SWITCH = text("switch", "The optical switch through which it runs.", "", "none: always on")
_BUFFER = whole(
    "buffer_bits", "What the buffers at its two ends hold; key beyond it is not made.",
    1, NO_LIMIT_BITS, None, "what the link makes between two merges",
)  # fmt: skip

TOP = TableSchema(
    name="",
    meaning="The top of the file.",
    many=False,
    keys=(
        text("name", "Name of the scenario; a ledger is bound to it."),
        text("title", "One line for people."),
        text("extends", "A shipped scenario by its name, or FILE.toml beside this file, whose"
             " tables this one adds to or replaces.", None, "nothing"),
        texts("notes", "What a reader should know of it."),
    ),
)  # fmt: skip

SCHEDULE = TableSchema(
    name="schedule",
    meaning="How often the jobs run, in seconds of the clock in use.",
    many=False,
    keys=(
        whole("plan_interval_s", "Between two plans.", 1, 31 * DAY_S, DAY_S),
        whole("trunk_interval_s", "Between two deposits of the fibre links.",
               1, 31 * DAY_S, 21_600),
        whole("merge_interval_s", "Between two merges.", 1, 31 * DAY_S, 21_600),
    ),
)  # fmt: skip

PLANNING = TableSchema(
    name="planning",
    meaning="What a pass must satisfy to be booked.",
    many=False,
    keys=(
        number("sun_elevation_deg_max", "The Sun stands below this at the station.",
                -90.0, 90.0, -6.0),
        number("min_elevation_deg", "Passes are cut where the satellite is lower.",
                0.0, 89.0, 10.0),
        number("setup_s", "From the start of the arc to the first key.", 0.0, 3600.0, 0.0),
        number("slew_s", "Between two sessions of one satellite or one station.",
                0.0, 3600.0, 0.0),
        whole("min_secret_bits", "Least key of a session.", 0, NO_LIMIT_BITS, 0),
        number("max_element_age_days", "Beyond it, either side, an element set is refused.",
                0.01, 366.0, 14.0),
        number("element_lag_s", "From an element set's epoch to its arrival.",
                0.0, 31.0 * DAY_S, 0.0),
        number("min_duration_s", "Shortest session.", 0.0, 3600.0, 0.0),
        whole("max_sessions_per_day", "Of one satellite, for its energy.",
               0, SESSIONS_MAX, None, "no limit"),
        whole("max_sessions_per_orbit", "Of one satellite, for its energy.",
               0, SESSIONS_MAX, None, "no limit"),
        choice("weather", "Where the chance of a clear sky comes from.",
                tuple(WeatherUse), WeatherUse.CLIMATOLOGY.value),
    ),
)  # fmt: skip

_SESSIONS = tuple(kind.value for kind in SessionKind)

SATELLITES = TableSchema(
    name="satellites",
    meaning=(
        "Satellites that make key with stations; in the network each is a trusted relay, but for"
        " dual downlinks, whose key is the two stations' own."
    ),
    keys=(
        _ID, _NAME,
        whole("norad_id", "Catalogue number.", 1, 999_999_999),
        text("preset", "Whose transmitter it carries: a published downlink, or one of"
              " `[[transmitters]]`."),
        _SOURCE,
        Key(name="announces", kind=Kind.CHOICE_OR_SECONDS, default=Announces.NEXT_CONTACT.value,
            words=(Announces.NEXT_CONTACT.value, Announces.AT_ONCE.value),
            meaning="When it announces the XOR of two keys, which lets them be merged."),
        text("announces_because", "With seconds: what takes so long, or how the announcement"
              " comes down without a station.", ""),
        text("elements", "How its element sets come where no feed has them.", ""),
        Key(name="session", kind=Kind.CHOICE, words=_SESSIONS, default=None,
            default_words="what its preset is for", meaning="Kind of its sessions."),
        _DOMAIN,
    ),
)  # fmt: skip

STATIONS = TableSchema(
    name="stations",
    meaning="Ground telescopes. A station anywhere, with any telescope, has a key yield.",
    keys=(
        _ID, _NAME, _LAT, _LON,
        number("height_m", "Height above the WGS84 ellipsoid.", -500.0, 9000.0),
        number("mask_deg", "Least elevation, all round.", 0.0, 89.0),
        Key(name="horizon", kind=Kind.HORIZON, default=None, default_words="none",
            meaning="What stands around it, above `mask_deg`: corners by azimuth, straight lines"
            " between them, the same azimuth twice for a step; or a survey, a line a corner, in a"
            " file beside the scenario's."),
        flag("horizon_refraction", "Whether `horizon` is as seen through the air (a theodolite, a"
              " camera); else it is true elevation.", False),
        text("node", "The node that keeps its key.", None, "its own id"),
        text("preset", "Whose receiver it has: of a published downlink (that of the station of"
              " the same id, else of its first station), or one of `[[receivers]]`.",
              None, "that of the satellite's preset"),
        number("telescope_m", "Diameter of its telescope.", 0.01, 40.0, None,
                "that of the receiver"),
        text("mount", "Stations that name the same mount take turns.", "", "a mount of its own"),
        number("slew_rate_deg_s", "Of the mount's slower axis.", 0.01, 90.0, None,
                "`planning.slew_s` for every change"),
        text("owner", "The one of `[[operators]]` whose it is; others need a share.", "",
              "everybody's"),
        texts("quiet_hours", "When it has no session, UTC: `22:00-05:30`, any number."),
        _DOMAIN,
        _SOURCE,
    ),
)  # fmt: skip

DOWNLINKS = TableSchema(
    name="downlinks",
    meaning=(
        "How the key of one satellite over one station is made. When a pooled block closes is"
        " decided on the counts that were expected of its sessions, never on those observed."
    ),
    keys=(
        text("satellite", "Its id."),
        text("station", "Its id; of a dual downlink those of both, in order: `a+b`."),
        Key(name="session", kind=Kind.CHOICE, words=_SESSIONS, default=None,
            default_words="that of the satellite", meaning="Kind of the sessions here."),
        choice("blocks", "What a finite-key block is made of.", tuple(KeyBlocks),
                KeyBlocks.PER_PASS.value),
        number("target_sifted_bits", "A pooled block closes when so many bits that become key"
                " were expected of it.", 1.0, 1e16, None, "needed by `pooled`"),
        number("age_s_max", "It closes when its oldest session is so old.", 1.0, 1e10, None,
                "no limit"),
        number("epsilon_max", "What the blocks of the link may use up together: one beyond it"
                " stays open.", 1e-300, 1.0, 1.0),
        _SOURCE,
    ),
)  # fmt: skip

_LIKE = text("like", "What it starts from: a published downlink, or another table of its kind.")
_STATED_SOURCE = text(
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
        stated("wavelength_nm", "Wavelength.", 300.0, 2500.0),
        stated("beam_half_angle_urad", "Divergence, 1/e^2 intensity half angle.", 0.01, 1e5),
        stated("beam_full_angle_urad", "Divergence, 1/e^2 intensity full angle.", 0.01, 1e5),
        stated("beam_fwhm_urad", "Divergence, full width at half maximum.", 0.01, 1e5),
        stated("beam_loss_db", "Diffraction loss into `beam_telescope_m` at `beam_range_km`.",
                0.0, 200.0),
        stated("beam_range_km", "Range of that loss.", 1.0, 1e6),
        stated("beam_telescope_m", "Diameter of that loss.", 0.01, 40.0),
        stated("pointing_jitter_urad", "Pointing jitter, rms per axis.", 0.0, 1e4),
        stated("pointing_bias_urad", "Constant pointing offset.", 0.0, 1e4),
        stated("pointing_loss_db", "A mean pointing loss, as it stands.", 0.0, 100.0),
        stated("optics_transmittance", "Of the telescope, if intensities are set before it.",
                1e-6, 1.0),
        stated("pulse_width_ps", "Pulse width, rms.", 0.0, 1e6),
        stated("pulse_rate_hz", "Pulses a second.", 1.0, 1e12),
        stated("pair_rate_hz", "Entangled pairs a second, of a dual downlink.", 1.0, 1e12),
        stated("source_error", "QBER of an entangled source's true pairs alone.", 0.0, 0.5),
        stated_row("intensities", "Photons per pulse, two or three, descending."),
        stated_row("probabilities", "How often each intensity is sent; their sum is 1."),
        stated("intensity_uncertainty", "Share by which every intensity may be wrong.", 0.0, 0.5),
        stated("key_basis", "Probability of sending in the key basis.", 0.0, 1.0),
        stated("secrecy", "Failure probability of secrecy, per block.", 1e-300, 0.1),
        stated("correctness", "Failure probability of correctness, per block.", 1e-300, 0.1),
        stated("leak_efficiency", "f_EC of error correction.", 1.0, 10.0),
    ),
)  # fmt: skip

RECEIVERS = TableSchema(
    name="receivers",
    meaning="The receiving end of a station, with the clear air above it.",
    keys=(
        _ID, _LIKE, _STATED_SOURCE, _SOURCES,
        stated("telescope_m", "Diameter of the telescope.", 0.01, 40.0),
        stated("obscuration_m", "Diameter of its central obscuration.", 0.0, 40.0),
        stated("optics_transmittance", "From the telescope to the detectors.", 1e-6, 1.0),
        stated("filter_transmittance", "Of the spectral filter.", 1e-6, 1.0),
        stated("misalignment", "QBER of the signal clicks alone.", 0.0, 0.5),
        stated("detector_efficiency", "Clicks per photon.", 1e-6, 1.0),
        stated("efficiency_mismatch", "1 less the worst detector's share of the best's"
                " efficiency.", 0.0, 1.0),
        whole("detector_count", "How many detectors, all alike.", 1, 64, None,
               "that of `like`"),
        stated("dark_rate_hz", "Dark counts of EACH detector.", 0.0, 1e9),
        stated("gate_ns", "Time window in which a click counts.", 1e-4, 1e6),
        stated("timing_ps", "Jitter and synchronisation together, rms.", 0.0, 1e6),
        stated("dead_time_ns", "After a click.", 0.0, 1e9),
        stated("after_pulse", "Probability of an after-pulse.", 0.0, 0.5),
        stated("key_basis", "Probability of measuring in the key basis.", 0.0, 1.0),
        stated("stray_rate_hz", "Stray counts from a sunlit satellite, all detectors.", 0.0, 1e9),
        stated("field_of_view_urad", "Full field of view: how much sky it sees.", 0.0, 1e5),
        stated("filter_width_nm", "Width of the filter.", 0.0, 1e3),
        stated("sky_brightness", "Zenith sky in magnitudes per square arc second.", 10.0, 23.0),
        stated("air_zenith_db", "Loss of clear air straight up.", 0.0, 100.0),
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
        choice("kind", "What it is; every one but a user relays, and sees the key in clear.",
                tuple(kind.value for kind in NodeKind if kind is not NodeKind.SATELLITE)),
        _NAME, _LAT, _LON, _SYNTHETIC,
        number("trust_weight", "Cost of relying on it; 1 is an ordinary trusted relay.",
                1e-3, 1e6, 1.0),
        _DOMAIN,
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
        text("from", "A station or one of `[[nodes]]`."),
        text("to", "A station or one of `[[nodes]]`."),
        text("prefix", "How its relays are named.", None, "FROM-TO"),
        number("length_km", "Its whole length.", 0.001, 100_000.0),
        whole("span_count", f"So many equal spans of {SPAN_KM_MIN:g} to {SPAN_KM_MAX:g} km.",
               1, SPANS_MAX, None, "`spans_km` says"),
        Key(name="spans_km", kind=Kind.NUMBERS, default=None, default_words="`span_count` says",
            meaning="The length of each span; they add up to `length_km`."),
        Key(name="parallel", kind=Kind.NUMBERS, default=None, default_words="one each",
            meaning=f"Links side by side on each span, 1 to {PARALLEL_MAX}."),
        _FIBRE, _SYNTHETIC, _RATE, _BUFFER, _RESERVE, _DOMAIN, _SOURCE,
    ),
)  # fmt: skip

LINKS = TableSchema(
    name="links",
    meaning="A fibre link, or several in parallel.",
    keys=(
        text("from", "A node."),
        text("to", "A node."),
        choice("kind", "What it is.", FIBRE_KINDS),
        Key(name="length_km", kind=Kind.NUMBER, meaning="Length of fibre.", low=0.001,
            high=SPAN_KM_MAX, because=TOO_LONG),
        _FIBRE, _SYNTHETIC, _RATE, _BUFFER, _RESERVE,
        whole("parallel", "How many side by side.", 1, PARALLEL_MAX, 1),
        _SWITCH,
        number("share", "Share of time for which the switch turns to it; not above 1.", 0.0, 1.0,
               None, "an equal part of what the switch has left"),
        _SOURCE,
    ),
)  # fmt: skip

SWITCHES = TableSchema(
    name="switches",
    meaning=(
        "Optical switches: their links exist only while they are switched on, so many at once, and"
        " make key for that share of time. A switch holds no key and is no node."
    ),
    keys=(
        _ID,
        whole("at_once", "How many of its links and further switches are on at once.", 1, 1000, 1),
        text("behind", "The switch whose one port leads to this one.", "", "none"),
        _SYNTHETIC, _SOURCE,
    ),
)  # fmt: skip

TRUNK = TableSchema(
    name="trunk",
    meaning=(
        "A trunk through several places of which only totals are known. Its spans are shared out so"
        " that the longest is as short as can be: a leg's length is its part of the great circles,"
        " its spans are equal. Parallel links are spread evenly. Relays are `ID-1` and on, evenly"
        " placed on the straight lines."
    ),
    keys=(
        _ID,
        Key(name="through", kind=Kind.TEXTS, meaning="Stations or `[[nodes]]`, one end first."),
        number("length_km", "Its whole length.", 0.001, 100_000.0),
        whole("relays", "All its trusted relays, the places of `through` among them.",
              2, SPANS_MAX),
        whole("links", "All its links, those side by side each.", 1, SPANS_MAX * PARALLEL_MAX,
              None, "one a span"),
        _FIBRE, _SYNTHETIC, _RATE, _BUFFER, _RESERVE, _DOMAIN, _SOURCE,
    ),
)  # fmt: skip

METRO = TableSchema(
    name="metro",
    meaning=(
        "A metropolitan network around a place; where its parts stand is an invention. Relays"
        " `ID-relay-1` and on stand on a circle of half the radius, users `ID-user-1` and on on a"
        " spiral out to the radius, one golden angle after another. Fibre is 1.3 times the great"
        " circle, in whole kilometres. Each user has an access link to each of the nearest `reach`"
        " of centre and relays; with switches, those of user n run through switch"
        " (n - 1) mod `switches` + 1."
    ),
    keys=(
        _ID,
        text("center", "A station or one of `[[nodes]]`, which is one of its trusted nodes."),
        whole("users", "How many users.", 1, 1000),
        whole("relays", "How many trusted relays beside the centre.", 0, 100, 0),
        whole("relay_links", "Links side by side between the centre and each relay.",
              1, PARALLEL_MAX, 1),
        whole("reach", "How many trusted nodes a user has links to.", 1, 101, 1),
        whole("switches", "How many optical switches, `ID-switch-1` and on.", 0, 100, 0),
        whole("at_once", "How many links of all its switches are on at once, spread evenly.",
              1, 1000, None, "one a switch"),
        number("radius_km", "How far the farthest user is from the centre.", 1.0, 30.0),
        _FIBRE, _RATE, _BUFFER, _RESERVE, _DOMAIN, _SOURCE,
    ),
)  # fmt: skip

_WANTS = (
    whole("bits_per_day", "What is wanted.", 1, NO_LIMIT_BITS),
    number("weight", "Share in a shortage, against the others.", 1e-9, 1e9, 1.0),
    whole("priority", "Higher ones are served first.", -1000, 1000, 0),
    whole("min_disjoint_paths", "2 and more: combined over node-disjoint paths.", 1, 64, 1),
    whole("spare_paths", "Of these paths so many may fail.", 0, 8, 0),
    texts("avoid_nodes", "Never by these nodes."),
    texts("require_domains", "Only by relays of these trust domains; its ends may be of any."),
    texts("avoid_domains", "Never by relays of these trust domains."),
    whole("low_water_bits", "Merged first while the pair has less.", 0, NO_LIMIT_BITS, 0),
    whole("high_water_bits", "Merged no more once the pair has this.",
           0, NO_LIMIT_BITS, NO_LIMIT_BITS, "no limit"),
    number("max_age_s", "Key whose oldest source is older is of no use.",
            1e-3, MAX_AGE_S_MAX, None, "no limit"),
)  # fmt: skip

DEMANDS = TableSchema(
    name="demands",
    meaning="Who wants end-to-end key with whom.",
    keys=(
        text("from", "A node."),
        text("to", "A node."),
        text("id", "Its name.", None, "FROM--TO"),
        *_WANTS,
    ),
)

TRAFFIC = TableSchema(
    name="traffic",
    meaning=(
        "Many demands alike, between users of two metropolitan networks, or of one: the first user"
        " with the first, the second with the second, and in each further round one further on (in"
        " one network, with the next, then the next but one)."
    ),
    keys=(
        text("from", "A `[[metro]]`, or a node."),
        text("to", "A `[[metro]]`, or a node."),
        whole("pairs", "How many pairs, each a demand `FROM--TO` of its users.", 1, 100_000),
        *_WANTS,
    ),
)

TABLES = (TOP, SATELLITES, TRANSMITTERS, STATIONS, RECEIVERS, DOWNLINKS, OPERATORS, SHARES,
          NODES, LEGS, TRUNK, METRO, LINKS, SWITCHES, DEMANDS, TRAFFIC,
          SCHEDULE, PLANNING)  # fmt: skip
"""In the order of the reference page."""


def table_names() -> Iterator[str]:
    """The tables that a file may hold, beside the keys at its top."""
    return (schema.name for schema in TABLES if schema.name)
