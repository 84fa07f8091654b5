"""What hardware a link has: the satellite's transmitter into the station's receiver."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from scheduler.network import SessionKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qkd import Preset
    from scheduler.network import Satellite, Station, Terminal


def link_preset(satellite: Satellite, station: Station, bound: str) -> Preset:
    """The satellite's transmitter into what receives it at the station.

    With the tail bound that the settings ask for. Raises qkd.ParameterRangeError for numbers of
    the scenario that make no hardware.
    """
    receiver = station.receiver_for(satellite)
    return _downlink(satellite.transmitter, receiver, station.station_id, station.height_m, bound)


def session_preset(satellite: Satellite, stations: Sequence[Station], bound: str) -> Preset:
    """The hardware of a session: of a satellite and one station, or the two of a dual downlink.

    Raises what `link_preset` does.
    """
    if len(stations) == 1:
        return link_preset(satellite, stations[0], bound)
    ends = tuple((one.receiver_for(satellite), one.station_id, one.height_m) for one in stations)
    return _joined(satellite.transmitter, ends, bound)


@cache
def _joined(sends: Terminal, ends: tuple[tuple[Terminal, str, float], ...], bound: str) -> Preset:
    """The preset of both ways, the basis choice of each receiver its own."""
    one, other = (_downlink(sends, *end, bound) for end in ends)
    told = {number.name: number for number in (*other.numbers, *one.numbers)}
    protocol = replace(one.protocol, key_basis_alice=one.protocol.key_basis_bob,
                       key_basis_bob=other.protocol.key_basis_bob)  # fmt: skip
    return replace(
        one,
        title=f"{one.title}; {other.title}",
        receivers={**one.receivers, **other.receivers},
        sites={**one.sites, **other.sites},
        protocol=protocol,
        numbers=tuple(told.values()),
        missing=tuple(dict.fromkeys((*one.missing, *other.missing))),
    )


def assumed_receiver(satellite: Satellite, station: Station) -> str:
    """Say what a station is assumed to receive with where nobody said it; empty if somebody did."""
    from qkd import satellite_preset

    if satellite.session_over(station.station_id) is SessionKind.UPLINK:
        return f"{station.station_id} sends with what {satellite.transmitter.name} assumes of it"
    like = satellite.transmitter.like
    receivers = satellite_preset(like).receivers
    if station.receiver is not None or station.station_id in receivers:
        return ""
    diameter_m = next(iter(receivers.values())).diameter_m
    size_m = diameter_m if station.telescope_m is None else station.telescope_m
    return (
        f"{station.station_id} names no preset: assumed to have the receiver of {like}, with a"
        f" telescope of {size_m:g} m"
    )


@cache
def _downlink(
    sends: Terminal, receives: Terminal, station_id: str, height_m: float, bound: str
) -> Preset:
    from qkd import Stated, compose, receiver_of, satellite_preset, transmitter_of

    transmitter = transmitter_of(satellite_preset(sends.like))
    receiver = receiver_of(satellite_preset(receives.like), station_id)
    sent, received = (
        {one.key: Stated(value=one.value, source=one.source) for one in end.numbers}
        for end in (sends, receives)
    )
    if sent:
        transmitter = transmitter.changed(sends.name, sent)
    if received or receives.standard_air:
        receiver = receiver.changed(receives.name, received, standard_air=receives.standard_air)
    made = compose(transmitter, receiver, station_id=station_id, height_m=height_m)
    return replace(made, bound=bound)
