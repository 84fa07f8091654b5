"""Published passes over stations that have a preset: what is printed of them, and the model."""

from collections.abc import Iterator

from qkd.geometry import circular_pass
from qkd.presets.catalogue import satellite_preset
from qkd.presets.stations import KHMELEV, LI, LIAO_2018
from qkd.tracks import track_seconds
from qkd.validation.rows import FigureOrigin, ValidationRow
from qkd.yields import PassYield, pass_yield

PORTABLE = "portable ground stations for Micius, arXiv:2205.13828"
EMULATED = "an emulated satellite overpass, PMC10691775"
#: No paper prints the geometry of these passes; one orbit stands for all.
ALTITUDE_KM, MAX_ELEVATION_DEG = 500.0, 60.0
_ORBIT = (
    f"a circular orbit of {ALTITUDE_KM:g} km culminating at {MAX_ELEVATION_DEG:g} deg, moonless; "
    "the pass itself and the station's own efficiency, settings and sky are not known"
)


def pass_rows() -> tuple[ValidationRow, ...]:
    """Return the rows of passes over Graz, Zvenigorod, the portable stations and of Jinan-1."""
    return tuple(_rows())


def _rows() -> Iterator[ValidationRow]:
    seen = circular_pass(altitude_km=ALTITUDE_KM, max_elevation_deg=MAX_ELEVATION_DEG)
    seconds = float(track_seconds(seen).sum())

    def of(name: str) -> PassYield:
        preset = satellite_preset(name)
        return pass_yield(seen, preset, next(iter(preset.receivers)))

    def row(
        name: str, quantity: str, unit: str, figures: tuple[float | str, float], source: str
    ) -> ValidationRow:
        preset = satellite_preset(name)
        return ValidationRow(
            case=f"{preset.title} (preset {name})",
            quantity=quantity,
            unit=unit,
            published=figures[0],
            unfitted=figures[1],
            assumption=_ORBIT,
            source=source,
            origin=FigureOrigin.QUOTED,
        )

    graz, far = of("graz"), of("zvenigorod")
    yield row(
        "graz",
        "mean secret rate of a pass, some kilohertz",
        "bit/s",
        ("about 1,000", graz.secret_bits / seconds),
        LIAO_2018,
    )
    sifted = far.signal_sifted_bits
    for quantity, unit, printed, model in (
        ("sifted bits of a pass", "bit", 2.5e6, sifted),
        ("secret key of a pass", "bit", 310e3, float(far.secret_bits)),
        ("secret per sifted bit", "1", 0.124, far.secret_bits / sifted),
    ):
        yield row("zvenigorod", quantity, unit, (printed, model), KHMELEV)
    bits = float(of("portable-280mm").secret_bits)
    yield row("portable-280mm", "secret key of a pass, mean", "bit", (50e3, bits), PORTABLE)
    bits = float(of("jinan-1").secret_bits)
    yield row("jinan-1", "secret key of a pass", "bit", ("590,000 to 1,070,000", bits), LI)
    yield ValidationRow(
        case="Emulated satellite overpass",
        quantity="secret key of the overpass",
        unit="bit",
        published=4.58e6,
        unfitted=None,
        assumption="no preset: an emulated link in a laboratory, its settings not found",
        source=EMULATED,
        origin=FigureOrigin.QUOTED,
    )
