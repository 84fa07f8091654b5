"""A small disk, to be filled; a real one where we may mount, else a limit on the file's size."""

from __future__ import annotations

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


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Make `folder` hold little more than SIZE_BYTES - BALLAST_BYTES."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode == 0:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(BALLAST_BYTES))
        try:
            yield SmallDisk(f"tmpfs of {SIZE_BYTES} bytes", ballast.unlink)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails with EFBIG

    def make_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE_BYTES // 2, hard))
    try:
        how = f"file size limit of {SIZE_BYTES // 2} bytes (mounting is not allowed here)"
        yield SmallDisk(how, make_room)
    finally:
        make_room()
        signal.signal(signal.SIGXFSZ, before)
