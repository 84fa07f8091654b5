"""What goes to stdout and how: plain text, one JSON document, or a rich table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from scheduler.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console, RenderableType

UUID_WIDTH = 36
PLAIN_WIDTH = 400  # columns for a file or a pipe: a number must not be cut


def emit(text: str) -> None:
    """Write `text` to stdout as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def emit_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout as they come, each with its newline."""
    for line in lines:
        sys.stdout.write(line.rstrip("\n") + "\n")
    sys.stdout.flush()


def stdout_console() -> Console:
    """Return a console on stdout; wide enough for our tables where there is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    return console


def show(*renderables: RenderableType) -> None:
    """Print tables and text to stdout."""
    console = stdout_console()
    for renderable in renderables:
        console.print(renderable)


def table_of(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = ""
) -> RenderableType:
    """Return a rich table.

    Columns whose name ends in `|` are aligned to the right; what ends in `!` is never wrapped.
    """
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, caption=caption or None, box=box.SIMPLE_HEAD,
        title_justify="left", caption_justify="left", title_style="bold", caption_style="dim",
    )  # fmt: skip
    for column in columns:
        table.add_column(
            column.rstrip("|!"),
            justify="right" if column.endswith("|") else "left",
            overflow="fold",
            no_wrap=column.endswith("!"),
            min_width=UUID_WIDTH if column.endswith("!") else None,
        )
    for row in rows:
        table.add_row(*row)
    return table


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float, str], None]]:
    """Yield `progress(fraction, text)`, which draws a bar on stderr; only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), TextColumn("{task.fields[doing]}"),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=1.0, doing="")

        def progress(fraction: float, text: str) -> None:
            bar.update(task, completed=min(max(fraction, 0.0), 1.0), doing=text)

        yield progress


def note(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"skytrunk: {text}\n")


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
