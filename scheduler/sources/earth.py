"""UT1 and leap seconds from a file that is newer than what ships."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orbits import EarthTime, TimeError, read_earth_time
from scheduler.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZIP = b"PK"


def load_earth_time(path: Path | None) -> EarthTime:
    """Return what a file says of UT1 and leap seconds; without one, what ships.

    Raises SettingsError naming the file and what is wrong with it.
    """
    if path is None:
        return EarthTime()
    try:
        return read_earth_time(_content(path))
    except OSError as error:
        raise SettingsError(f"setting ut1_file: {path}: {error.strerror or error}") from None
    except (TimeError, ValueError, zipfile.BadZipFile) as error:
        raise SettingsError(f"setting ut1_file: {path}: {error}") from error


def _content(path: Path) -> str | dict[str, NDArray[Any]]:
    """Return the columns of a file of arrays, which is a ZIP, and the text of any other."""
    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        if not is_zip:
            return file.read().decode("ascii", "replace")
        with np.load(file, allow_pickle=False) as found:
            return dict(found)
