"""Signed checkpoints on their way to a place that the ledger's host cannot rewrite, and from it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import httpx

TIMEOUT_S = 10.0
ATTEMPTS = 3
AGAIN = frozenset({408, 425, 429})
"""Answers of a client's fault that may be others a moment later; so may those from 500 on."""


def is_address(place: str) -> bool:
    """Whether a place is an http(s) address; else it is a folder."""
    return place.startswith(("http://", "https://"))


def hand_out(place: str, size: int, line: str) -> str | None:
    """Put a checkpoint's line into a folder, or POST it to an address; return why that failed.

    In the folder it is a file of its own, `checkpoint-SIZE.json`, whole and synced; one that is
    there stays. An address is asked up to ATTEMPTS times, and must answer 2xx; whoever calls this
    keeps what failed and tries it later.
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
    last = ""
    headers = {"Content-Type": "application/json"}
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        for _ in range(ATTEMPTS):
            try:
                answer = client.post(place, content=line, headers=headers)
            except httpx.TransportError as error:
                last = type(error).__name__
                continue
            if answer.is_success:
                return None
            last = f"answered {answer.status_code}"
            if not answer.is_server_error and answer.status_code not in AGAIN:
                break  # it would say the same again
    return f"{place}: {last}"


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
