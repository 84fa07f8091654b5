"""Reference tables, and the pass of 2016-12-19 over Xinglong."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

# A shared machine has no honest deadline for one example.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

FOLDER = Path(__file__).parents[1] / "reference" / "qkd"
Table = list[dict[str, str]]


@dataclass(frozen=True)
class PlainTrack:
    """The least that a track must have."""

    offset_s: NDArray[np.float64]
    elevation_deg: NDArray[np.float64]
    range_km: NDArray[np.float64]


@pytest.fixture(scope="session")
def table() -> Callable[[str], Table]:
    """Return a reader of the reference tables, rows as text by column."""

    def read(name: str) -> Table:
        with (FOLDER / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture(scope="session")
def columns(table: Callable[[str], Table]) -> Callable[[str], dict[str, NDArray[np.float64]]]:
    """Return a reader of the reference tables that are numbers throughout, by column."""

    def read(name: str) -> dict[str, NDArray[np.float64]]:
        rows = table(name)
        return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}

    return read


@pytest.fixture(scope="session")
def xinglong_pass(columns: Callable[[str], dict[str, NDArray[np.float64]]]) -> PlainTrack:
    """Return 2016-12-19 over Xinglong, a second a sample, interpolated between the points."""
    points = columns("micius-2016-12-19-sifted-rate.csv")
    seconds = np.arange(1.0, 273.0)
    return PlainTrack(
        offset_s=seconds,
        elevation_deg=np.interp(seconds, points["t_s"], points["elevation_deg_sgp4"]),
        range_km=np.interp(seconds, points["t_s"], points["range_km_sgp4"]),
    )
