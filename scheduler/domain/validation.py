"""Published against model: what is shown when the model is held to what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qkd.validation import ReferenceKey, ValidationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RateModel:
    """The model's sifted rate over a pass, by seconds from `start`."""

    start: datetime
    offset_s: tuple[float, ...]
    range_km: tuple[float, ...]
    unfitted_bps: tuple[float, ...]
    fitted_bps: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedElements:
    """The element set that a pass was computed from: the one nearest to it."""

    pass_at: datetime
    station_id: str
    epoch: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetNotes:
    """What a preset assumes, what was fitted, and what was not found, in words."""

    name: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Published figures next to the model, with every assumption named.

    A row carries its own assumption and source; `notes` tell what every row of a preset
    rests upon.
    """

    title: str
    rows: tuple[ValidationRow, ...]
    rate: RateModel  #: of the pass of 2016-12-19
    elements: tuple[UsedElements, ...]
    notes: tuple[PresetNotes, ...]
    reference: tuple[ReferenceKey, ...] = ()  #: what sound bounds changed, by preset
