"""The further passes of the Micius campaign: geometry and error rate."""

from collections.abc import Iterator
from datetime import datetime

from qkd.ports import Track
from qkd.presets.catalogue import satellite_preset
from qkd.presets.micius import LIAO
from qkd.validation.model import closest, cut, run
from qkd.validation.published import CAMPAIGN_RANGE_KM_MAX, CampaignPass
from qkd.validation.rows import FigureOrigin, FitRole, ValidationRow

CASE = "Micius campaign of 2016-17, further passes"
_GEOMETRY = (
    "the figure to compare with is an independent SGP4 run on a set younger than a day; the "
    "paper prints none"
)
_QBER = (
    "fitted: the model fitted to 2016-12-19 alone; neither knows the night's own alignment; "
    "published: as a public preset of the campaign states it, 0.0139 may be its default"
)
_SOURCE = f"geometry: SGP4; QBER: a public preset of the campaign of {LIAO}"


def validate_campaign_pass(
    track: Track, published: CampaignPass, *, start_utc: datetime
) -> tuple[ValidationRow, ...]:
    """Return the rows of one further pass.

    Parameters
    ----------
    track : the pass over its station, about a second a sample, reaching beyond 1200 km
    start_utc : instant of the track's offset 0

    Raises QkdInputError if the track has fewer than ten samples within 1200 km.
    """
    return tuple(_rows(track, published, start_utc))


def _rows(track: Track, published: CampaignPass, start_utc: datetime) -> Iterator[ValidationRow]:
    found = closest(track, CAMPAIGN_RANGE_KM_MAX)
    name = f"{published.closest_at:%Y-%m-%d} {published.station_id}"

    def row(
        quantity: str,
        unit: str,
        figures: tuple[float | str | None, ...],
        *,
        standing: FitRole = FitRole.NEVER,
        assumption: str = _GEOMETRY,
    ) -> ValidationRow:
        return ValidationRow(
            case=CASE,
            quantity=f"{name}: {quantity}",
            unit=unit,
            published=figures[0],
            unfitted=figures[1],
            fitted=figures[2] if len(figures) > 2 else None,
            standing=standing,
            assumption=assumption,
            source=_SOURCE,
            origin=FigureOrigin.QUOTED if assumption == _QBER else FigureOrigin.COMPUTED,
        )

    instant = published.closest_at.strftime("%Y-%m-%d %H:%M:%S")
    yield row("instant of closest range", "UTC", (instant, found.instant(start_utc)))
    yield row("closest range", "km", (published.range_km_min, found.range_km))
    yield row("elevation there", "deg", (published.max_elevation_deg, found.elevation_deg))
    within = f"time within {CAMPAIGN_RANGE_KM_MAX:g} km"
    yield row(within, "s", (published.seconds, found.seconds_within))
    window = cut(track, CAMPAIGN_RANGE_KM_MAX)
    qbers = [
        run(window, satellite_preset(preset), published.station_id).qber
        for preset in ("micius-2016", "micius-2016-fitted")
    ]
    yield row(
        "QBER, signal intensity",
        "1",
        (published.qber, *qbers),
        standing=FitRole.FOLLOWS,
        assumption=_QBER,
    )
