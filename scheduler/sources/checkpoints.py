"""Signed checkpoints on their way to a place that the ledger's host cannot rewrite, and from it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import httpx

TIMEOUT_S = 10.0
ATTEMPTS = 3


def is_address(place: str) -> bool:
    """Whether a place is an http(s) address; else it is a folder."""
    return place.startswith(("http://", "https://"))


def hand_out(place: str, size: int, line: str) -> str | None:
    """Put a checkpoint's line into a folder, or POST it to an address; return why that failed.

    In the folder it is a file of its own, `checkpoint-SIZE.json`, whole and synced; one that is
    there stays. An address is asked up to ATTEMPTS times, and must answer 2xx.
    """
    try:
        if is_address(place):
            return _post(place, line)
        _put(Path(place), size, line)
    except (OSError, httpx.HTTPError) as error:
        return f"{place}: {type(error).__name__}"
    return None


def newest_in(folder: Path) -> Path | None:
    """The file of the largest checkpoint in a folder; None without any."""
    return max(folder.glob("checkpoint-*.json"), key=lambda path: path.name, default=None)


def _post(place: str, line: str) -> str | None:
    status = 0
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status = client.post(
                    place, content=line, headers={"Content-Type": "application/json"}
                ).status_code
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
            if 200 <= status < 300:
                return None
    return f"{place}: answered {status}"


def _put(folder: Path, size: int, line: str) -> None:
    # Padded, so that the order of names is that of sizes.
    path = folder / f"checkpoint-{size:019d}.json"
    draft = folder / f".{path.name}.{secrets.token_hex(8)}"
    with draft.open("x", encoding="ascii") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
