"""A fibre span of the trunk: its loss, its counts and its steady key rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import Counts, DecoyProtocol, expected_counts
from qkd.errors import QkdInputError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.terms import Security
from qkd.hardware import Detector
from qkd.noise import noise_yield


@dataclass(frozen=True, slots=True, kw_only=True)
class FibreSpan:
    """A length of fibre with its connectors; fixed_loss_db is anything else on the way."""

    length_km: float
    attenuation_db_per_km: float
    connectors: int = 0
    connector_loss_db: float = 0.0
    fixed_loss_db: float = 0.0

    def __post_init__(self) -> None:
        checks.number("length_km", self.length_km, 0.0, 1000.0, unit="km")
        checks.number("attenuation_db_per_km", self.attenuation_db_per_km, 0.0, unit="dB/km")
        checks.whole("connectors", self.connectors, 0, 1000)
        checks.number("connector_loss_db", self.connector_loss_db, 0.0, unit="dB")
        checks.number("fixed_loss_db", self.fixed_loss_db, 0.0, unit="dB")

    @property
    def loss_db(self) -> float:
        """Loss of the fibre alone, without receiver and detectors."""
        lines = self.attenuation_db_per_km * self.length_km
        return lines + self.connectors * self.connector_loss_db + self.fixed_loss_db


@dataclass(frozen=True, slots=True, kw_only=True)
class FibreReceiver:
    """The receiving end of a span; misalignment is the QBER of the signal clicks alone."""

    detector: Detector
    optics_transmittance: float = 1.0
    misalignment: float = 0.0
    passive: bool = False  #: as of `Receiver`

    def __post_init__(self) -> None:
        checks.number("optics_transmittance", self.optics_transmittance, 0.0, 1.0)
        checks.number("misalignment", self.misalignment, 0.0, 0.5)
        checks.flag("passive", self.passive)
        checks.kinds(self, detector=Detector)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FibreRate:
    """The steady state of a span, all its parallel links together.

    A block of each link closes every block_s seconds (infinite without clicks) and yields
    the bits of `keys`, one of every basis used; secret_bps is their quotient, summed over
    the links. sifted_bps counts the bits that the key is distilled from.
    """

    loss_db: FloatArray  #: fibre alone
    transmittance: FloatArray  #: from source to click
    sifted_bps: FloatArray
    secret_bps: FloatArray
    qber: FloatArray  #: of the key basis; NaN without clicks
    block_s: FloatArray
    keys: tuple[KeyLength, ...]


def _close_block(
    per_second: Counts, protocol: DecoyProtocol, block_bits: float
) -> tuple[FloatArray, FloatArray]:
    """Return seconds to fill a block with clicks for keys, and those clicks per second."""
    last = 1 if protocol.key_intensities == "signal" else len(protocol.intensities)
    rate = per_second.key_clicks[..., :last].sum(axis=-1)
    if protocol.both_bases:
        rate = rate + per_second.check_clicks[..., :last].sum(axis=-1)
    # A block of fewer than 1e-200 clicks a second never closes.
    some = rate > 1e-200
    seconds = np.divide(block_bits, rate, out=np.full_like(rate, np.inf), where=some)
    return seconds, rate


@checks.takes(receiver=FibreReceiver, protocol=DecoyProtocol, security=Security)
def fibre_rate(
    span: FibreSpan | ArrayLike,
    receiver: FibreReceiver,
    protocol: DecoyProtocol,
    security: Security,
    *,
    block_bits: float = 1e7,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
    parallel_links: int = 1,
    uptime: float = 1.0,
) -> FibreRate:
    """Return the steady sifted and secret rate of a fibre span, and how long a block takes.

    Parameters
    ----------
    span : a `FibreSpan`, or an array of fibre losses in dB (0 or more), one a span
    receiver, protocol, security : of one link; security is that of one BLOCK
    block_bits : sifted bits, of every basis used for keys, that close a block
    bound, leak, phase : as for `secret_key`
    parallel_links : equal links side by side on the span
    uptime : float, 0 to 1

    Returns
    -------
    FibreRate, numbers for one span, arrays for several

    Raises QkdInputError if a parameter is impossible (a negative loss, a gate longer
    than the pulse period).
    """
    checks.number("block_bits", block_bits, 1.0, 1e14, unit="bit")
    checks.whole("parallel_links", parallel_links, 1, 1000)
    given = span.loss_db if isinstance(span, FibreSpan) else span
    loss = checks.array("loss_db", given, 0.0, unit="dB")
    detector = receiver.detector
    ends = (
        receiver.optics_transmittance * detector.counted_efficiency * detector.gate_transmittance()
    )
    eta = np.asarray(10.0 ** (-loss / 10.0) * ends)
    noise = noise_yield(detector.count * detector.dark_rate_hz, gate_ns=detector.gate_ns)
    per_second = expected_counts(
        eta,
        protocol,
        background_per_gate=noise,
        dark_per_gate=noise if receiver.passive else 0.0,
        misalignment=receiver.misalignment,
        after_pulse=detector.after_pulse,
        dead_time_ns=detector.dead_time_ns,
        dead_time_share=detector.dead_time_share,
        gate_ns=detector.gate_ns,
        uptime=uptime,
    )
    block_s, sifted = _close_block(per_second, protocol, block_bits)
    filled = np.where(np.isfinite(block_s), block_s, 0.0)
    keys = block_keys(
        per_second.scaled(np.minimum(filled, 1e16)),
        protocol,
        security,
        bound=bound,
        leak=leak,
        phase=phase,
    )
    bits = np.sum([np.asarray(k.length_bits, dtype=np.float64) for k in keys], axis=0)
    secret = np.divide(bits, block_s, out=np.zeros_like(block_s), where=np.isfinite(block_s))
    errors = per_second.key_errors.sum(axis=-1)
    clicks = per_second.key_clicks.sum(axis=-1)
    qber = np.divide(errors, clicks, out=np.full_like(clicks, np.nan), where=clicks > 0.0)
    return FibreRate(
        loss_db=loss[()],
        transmittance=eta[()],
        sifted_bps=(sifted * parallel_links)[()],
        secret_bps=(secret * parallel_links)[()],
        qber=qber[()],
        block_s=block_s[()],
        keys=keys,
    )


def chain_rate_bps(hop_rates_bps: ArrayLike) -> float:
    """Return the end-to-end rate of trusted relays in a row: that of the weakest hop.

    Raises QkdInputError if a rate is below 0, or there is no hop.
    """
    rates = checks.array("hop_rates_bps", hop_rates_bps, 0.0, unit="bit/s")
    if rates.size == 0:
        raise QkdInputError("hop_rates_bps holds nothing, allowed one rate or more")
    return float(rates.min())
