"""Every command in the documents is run; what only `make` can do is checked to exist."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = {"sh", "bash", "console", "shell"}
STAYING = {"serve", "run"}
"""Commands that stay until they are stopped: here they get this long to prove that they start."""
STAY_S = 8.0
RUN_ELSEWHERE = (
    "skytrunk ledger restore",
    "skytrunk ledger verify --segment",
    "skytrunk worker",
)
"""An old copy put back, and a pattern of files: `test_docs`; PostgreSQL: `test_cluster`."""
EXPORT = re.compile(r"^export (SKYTRUNK_\w+)=(\S+)$", re.MULTILINE)
"""A setting that a section gives all its commands."""


def commands(text: str) -> list[str]:
    """Return the command lines of every fenced shell block, continued lines joined.

    In a `console` block a command stands behind `$ `, the rest is output.
    """
    found = []
    for language, body in FENCED.findall(text):
        if language not in SHELLS:
            continue
        lines = body.replace("\\\n", " ").splitlines()
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        plain = [] if language == "console" or prompted else lines
        found += [line.split(" #")[0].strip() for line in prompted or plain]
    return [line for line in found if line]


def ours(section: str) -> list[str]:
    """Return the commands of a section that start with `skytrunk` or `make`."""
    return [
        line
        for line in commands(section)
        if _program(line) in {"skytrunk", "make"} and not line.startswith(RUN_ELSEWHERE)
    ]


def sections() -> list[tuple[str, str]]:
    """Return every section of every document in which commands of ours stand, and its name."""
    found = []
    for document in DOCUMENTS:
        for text in re.split(r"^## ", document.read_text(encoding="utf-8"), flags=re.MULTILINE):
            if ours(text):
                found.append((f"{document.name}: {text.partition(chr(10))[0]}", text))
    return found


def _program(line: str) -> str:
    words = shlex.split(line)
    return Path(words[0]).name if words else ""


def targets() -> set[str]:
    """Return the targets that the Makefile declares."""
    (declared,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(declared.split())


def _command(words: list[str]) -> str:
    """Return the command among words, behind the options in front of it; all take a value."""
    place = 1
    while place < len(words) and words[place].startswith("--"):
        place += 2
    return "".join(words[place : place + 1])


def _run(line: str, folder: Path, settings: dict[str, str]) -> None:
    words = shlex.split(line)
    arguments = [sys.executable, "-m", "api.cli", *words[1:]]
    environment = {name: value for name, value in os.environ.items() if "SKYTRUNK" not in name}
    environment |= {"PYTHONPATH": str(ROOT), **settings}
    if _command(words) not in STAYING:
        done = subprocess.run(
            arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return
    with subprocess.Popen(
        arguments, cwd=folder, env=environment, stderr=subprocess.PIPE
    ) as process:
        try:
            process.wait(timeout=STAY_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            # 130 where it had not even begun to stay, as on a machine with much else to do.
            assert process.wait(timeout=60.0) in {0, 130}, line
            return
        finally:
            process.kill()  # whatever went wrong: else it stays, and this test with it
        assert process.stderr is not None
        raise AssertionError(f"{line} ended by itself: {process.stderr.read().decode()}")


LONG = ("README.md: Replay", "README.md: Operate", "README.md: See")


def _marked(name: str, text: str) -> object:
    """README's long sections, and those of other documents, are walked by `make walks`."""
    marks = () if name.startswith("README") and not name.startswith(LONG) else (pytest.mark.walks,)
    return pytest.param(text, id=name, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("section", [_marked(name, text) for name, text in sections()])
def test_every_command_of_a_section_works(section: str, tmp_path: Path) -> None:
    # One folder for a section, in order: a later command may need what an earlier one made.
    for name in ("tle", "examples", "README.md"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    for line in ours(section):
        if _program(line) == "make":
            wanted = [word for word in shlex.split(line)[1:] if "=" not in word]
            assert set(wanted) <= targets(), line
        else:
            _run(line, tmp_path, dict(EXPORT.findall(section)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_python_example_of_a_document_runs(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for language, body in FENCED.findall(document.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(body, document.name, "exec"), {})


def test_commands_are_found_in_shell_blocks_alone() -> None:
    text = """
```sh
make demo    # everything
skytrunk passes micius \\
  --from 2016-12-19 --to 2016-12-20
```
```console
$ skytrunk stations
output that is no command
```
```python
make = "not this"
```
"""

    assert commands(text) == [
        "make demo",
        "skytrunk passes micius    --from 2016-12-19 --to 2016-12-20",
        "skytrunk stations",
    ]


def test_the_makefile_has_the_two_commands() -> None:
    assert {"demo", "test"} <= targets()
