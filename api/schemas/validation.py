"""Published figures beside the model's."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, computed_field

from api.schemas.base import Answer, Instant, attribute
from qkd.validation import FigureOrigin, FitRole


def _significant(value: float | str | None) -> float | str | None:
    """Return a figure with nine significant digits: rates per pulse are as small as 1e-6."""
    if value is None or isinstance(value, str):
        return value
    return None if math.isnan(value) else float(f"{value:.9g}")


Figure = Annotated[float | str | None, BeforeValidator(_significant)]


class ValidationRow(Answer):
    """A published figure beside the model's, unfitted and fitted."""

    case: str
    quantity: str
    unit: str
    published: Figure
    unfitted: Figure
    fitted: Figure
    standing: FitRole
    origin: FigureOrigin
    assumption: str
    source: str


class UsedElements(Answer):
    """The element set that a pass was computed from."""

    station: str = attribute("station_id")
    pass_at: Instant
    epoch: Instant

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def rule(self) -> str:
        """How it was chosen."""
        return "nearest"


class Preset(Answer):
    """What a preset assumes, what was fitted, and what was not found."""

    name: str
    title: str
    notes: list[str] = attribute("lines")


class ReferenceKey(Answer):
    """Secret bits of a preset's reference pass by older bounds and by the sound ones."""

    preset: str
    station: str = attribute("station_id")
    parity_bits: int
    exact_bits: int
    signal_bits: int
    sound_bits: int


class Validation(Answer):
    """Every published figure beside the model's, without the curve."""

    title: str
    rows: list[ValidationRow]
    elements: list[UsedElements]
    presets: list[Preset] = attribute("notes")
    reference: list[ReferenceKey]
