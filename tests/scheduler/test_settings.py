"""Settings: who wins, and what is refused."""

from pathlib import Path

import pytest

from scheduler.errors import SettingsError
from scheduler.settings import load_settings


def test_the_defaults_need_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKYTRUNK_DATABASE_URL", raising=False)
    settings = load_settings()

    assert settings.database_url == "sqlite:///skytrunk.db"
    assert settings.scenario == "micius-2016"


def test_the_command_line_beats_the_environment_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "skytrunk.toml"
    file.write_text('port = 1001\nhost = "h1"\nscenario = "s1"\n')
    monkeypatch.setenv("SKYTRUNK_PORT", "1002")
    monkeypatch.setenv("SKYTRUNK_HOST", "h2")

    settings = load_settings(file, port=1003, host=None)

    assert (settings.port, settings.host, settings.scenario) == (1003, "h2", "s1")


def test_the_file_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "skytrunk.toml"
    file.write_text("track_step_s = 2.5\n")
    monkeypatch.setenv("SKYTRUNK_CONFIG", str(file))

    assert load_settings().track_step_s == 2.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 0", "port"),
        ("planner = 'best'", "planner"),
        ("max_element_age_days = -1", "max_element_age_days"),
        ("databse_url = 'x'", "databse_url.*known settings.*database_url"),
        ("port = ", "settings file"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "skytrunk.toml"
    file.write_text(text + "\n")

    with pytest.raises(SettingsError, match=message):
        load_settings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")
