"""Small secret files that appear whole or not at all, and go for ever."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from scheduler.errors import LedgerUnavailable


def add_file(path: Path, content: bytes) -> None:
    """Make a file that is there for its owner alone, once it returns; what is there stays."""
    draft = _draft(path, content)
    try:
        # A link appears whole or not at all, and never replaces what is there.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)


def put_in_place(new: Path, path: Path) -> None:
    """Put a file in the place of another at once, and overwrite what the other held."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as old:
        new.replace(path)
        sync_folder(path.parent)
        _overwrite(old.fileno())


def destroy_file(path: Path) -> None:
    """Overwrite a file and take it away; sync its folder after that. Nothing if it is not there."""
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b") as file:
            _overwrite(file.fileno())
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make it durable which files a folder holds."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def failures(folder: Path) -> Iterator[None]:
    """Raise LedgerUnavailable for what the system could not do with files of a folder."""
    try:
        yield
    except OSError as error:
        raise LedgerUnavailable(f"key folder {folder}: {error.strerror}") from error


def drafts_of(path: Path) -> list[Path]:
    """What processes that were killed while they made a file left of it."""
    return [one for one in path.parent.iterdir() if one.name.startswith(f".{path.name}.")]


def _draft(path: Path, content: bytes) -> Path:
    """Write a file beside another, under a name that no process has used."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft


def _overwrite(handle: int) -> None:
    size = os.fstat(handle).st_size
    os.pwrite(handle, secrets.token_bytes(size), 0)
    os.fsync(handle)
