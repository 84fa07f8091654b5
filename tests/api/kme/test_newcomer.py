"""README and the page for operators, line by line: the same key at both ends, by curl."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import run_skytrunk, started
from tests.test_readme import ROOT, commands

SECTION = re.compile(r"^## [^\n]*[Kk]eys for applications\n(.*?)^## ", re.MULTILINE | re.DOTALL)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@pytest.mark.walks
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("page", "port", "kme_port"),
    [("README.md", "8017", "8444"), ("docs/operating.md", "8015", "8443")],
)
def test_a_newcomer_has_the_same_key_at_both_ends(
    page: str, port: str, kme_port: str, tmp_path: Path
) -> None:
    (section,) = SECTION.findall((ROOT / page).read_text(encoding="utf-8"))
    ports = {port: free_port(), kme_port: free_port()}
    lines = [
        [re.sub("|".join(ports), lambda found: ports[found[0]], word) for word in shlex.split(line)]
        for line in commands(section)
    ]
    ours = [words for words in lines if words[0] == "skytrunk"]
    draw, collect = (words for words in lines if words[0] == "curl")
    for words in ours[:-1]:
        done = run_skytrunk(tmp_path, *words[1:])
        assert done.returncode == 0, done.stderr
    serve = ours[-1][1:]
    if "--kme-port" not in serve:
        serve += ["--kme-port", ports[kme_port]]
    with started(tmp_path, *serve):
        drawn = ask(tmp_path, draw)
        key_id = drawn["keys"][0]["key_ID"]
        collected = ask(tmp_path, [word.replace("=KEY_ID", f"={key_id}") for word in collect])

    assert len(drawn["keys"][0]["key"]) == 44  # 256 bits in base64
    assert collected["keys"][0]["key"] == drawn["keys"][0]["key"]


def ask(folder: Path, words: list[str]) -> dict[str, list[dict[str, str]]]:
    """What curl prints; it asks again until the server listens."""
    waiting = ["--silent", "--show-error", "--retry", "60", "--retry-connrefused"]
    done = subprocess.run(
        [words[0], *waiting, "--retry-delay", "1", "--max-time", "90", *words[1:]],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    assert "keys" in found, "no key came"
    return found
