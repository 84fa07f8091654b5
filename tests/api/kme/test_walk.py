"""A day's walk by the operators' page: start, a session, a merge, a key drawn, stop, restart."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import run_skytrunk, started
from tests.api.kme.test_newcomer import SECTION, ask, free_port
from tests.test_docs import fenced_commands
from tests.test_readme import ROOT, commands

PATIENCE_S = 180.0


def _said(folder: Path, *words: str) -> Any:
    done = run_skytrunk(folder, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _settled(folder: Path) -> set[str]:
    found = _said(folder, "plan", "bookings", "--state", "settled")["bookings"]
    return {one["booking"] for one in found}


def _merges(folder: Path) -> int:
    return len(_said(folder, "merge", "history", "--limit", "1000")["merges"])


@pytest.mark.walks
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_day_goes_as_the_page_says(tmp_path: Path) -> None:
    evening = fenced_commands("A first evening")
    replay, start, *seen, restart = evening
    assert run_skytrunk(tmp_path, *replay).returncode == 0
    before, merged = _settled(tmp_path), _merges(tmp_path)

    with started(tmp_path, *start) as process:
        until = time.monotonic() + PATIENCE_S
        while not _settled(tmp_path) - before or _merges(tmp_path) == merged:
            assert time.monotonic() < until
            time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    for line in ("started", "plan ", "merge ", "session settled", "stopped"):
        assert line in log
    for words in seen:
        assert run_skytrunk(tmp_path, *words).returncode == 0, words

    (section,) = SECTION.findall((ROOT / "docs/operating.md").read_text(encoding="utf-8"))
    ports = {"8015": free_port(), "8443": free_port()}
    lines = [
        [re.sub("|".join(ports), lambda found: ports[found[0]], word) for word in shlex.split(line)]
        for line in commands(section)
    ]
    ours = [words[1:] for words in lines if words[0] == "skytrunk" and words[1] != "replay"]
    draw = next(words for words in lines if words[0] == "curl")
    for words in ours[:-1]:
        assert run_skytrunk(tmp_path, *words).returncode == 0, words
    with started(tmp_path, *ours[-1], "--kme-port", ports["8443"]):
        assert len(ask(tmp_path, draw)["keys"][0]["key"]) == 44

    with started(tmp_path, *restart) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " merge " in line or "expire" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert run_skytrunk(tmp_path, "ledger", "verify").returncode == 0
