"""What a session of any kind gives: downlink, uplink, dual downlink, commissioning."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import Counts, draw_counts
from qkd.entangled import Arm, PairProtocol, pair_counts
from qkd.errors import QkdInputError
from qkd.freespace.budget import LinkBudget, link_budget
from qkd.noise import background
from qkd.ports import TRACK, Track
from qkd.presets.facts import Preset, SessionKind
from qkd.tracks import track_seconds
from qkd.yields import PassYield, pass_counts, yield_of_counts

#: How many stations take part.
STATIONS_OF = {kind: 2 if kind is SessionKind.DUAL_DOWNLINK else 1 for kind in SessionKind}


@checks.takes(tracks=(list, tuple), preset=Preset, station_ids=(list, tuple))
def session_counts(
    tracks: Sequence[Track],
    preset: Preset,
    station_ids: Sequence[str],
    *,
    commissioning: bool = False,
    sample_s: ArrayLike | None = None,
    ratio: float = 1.0,
) -> tuple[Counts, LinkBudget]:
    """Return the expected counts of every sample of a session, and its link budget.

    A dual downlink has the tracks of both stations, sample by sample at the same instants; a
    sample counts while both have a link. Its budget is that of both ways together, whose
    losses add. A commissioning pass has the budget of its link and no counts.

    Parameters
    ----------
    tracks, station_ids : one of each, or two of a dual downlink
    sample_s : seconds each sample stands for; None takes the first track's own
    ratio : times the preset's transmittance, of both ways together

    Raises QkdInputError for another number of stations than the kind of session has.
    """
    for track, name in zip(tracks, station_ids, strict=False):
        checks.kind("tracks", track, TRACK)
        checks.kind("station_ids", name, str)
    kind = SessionKind.COMMISSIONING if checks.flag("commissioning", commissioning) else preset.kind
    if not len(tracks) == len(station_ids) == STATIONS_OF[kind]:
        raise QkdInputError(
            f"{len(tracks)} tracks of {len(station_ids)} stations, allowed"
            f" {STATIONS_OF[kind]} of each in a session of kind {kind.value}"
        )
    if kind is SessionKind.DUAL_DOWNLINK:
        return _dual(tracks, preset, station_ids, sample_s=sample_s, ratio=ratio)
    if kind is SessionKind.COMMISSIONING:
        receiver, site = preset.station(station_ids[0])
        budget = link_budget(tracks[0], preset.terminal, receiver, site)
        size = 1 if isinstance(preset.protocol, PairProtocol) else len(preset.pulses().intensities)
        none = np.zeros((*budget.transmittance.shape, size))
        return Counts(
            key_clicks=none, key_errors=none, check_clicks=none, check_errors=none
        ), budget
    return pass_counts(tracks[0], preset, station_ids[0], sample_s=sample_s, ratio=ratio)


def _dual(
    tracks: Sequence[Track],
    preset: Preset,
    station_ids: Sequence[str],
    *,
    sample_s: ArrayLike | None,
    ratio: float,
) -> tuple[Counts, LinkBudget]:
    checks.number("ratio", ratio, 0.0, 1e6)
    assert isinstance(preset.protocol, PairProtocol)
    shapes = [np.shape(track.range_km) for track in tracks]
    if shapes[0] != shapes[1]:
        raise QkdInputError(f"tracks have shapes {shapes}, allowed those of the same instants")
    budgets = [
        link_budget(track, preset.terminal, *preset.station(name))
        for track, name in zip(tracks, station_ids, strict=True)
    ]
    share = float(np.sqrt(ratio))
    arms = [
        _arm(track, preset, name, budget, share)
        for track, name, budget in zip(tracks, station_ids, budgets, strict=True)
    ]
    seconds = track_seconds(tracks[0]) if sample_s is None else sample_s
    counts = pair_counts((arms[0], arms[1]), preset.protocol, sample_s=seconds)
    return counts, _joint(budgets[0], budgets[1])


def _arm(track: Track, preset: Preset, name: str, budget: LinkBudget, share: float) -> Arm:
    """One way down; where its background is saturated it has no link."""
    receiver, site = preset.station(name)
    seen = background(track, preset.terminal, receiver, site)
    noise: FloatArray = seen.sky_hz + seen.stray_hz + seen.dark_hz
    usable = np.isfinite(noise)
    # The window is that of both stations' clicks together.
    gate = receiver.detector.gate_transmittance(pulse_width_ps=preset.terminal.pulse_width_ps)
    eta = np.minimum(budget.transmittance / gate * share, 1.0)
    return Arm(
        transmittance=np.where(usable, eta, 0.0),
        noise_hz=np.where(usable & (eta > 0.0), noise, 0.0),
        misalignment=receiver.misalignment,
        detector=receiver.detector,
    )


def _joint(one: LinkBudget, other: LinkBudget) -> LinkBudget:
    """The budget of both ways: losses add, transmittances multiply."""
    sums = {
        item.name: getattr(one, item.name) + getattr(other, item.name)
        for item in fields(LinkBudget)
        if item.name.endswith("_db")
    }
    return LinkBudget(**sums, transmittance=one.transmittance * other.transmittance)


@checks.takes(tracks=(list, tuple), preset=Preset, station_ids=(list, tuple))
def session_yield(
    tracks: Sequence[Track],
    preset: Preset,
    station_ids: Sequence[str],
    *,
    commissioning: bool = False,
    rng: Generator | None = None,
    sample_s: ArrayLike | None = None,
    ratio: float = 1.0,
) -> PassYield:
    """Return the expected yield of one session, or with `rng` one drawn outcome of it.

    Parameters as of `session_counts`; the session is one block (per basis used).
    """
    counts, budget = session_counts(
        tracks,
        preset,
        station_ids,
        commissioning=commissioning,
        sample_s=sample_s,
        ratio=ratio,
    )
    block = counts.total(axis=-2)
    return yield_of_counts(block if rng is None else draw_counts(block, rng), preset, budget)
