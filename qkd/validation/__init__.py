"""Published figures against the model, row by row."""

from qkd.validation.links import (
    fibre_rows,
    gllp_rows,
    nanshan_rows,
    trunk_rows,
    validate_links,
)
from qkd.validation.micius import (
    MICIUS_2016_12_19,
    MiciusValidation,
    PublishedPass,
    fit_pass,
    validate_micius,
)
from qkd.validation.rows import ValidationRow

__all__ = [
    "MICIUS_2016_12_19",
    "MiciusValidation",
    "PublishedPass",
    "ValidationRow",
    "fibre_rows",
    "fit_pass",
    "gllp_rows",
    "nanshan_rows",
    "trunk_rows",
    "validate_links",
    "validate_micius",
]
