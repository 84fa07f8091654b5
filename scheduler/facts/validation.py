"""Published against model: what is shown when the model is held to a measured pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRow:
    """One quantity: as published, by the unfitted model, by the fitted one."""

    quantity: str
    unit: str  #: "" for a ratio
    published: float | None
    unfitted: float | None
    fitted: float | None
    standing: str  #: "never fitted", "fitted to this" or "follows from the fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateModel:
    """The model's sifted rate over a pass, by seconds from `start`."""

    start: datetime
    offset_s: tuple[float, ...]
    range_km: tuple[float, ...]
    unfitted_bps: tuple[float, ...]
    fitted_bps: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One published pass next to the model, with every assumption named."""

    title: str
    source: str  #: of the published figures
    elements_epoch: datetime
    nearest_at: datetime  #: instant of the least range, by the element set
    rows: tuple[ValidationRow, ...]
    rate: RateModel
    assumptions: tuple[str, ...]
    fitted: tuple[str, ...]  #: what the fit was allowed to change, and to which value
    sifted_means: str  #: which detections the compared sifted bits count
