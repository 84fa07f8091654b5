"""Published figures against the model, row by row."""

from qkd.validation.campaign import validate_campaign_pass
from qkd.validation.entangled import validate_entangled
from qkd.validation.fitting import fit_pass
from qkd.validation.links import (
    fibre_rows,
    gllp_rows,
    long_link_rows,
    nanshan_rows,
    trunk_rows,
    validate_links,
)
from qkd.validation.micius import MiciusValidation, validate_micius
from qkd.validation.passes import pass_rows
from qkd.validation.published import (
    CAMPAIGN_PASSES,
    CAMPAIGN_RANGE_KM_MAX,
    MICIUS_2016_12_19,
    CampaignPass,
    PublishedPass,
)
from qkd.validation.reference import ReferenceKey, reference_keys
from qkd.validation.rows import FigureOrigin, FitRole, ValidationRow

__all__ = [
    "CAMPAIGN_PASSES",
    "CAMPAIGN_RANGE_KM_MAX",
    "MICIUS_2016_12_19",
    "CampaignPass",
    "FigureOrigin",
    "FitRole",
    "MiciusValidation",
    "PublishedPass",
    "ReferenceKey",
    "ValidationRow",
    "fibre_rows",
    "fit_pass",
    "gllp_rows",
    "long_link_rows",
    "nanshan_rows",
    "pass_rows",
    "reference_keys",
    "trunk_rows",
    "validate_campaign_pass",
    "validate_entangled",
    "validate_links",
    "validate_micius",
]
