"""Which keywords an orbit mean-elements message has, and what they are in Elements."""

from __future__ import annotations

from collections.abc import Mapping

Fields = Mapping[str, object]

# OMM keyword, Elements field. SGP4 cannot do without any of these.
NUMBERS = (
    ("MEAN_MOTION", "mean_motion_rev_per_day"),
    ("ECCENTRICITY", "eccentricity"),
    ("INCLINATION", "inclination_deg"),
    ("RA_OF_ASC_NODE", "raan_deg"),
    ("ARG_OF_PERICENTER", "argument_of_perigee_deg"),
    ("MEAN_ANOMALY", "mean_anomaly_deg"),
    ("BSTAR", "bstar"),
)
# These SGP4 ignores, and messages leave out.
OPTIONAL_NUMBERS = (
    ("MEAN_MOTION_DOT", "mean_motion_dot"),
    ("MEAN_MOTION_DDOT", "mean_motion_ddot"),
)
OPTIONAL_INTEGERS = (
    ("EPHEMERIS_TYPE", "ephemeris_type"),
    ("ELEMENT_SET_NO", "element_set_number"),
    ("REV_AT_EPOCH", "revolution_at_epoch"),
)
TEXTS = (
    ("OBJECT_NAME", "name"),
    ("OBJECT_ID", "international_designator"),
    ("CLASSIFICATION_TYPE", "classification"),
)
TEXT_KEYS = frozenset(key for key, _ in TEXTS)
# What SGP4 elements are; a message that says something else is refused.
FIXED = (
    ("CENTER_NAME", "EARTH", ("EARTH",)),
    ("REF_FRAME", "TEME", ("TEME",)),
    ("TIME_SYSTEM", "UTC", ("UTC",)),
    ("MEAN_ELEMENT_THEORY", "SGP4", ("SGP4", "SGP/SGP4")),
)
