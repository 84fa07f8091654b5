"""What is published of the campaign's passes: the figures the model is held to."""

from dataclasses import dataclass
from datetime import UTC, datetime

from qkd.presets.micius import LIAO


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPass:
    """What a paper prints of one pass; loss_bins holds (from km, to km, mean loss in dB).

    curve_bits is the area under the points read off its plot of the sifted rate.
    """

    case: str
    source: str
    station_id: str
    closest_at: datetime  #: by the element set of that day; says only where to look
    range_km_min: float
    range_km_max: float
    duration_s: float
    loss_bins: tuple[tuple[float, float, float], ...]
    detections: float
    sifted_bits: float
    curve_bits: float
    sifted_bps_near: float
    sifted_bps_far: float
    qber: float
    final_key_bits: float


MICIUS_2016_12_19 = PublishedPass(
    case="Micius over Xinglong, 2016-12-19",
    source=LIAO,
    station_id="xinglong",
    closest_at=datetime(2016, 12, 19, 16, 52, 14, tzinfo=UTC),
    range_km_min=645.0,
    range_km_max=1200.0,
    duration_s=273.0,
    loss_bins=(
        (645.0, 660.0, 33.2),
        (660.0, 700.0, 33.5),
        (700.0, 800.0, 34.2),
        (800.0, 900.0, 35.0),
        (900.0, 1000.0, 36.8),
        (1000.0, 1100.0, 38.3),
        (1100.0, 1200.0, 41.4),
    ),
    detections=3_551_136.0,
    sifted_bits=1_671_072.0,
    curve_bits=1_674_000.0,
    sifted_bps_near=12_000.0,
    sifted_bps_far=1_000.0,
    qber=0.011,
    final_key_bits=300_939.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPass:
    """One more pass of the campaign: its geometry by SGP4, and the error rate ascribed to it.

    The geometry was computed from an element set younger than a day; seconds are those
    within 1200 km. The QBER is the one that a public preset of the campaign states.
    """

    closest_at: datetime
    station_id: str
    range_km_min: float
    max_elevation_deg: float
    seconds: float
    qber: float


def _campaign_pass(
    closest_at: str, station_id: str, least_km: float, highest_deg: float, s: float, qber: float
) -> CampaignPass:
    return CampaignPass(
        closest_at=datetime.fromisoformat(closest_at),
        station_id=station_id,
        range_km_min=least_km,
        max_elevation_deg=highest_deg,
        seconds=s,
        qber=qber,
    )


#: The campaign's passes besides that of 2016-12-19.
CAMPAIGN_PASSES = tuple(
    _campaign_pass(*row)
    for row in (
        ("2016-09-22T18:29:08Z", "nanshan", 527.2, 67.4, 291.0, 0.0139),
        ("2016-10-08T15:57:50Z", "xinglong", 930.2, 28.7, 206.0, 0.0216),
        ("2017-01-03T16:10:46Z", "xinglong", 685.2, 43.4, 267.0, 0.0121),
        ("2017-01-12T16:04:27Z", "xinglong", 788.1, 35.8, 246.0, 0.0282),
        ("2017-02-13T18:38:35Z", "nanshan", 507.1, 85.7, 295.0, 0.0139),
        ("2017-03-07T18:32:18Z", "nanshan", 511.4, 79.6, 294.0, 0.0108),
        ("2017-04-19T18:38:59Z", "nanshan", 492.1, 82.8, 296.0, 0.0248),
        ("2017-05-06T18:45:08Z", "nanshan", 530.6, 68.2, 290.0, 0.0139),
        ("2017-05-13T16:12:59Z", "xinglong", 641.9, 49.5, 275.0, 0.0119),
        ("2017-05-18T15:58:09Z", "xinglong", 883.4, 31.5, 222.0, 0.0168),
    )
)
CAMPAIGN_RANGE_KM_MAX = 1200.0
