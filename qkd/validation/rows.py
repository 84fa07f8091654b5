"""One line of a comparison."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRow:
    """A published figure beside the model's, each assumption named.

    unfitted comes from published inputs and assumptions made beforehand; fitted from a model
    adjusted to the case itself, None where nothing was fitted. A figure may be None where
    the source gives none, or text for an instant.
    """

    case: str
    quantity: str
    unit: str
    published: float | str | None
    unfitted: float | str | None
    fitted: float | str | None = None
    assumption: str = ""
    source: str = ""
