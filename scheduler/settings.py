"""Typed settings, read once and passed in: command line, then environment, then TOML file."""

from __future__ import annotations

import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from scheduler.domain import REPEATING, parse_cadence
from scheduler.errors import SettingsError

Files = Annotated[tuple[Path, ...], NoDecode]
"""Any number of files; in the environment separated by `:`."""


class KmePeer(BaseModel):
    """The key manager of another network, and the node of ours that it stands at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    node: str
    url: str
    certificate: Path | None = None
    """Ours there, with its key in one PEM file; without one no TLS identity is shown."""
    ca: Path | None = None
    """Authority of the certificate that it shows."""


class DeviceKme(BaseModel):
    """The key manager at one end of a downlink's device, and who we are there (ETSI 014)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern="^https?://")
    sae: str
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None


class ExecutorSetting(BaseModel):
    """What carries out the sessions of a downlink."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["simulator", "device", "file-drop"]
    folder: Path | None = None
    """Of a file drop: each session's key comes in a folder of its booking's id in there."""
    a: DeviceKme | None = None
    b: DeviceKme | None = None
    """Of a device: the key managers at the two ends, in the order of the link's name."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needs = {"simulator": (), "device": ("a", "b"), "file-drop": ("folder",)}[self.kind]
        given = {name for name in ("folder", "a", "b") if getattr(self, name) is not None}
        if given != set(needs):
            raise ValueError(
                f"executor {self.kind} with {', '.join(sorted(given)) or 'nothing'}; allowed:"
                f" {', '.join(needs) or 'nothing'}"
            )
        return self


class Settings(BaseSettings):
    """Everything that can be set from outside; each field is `SKYTRUNK_<NAME>` in the environment.

    In a TOML file (named by `--config` or `SKYTRUNK_CONFIG`) the names are the same in lower case.
    """

    model_config = SettingsConfigDict(
        env_prefix="SKYTRUNK_", extra="forbid", frozen=True, env_ignore_empty=True
    )

    database_url: str = "sqlite:///skytrunk.db"
    """Where the ledger is; SQLite file by default, in the working directory."""
    key_folder: Path | None = None
    """Where the wrapped data keys are, one file for each pool and epoch; beside the file of the
    key-encryption key unless set here. Keep its copies apart from those of the ledger."""
    checkpoint_place: str | None = None
    """Where signed checkpoints are put, out of reach of the ledger's host: a folder, or an http(s)
    address that each is posted to; `ledger verify` holds the log against the newest in a folder."""
    schedules: dict[str, str] = {}
    """When `run` does the work of a name: seconds (900, 15m, 6h, 1d), a line of cron in UTC, or
    off. Where it is silent the scenario's intervals hold for trunk, close, announce, expire, merge
    and plan; elements 6h and weather 3h where there is anything to ask for, verify 1d, checkpoint
    1d, segment 1d where there is an archive_place. A table in TOML, JSON in the environment."""
    plan_horizon_days: float = Field(default=3.0, ge=0.25, le=31.0)
    """How far ahead each plan of `run` looks."""
    archive_place: Path | None = None
    """Folder of closed periods: each a signed, compressed file, to be kept as long as its rows
    must be shown. Without one nothing leaves the database."""
    segment_rest_s: float = Field(default=86_400.0, ge=0.0, le=31_622_400.0)
    """How long what is finished (key spent and erased, jobs done) stays in the database."""
    log_public_key: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """The key that signs this ledger's checkpoints (`ledger public-key`); a ledger that has another
    one is refused, and a checkpoint by another does not count."""
    epoch_hours: float = Field(default=24.0, gt=0.0, le=8784.0)
    """How long one data key is used: key spent since then can be read in copies of the database
    by whoever has the key-encryption key and the key folder, key spent before by nobody."""
    shred_deadline_s: float = Field(default=3600.0, gt=0.0, le=31_622_400.0)
    """Time after its end by which an epoch must be shredded; `vault status` shows what is late."""
    scenario: str = "micius-2016"
    """Name of a scenario that ships with Skytrunk, or the path of a TOML file; without one, `run`
    and `serve` by the present clock take that of the ledger's replay, else spoqc-2026."""
    max_element_age_days: float | None = Field(default=None, gt=0.0, le=366.0)
    """Beyond this age, either side, an element set is refused; the scenario's own limit (14 days
    where it names none) unless set here."""
    ut1_file: Path | None = None
    """UT1 and leap seconds newer than those that ship: IERS finals2000A, or Skyfield's iers.npz."""
    planner: Literal["auto", "lp", "milp", "greedy"] = "lp"
    """Which solver books passes; "auto" goes on from the LP to the exact program where quick."""
    objective: Literal["demand", "max-min", "total"] = "demand"
    """What plans are best at: end-to-end demands, the worst-served station, or all bits."""
    weather: Literal["none", "climatology", "open-meteo"] | None = None
    """Where the chance of a clear sky comes from; the scenario's own choice unless set here."""
    weather_url: str = "https://api.open-meteo.com/v1/forecast"
    """Where forecasts are asked for if the weather is open-meteo."""
    weather_file: Path | None = None
    """Forecasts as CSV (station, issued_at, valid_at, p_clear), used before the above."""
    risk_aversion: float = Field(default=0.0, ge=0.0, le=10.0)
    """Standard deviations, of clear sky and of how passes differ, taken off the key expected of a
    session when plans are weighed."""
    plan_days_max: float = Field(default=31.0, gt=0.0, le=366.0)
    """Longest window of one plan."""
    bound: Literal["hoeffding", "chernoff"] = "chernoff"
    """Tail bound of the finite-key analysis."""
    track_step_s: float = Field(default=1.0, gt=0.0, le=10.0)
    """Sampling of a pass for the key forecast."""
    passes_days_max: float = Field(default=92.0, gt=0.0, le=3660.0)
    """Longest time that one question about passes may span."""
    engine: Literal["numpy", "fast", "skyfield"] = "numpy"
    """What finds passes for questions about them: "fast" needs the extra of that name, "skyfield"
    is the reference, slow and for even horizons. Plans are numpy's."""
    elements_url: str = "https://celestrak.org/NORAD/elements/gp.php"
    """GP endpoint for `skytrunk elements fetch`: an address, to which CATNR and FORMAT=json are
    added, or one that holds {norad_id}. Nothing but that command and `run` ever asks it."""
    elements_timeout_s: float = Field(default=20.0, gt=0.0, le=600.0)
    """Longest time that one answer of it may take."""
    elements_bytes_max: int = Field(default=10_000_000, ge=1, le=200_000_000)
    """Largest answer of it that is read."""
    alert_url: str | None = Field(default=None, pattern="^https?://")
    """Where alerts are posted to, signed with the secret below; without one they are only listed
    (`skytrunk alerts`)."""
    alert_secret_file: Path | None = None
    """File with the secret of the signature, 16 bytes and more, without spaces around it."""
    alert_runway_hours: float = Field(default=24.0, gt=0.0, le=8784.0)
    """A pair whose key runs dry sooner at the rate of the last day is an alert."""
    executors: dict[str, ExecutorSetting] = {}
    """What carries out the sessions of a STATION, or of SATELLITE/STATION; the simulator where
    nothing is said. Tables in TOML, JSON in the environment."""
    log_format: Literal["lines", "json"] = "lines"
    """What `run`, `serve` and `worker` log: lines for people, or a JSON object a line."""
    replays_folder: Path = Path("replays")
    """Where replays are kept that are started over HTTP or on the page: a ledger each."""
    laboratory: bool = False
    """Whether applications may be given key from a simulated source; nobody else should be."""
    key_size_bits: int = Field(default=256, ge=8, le=65_536, multiple_of=8)
    """Size of a key for an application that names none."""
    key_size_bits_min: int = Field(default=64, ge=8, le=65_536, multiple_of=8)
    """Smallest key that an application may ask for."""
    key_size_bits_max: int = Field(default=8192, ge=8, le=65_536, multiple_of=8)
    """Largest key that an application may ask for."""
    keys_per_request_max: int = Field(default=128, ge=1, le=500)
    """Most keys of one request."""
    slaves_per_request_max: int = Field(default=16, ge=0, le=64)
    """Most additional slave SAEs of one request."""
    key_retention_s: float = Field(default=3600.0, ge=600.0, le=7 * 86_400.0)
    """How long a key waits for its slaves to collect it; then it is destroyed."""
    key_answer_s: float = Field(default=30.0, ge=1.0, le=600.0)
    """After so long an answer with key that nobody saw leave is in doubt: a master's is void, a
    slave may ask again."""
    kme_peers: dict[str, KmePeer] = {}
    """Networks of others, by the KME id in their certificates: where keys are passed on to them
    and come from them (ETSI GS QKD 020). Tables in TOML, JSON in the environment."""
    kme_hosts: dict[str, str] = {}
    """Which node's key manager has which certificate (by its KME id) or host name; by any other
    name it is the one of whoever calls. A table in TOML, JSON in the environment."""
    host: str = "127.0.0.1"
    """Address on which `skytrunk serve` listens."""
    port: int = Field(default=8014, ge=1, le=65535)
    """Port on which `skytrunk serve` listens."""
    certificate: Path | None = None
    """PEM file with a certificate and its key for that port; without it, it speaks no TLS."""
    requests_per_s: float = Field(default=100.0, gt=0.0, le=1e6)
    """How often one token, or one address without any, may ask; 429 above."""
    kme_host: str = "127.0.0.1"
    """Address of the key manager's port."""
    kme_port: int = Field(default=8443, ge=1, le=65535)
    """The key manager's port."""
    kme_certificates: Files = ()
    """Certificates of key managers, each with its key (or that beside it as .key); the first for
    clients that name no host. None: `serve` delivers no keys."""
    kme_applications_ca: Path | None = None
    """Certificates of the authorities of applications (SAEs)."""
    kme_peers_ca: Path | None = None
    """Certificates of the authorities of other key managers."""
    kme_revocation_lists: Files = ()
    """Their revocation lists: one for each authority, or none at all."""
    kme_pki: Path | None = None
    """A laboratory's folder (`skytrunk pki`), in place of the three above."""
    kme_requests_per_s: float = Field(default=1000.0, gt=0.0, le=1e6)
    """How often one application or key manager may ask; 503 above."""
    request_timeout_s: float = Field(default=10.0, gt=0.0, le=600.0)
    """How long a TLS handshake, and a request from its first byte to its last, may take."""
    idle_timeout_s: float = Field(default=75.0, gt=0.0, le=3600.0)
    """How long a connection may lie idle between two requests."""
    connections_max: int = Field(default=512, ge=1, le=65_536)
    """Connections of a port at once."""

    @field_validator("kme_certificates", "kme_revocation_lists", mode="before")
    @classmethod
    def _files(cls, given: Any) -> Any:
        """The environment has them in one text, as it has PATH."""
        return tuple(filter(None, given.split(os.pathsep))) if isinstance(given, str) else given

    @field_validator("schedules", mode="before")
    @classmethod
    def _are_cadences(cls, given: Any) -> Any:
        """Whole numbers are seconds; every name is that of work which repeats."""
        if not isinstance(given, dict):
            return given
        for name, text in given.items():
            if name not in REPEATING:
                near = get_close_matches(str(name), REPEATING, n=1)
                meant = f"; probably meant: {near[0]}" if near else ""
                raise ValueError(f"no work {name!r}{meant}; allowed: {', '.join(REPEATING)}")
            parse_cadence(str(text))
        return {name: str(text) for name, text in given.items()}

    @field_validator("kme_peers")
    @classmethod
    def _can_be_a_node(cls, peers: dict[str, KmePeer]) -> dict[str, KmePeer]:
        """The pools of keys from another network bear its name."""
        for name in peers:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
                raise ValueError(
                    f"KME id {name!r}; allowed: lower-case letters and digits, parts joined by one"
                    " '-'"
                )
        return peers

    @field_validator("database_url")
    @classmethod
    def _all_of_it_is_used(cls, url: str) -> str:
        """SQLite is opened by its file's name alone; the rest would be left aside in silence."""
        kind, _, file = url.partition(":///")
        if kind.partition("+")[0] == "sqlite":
            unused = "file:" if file.startswith("file:") else file.partition("?")[2]
            if unused:
                raise ValueError(f"{unused!r} would not be used; allowed: sqlite:///FILE alone")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line first, then the environment, then the file handed over by the loader."""
        assert isinstance(init_settings, InitSettingsSource)
        given = dict(init_settings.init_kwargs)
        from_file = given.pop("from_file", {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=given),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=from_file),
        )


OTHER_NAMES = ("config", "kek", "kek_file", "token")
"""What the environment may name besides settings: where the file is, the sealing key, and the
token that a client shows to a server."""
BENCHMARKS = "bench_"


def _refuse_unknown_names() -> None:
    prefix = str(Settings.model_config["env_prefix"]).lower()
    known = [*Settings.model_fields, *OTHER_NAMES]
    for variable in sorted(os.environ):
        name = variable.lower().removeprefix(prefix)
        ours = name != variable.lower() and not name.startswith(BENCHMARKS)
        if ours and name not in known:
            raise SettingsError(f"environment variable {variable}{_no_setting(name, known)}")


def _no_setting(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    meant = f"; probably meant: {near[0]}" if near else ""
    return f" is no setting{meant} (known settings: {'; '.join(known)})"


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings. Overrides that are None count as not given.

    Raises SettingsError naming the setting, the value seen and what is allowed; also for a name
    in the environment that begins like a setting and is none.
    """
    if config is None and os.environ.get("SKYTRUNK_CONFIG"):
        config = Path(os.environ["SKYTRUNK_CONFIG"])
    _refuse_unknown_names()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**{"from_file": _read_toml(config), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            wrong = _no_setting(name, list(Settings.model_fields))
        else:
            wrong = f": {first['msg'].removeprefix('Value error, ')}, got {first['input']!r}"
        raise SettingsError(f"setting {name}{wrong}") from None


def _read_toml(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"settings file {config}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {config}: {error}") from None
