"""The two ends of a session: satellites, and the telescopes on the ground."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orbits import HorizonMask
from scheduler.domain import PAIR_MARK
from scheduler.errors import ScenarioError
from scheduler.network.keys import DELAY_S_MAX, check_limits
from scheduler.network.kinds import SESSION_OF_PRESET, Announces, SessionKind
from scheduler.network.schema import SATELLITES, STATIONS
from scheduler.network.terminals import ASSUMED, StatedNumber, Terminal, published

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def check_name(what: str, name: str) -> None:
    """Raise ScenarioError unless a name has the form that every id has."""
    if not _NAME.fullmatch(name):
        raise ScenarioError(
            f"{what} {name!r}; allowed: lower-case letters and digits, parts joined by one '-'"
        )


def check_within(what: str, value: float, low: float, high: float) -> None:
    """Raise ScenarioError for a value outside its limits."""
    if not low <= value <= high:
        raise ScenarioError(f"{what} {value}; allowed: {low:,.12g} to {high:,.12g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Satellite:
    """A satellite that makes key with stations; in the network it is a trusted relay.

    It holds one key for each pass and can relay only what it has announced: on command, the XOR
    of two of them (Liao et al., PRL 120, 030501, 2018). Until then a session's key waits.
    """

    satellite_id: str
    name: str
    norad_id: int
    transmitter: Terminal
    source: str = ""
    announces: Announces = Announces.NEXT_CONTACT
    announce_delay_s: float = 0.0  #: from the end of a session; with `Announces.DELAY` alone
    announces_because: str = ""  #: what takes so long, or brings it without a station
    elements: str = ""  #: how its element sets come where no feed has them
    domain: str = ""
    session: SessionKind | None = None  #: None: what its transmitter is for
    sessions: tuple[tuple[str, SessionKind], ...] = ()  #: over single stations, where another

    def __post_init__(self) -> None:
        where = f"satellite {self.satellite_id}"
        for kind in (self.session, *(kind for _, kind in self.sessions)):
            if kind not in {None, SessionKind.COMMISSIONING, self._made_for}:
                raise ScenarioError(
                    f"{where}: session {kind} with the preset {self.transmitter.like}; allowed:"
                    f" {self._made_for}, {SessionKind.COMMISSIONING}"
                )
        check_name("satellite", self.satellite_id)
        check_limits(SATELLITES, f"{where}: ", self)
        if self.announces is Announces.DELAY:
            check_within(f"{where}: announces", self.announce_delay_s, 1.0, DELAY_S_MAX)
            if not self.announces_because.strip():
                raise ScenarioError(
                    f"{where}: announces {self.announce_delay_s:g} s after a session, but"
                    " announces_because is empty; allowed: what takes so long, or how the"
                    " announcement comes down without a station"
                )
        elif self.announce_delay_s or self.announces_because:
            raise ScenarioError(
                f"{where}: announces {self.announces} with announces_because"
                f" {self.announces_because!r}; allowed: only with a delay in seconds"
            )

    @property
    def _made_for(self) -> SessionKind:
        return SESSION_OF_PRESET[self.transmitter.like]

    def session_over(self, station_id: str) -> SessionKind:
        """Return what its sessions over a station are; `a+b` of a dual downlink is one."""
        if PAIR_MARK in station_id:
            return SessionKind.DUAL_DOWNLINK
        return dict(self.sessions).get(station_id) or self.session or self._made_for

    @property
    def announcing(self) -> str:
        """The choice in one word or figure, as a run is bound to it."""
        if self.announces is Announces.DELAY:
            return f"{self.announce_delay_s:g} s"
        return self.announces.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A ground telescope: its place, its mask, and the node that keeps its key."""

    station_id: str
    name: str
    lat_deg: float  #: WGS84, north positive
    lon_deg: float  #: east positive
    height_m: float  #: above the WGS84 ellipsoid
    mask_deg: float  #: least elevation, all round
    node: str
    receiver: Terminal | None = None  #: None takes that of the satellite's published downlink
    telescope_m: float | None = None  #: None: the receiver's
    mount: str = ""  #: receivers that name the same one take turns; "" is a mount of its own
    slew_rate_deg_s: float | None = None  #: of its slower axis; None: the planning rules' slew_s
    source: str = ""
    horizon: HorizonMask | None = None  #: what stands around it, true elevations
    domain: str = ""
    owner: str = ""  #: an operator; "" is everybody's
    quiet_hours: tuple[str, ...] = ()  #: HH:MM-HH:MM, UTC

    def __post_init__(self) -> None:
        check_name("station", self.station_id)
        check_limits(STATIONS, f"station {self.station_id}: ", self)

    def horizon_above(self, least_deg: float) -> HorizonMask:
        """Return below which elevation it sees nothing, by azimuth, and never below one."""
        if self.horizon is not None:
            return self.horizon.at_least(least_deg)
        return HorizonMask(azimuth_deg=(0.0,), elevation_deg=(least_deg,))

    def receiver_for(self, satellite: Satellite) -> Terminal:
        """Return what receives a satellite here, its telescope the one that stands here."""
        if satellite.session_over(self.station_id) is SessionKind.UPLINK:
            return published(satellite.transmitter.like)  # the satellite's: this telescope sends
        receiver = self.receiver or published(satellite.transmitter.like)
        if self.telescope_m is None:
            return receiver
        source = self.source or ASSUMED
        stated = StatedNumber(key="telescope_m", value=self.telescope_m, source=source)
        return receiver.stating(stated)
