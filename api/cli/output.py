"""What goes to stdout and how: documents for programs, text and tables for people."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from api.text import printable
from scheduler.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.schemas.base import Table

PLAIN_WIDTH = 400  # columns for a file or a pipe: a number must not be cut
_ASCII = str.maketrans({"─": "-", "°": " deg", "±": "+-", "–": "-", "—": "-", "…": "..."})


def emit(text: str) -> None:
    """Write a file for programs to stdout, as it is: these forms are UTF-8 in every locale."""
    if _speaks_unicode(sys.stdout):
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())


def emit_json(document: dict[str, Any]) -> None:
    """Write one JSON document to stdout; where that is not Unicode, in ASCII alone."""
    from api.schemas.base import to_json

    emit(to_json(document, ascii_only=not _speaks_unicode(sys.stdout)))


def emit_lines(lines: Iterable[str]) -> None:
    """Write lines of a file for programs to stdout as they come, each with its newline."""
    for line in lines:
        emit(line.rstrip("\n") + "\n")


def show(*parts: Table | str | Iterable[Table | str]) -> None:
    """Print tables and lines for people to stdout, as wide as the terminal at most."""
    from api.cli.table import lines_of, wrapped
    from api.schemas.base import Table

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else PLAIN_WIDTH
    for part in parts:
        if isinstance(part, Table):
            title, *lines = lines_of(part, width, spelled)
            if terminal and "NO_COLOR" not in os.environ:
                title = f"\x1b[1m{title}\x1b[0m"
        elif isinstance(part, str):
            title, *lines = (spelled(line) for line in part.split("\n"))
            if terminal:
                title, *lines = (cut for line in (title, *lines) for cut in wrapped(line, width))
        else:
            show(*part)
            continue
        sys.stdout.writelines(line + "\n" for line in (title, *lines))


def spelled(text: str, stream: TextIO | None = None) -> str:
    """Return a text as people may see it there: nothing hidden, nothing the encoding lacks."""
    stream = stream or sys.stdout
    text = printable(text)
    if text.isascii() or _speaks_unicode(stream):
        return text
    encoding = stream.encoding
    return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)


def note(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"skytrunk: {spelled(text, sys.stderr)}\n")


def note_signer(public_key: str) -> None:
    """Write the key by which a new ledger signs: to be kept where its host cannot write."""
    note(f"new ledger, signed by {public_key}; keep it elsewhere, or as the setting log_public_key")


def _speaks_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "utf-8").lower().replace("-", "").startswith("utf")


def make_folder(what: str, folder: Path) -> None:
    """Make a folder that the user named. Raises InputError if that cannot be done."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{what} {folder} is a file; allowed: a folder, new or old")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{what} {folder}: {error.strerror}; allowed: a folder that can be made"
        ) from None


LINE_EVERY_S = 30.0
"""Between two lines of progress where there is no terminal."""


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float, str], None]]:
    """Yield `progress(fraction, text)`: a bar on a terminal's stderr, else a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.percentage:>3.0f} %", markup=False), TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}", markup=False),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=1.0, doing="")
        told = time.monotonic()

        def progress(fraction: float, text: str) -> None:
            nonlocal told
            bar.update(task, completed=min(max(fraction, 0.0), 1.0), doing=printable(text))
            if not console.is_terminal and time.monotonic() - told > LINE_EVERY_S:
                told = time.monotonic()
                note(f"{what}: {100.0 * fraction:.0f} %, {text}")

        yield progress


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A file that the user named, to be written: it is there whole, or as it was before.

    Raises InputError if it cannot be written; what is no plain file (a pipe) is written at once.
    """
    draft = path if path.exists() and not path.is_file() else _beside(path)
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        if draft != path:
            draft.replace(path)
    except OSError as error:
        if error.filename not in {None, str(draft), str(path)}:
            raise  # about another file
        raise InputError(
            f"cannot write {path}: {error.strerror}; allowed: a file in a folder that takes one"
        ) from None
    finally:
        if draft != path:
            draft.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.draft")


def emit_file(out: Path | None, text: str) -> None:
    """Write a text to the file that the user named, else to stdout."""
    if out is None:
        emit(text)
    else:
        with written(out) as file:
            file.write(text)


def read_text(path: Path, what: str) -> str:
    """Return the text of a file that the user named. Raises InputError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror}; allowed: a readable file") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} {path}: byte {error.start} is not UTF-8; allowed: a text file"
        ) from None


def read_document(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds. Raises InputError if it holds none."""
    text = read_text(path, "file")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"file {path}: {error}; allowed: JSON as it was written") from None
    if not isinstance(found, dict):
        raise InputError(f"file {path} holds {type(found).__name__}; allowed: a JSON object")
    return found
