"""One line of a comparison."""

from dataclasses import dataclass
from enum import StrEnum


class FitRole(StrEnum):
    """What a row has to do with the fit."""

    NEVER = "never fitted"
    FITTED = "fitted to this"  #: the fit was made to meet this published figure
    FOLLOWS = "follows from the fit"  #: neither looked at by the fit nor free of it
    PARAMETER = "what the fit changed"


class FigureOrigin(StrEnum):
    """Where a published figure was taken from."""

    PRINTED = "printed"
    QUOTED = "from its abstract or a text that quotes it"
    DIGITISED = "read off a plot"
    INFERRED = "computed from printed figures"
    COMPUTED = "computed independently"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRow:
    """A published figure beside the model's, each assumption named.

    unfitted comes from published inputs and assumptions made beforehand; fitted from a model
    adjusted to the case, or to the one named in `assumption`; None where nothing was fitted.
    A figure may be None where the source gives none, or text for an instant or an interval.
    """

    case: str
    quantity: str
    unit: str  #: "1" for a ratio or a count
    published: float | str | None
    unfitted: float | str | None
    fitted: float | str | None = None
    standing: FitRole = FitRole.NEVER
    assumption: str
    source: str
    origin: FigureOrigin = FigureOrigin.PRINTED  #: of the published figure
