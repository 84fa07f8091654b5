"""A small disk, to be filled; a real one where we may mount, else a limit on the file's size."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE_BYTES = 2_500_000
BALLAST_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """How a disk was made small, and how it gets some room again."""

    how: str
    make_room: Callable[[], None]


def fill(folder: Path) -> Path:
    """Fill a disk up to its last byte; return the file that does."""
    ballast = folder / "more"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast


@contextmanager
def small_disk(folder: Path, size_bytes: int = SIZE_BYTES) -> Iterator[SmallDisk]:
    """Make `folder` hold little more than `size_bytes` - BALLAST_BYTES."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode == 0:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(BALLAST_BYTES))
        try:
            yield SmallDisk(f"tmpfs of {size_bytes} bytes", ballast.unlink)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails with EFBIG

    def make_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes // 2, hard))
    try:
        how = f"file size limit of {size_bytes // 2} bytes (mounting is not allowed here)"
        yield SmallDisk(how, make_room)
    finally:
        make_room()
        signal.signal(signal.SIGXFSZ, before)
