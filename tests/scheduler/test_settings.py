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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SKYTRUNK_SCENARRIO", "SKYTRUNK_SCENARRIO is no setting; probably meant: scenario"),
        ("SKYTRUNK_DATABASEURL", "probably meant: database_url"),
        ("SKYTRUNK_KEKFILE", "probably meant: kek_file"),
        ("skytrunk_prot", "skytrunk_prot is no setting; probably meant: port"),
        ("SKYTRUNK_ZZZZ", "SKYTRUNK_ZZZZ is no setting (known settings: database_url; key_folder"),
    ],
)
def test_a_name_in_the_environment_that_is_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert words in str(caught.value)


def test_benchmarks_and_the_sealing_key_have_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKYTRUNK_BENCH_ROUNDS", "2")
    monkeypatch.setenv("SKYTRUNK_KEK_FILE", str(tmp_path / "kek"))
    assert load_settings().scenario == "micius-2016"


def test_a_setting_of_the_file_that_is_none_names_the_one_meant(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("scenarrio = 'x'\n")
    with pytest.raises(SettingsError, match="scenarrio is no setting; probably meant: scenario "):
        load_settings(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("url", "unused"),
    [
        ("sqlite:///l.db?mode=ro", "'mode=ro'"),
        ("sqlite:///file:u.db?uri=true", "'file:'"),
        ("sqlite+pysqlite:///l.db?timeout=1", "'timeout=1'"),
    ],
)
def test_what_of_a_database_address_is_not_used_is_refused(url: str, unused: str) -> None:
    with pytest.raises(SettingsError, match=f"{unused} would not be used; allowed: sqlite:///FILE"):
        load_settings(database_url=url)


def test_a_server_reads_its_own_part_of_an_address() -> None:
    url = "postgresql://host/name?sslmode=require"
    assert load_settings(database_url=url).database_url == url
