"""What settled sessions teach about a link's loss, and what a forecast then promises."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import betaincinv, stdtr, stdtrit

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import QkdInputError

#: ln of a power ratio per decibel.
NEPER_PER_DB = math.log(10.0) / 10.0
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpread:
    """How far a preset's loss may be off, and how far a pass differs from the next, in dB.

    loss_sigma_db : one sigma of the mean loss of all passes about the preset's
    spread_db : one sigma of a pass's mean loss about that of all passes
    sessions : how many sessions' worth of experience spread_db is held with
    """

    loss_sigma_db: float
    spread_db: float
    sessions: float = 4.0

    def __post_init__(self) -> None:
        checks.number("loss_sigma_db", self.loss_sigma_db, 0.0, 30.0, unit="dB", above=True)
        checks.number("spread_db", self.spread_db, 0.0, 30.0, unit="dB", above=True)
        checks.number("sessions", self.sessions, 0.0, 1e6, above=True)

    @checks.takes(rng=Generator)
    def draw_ratio(self, rng: Generator) -> float:
        """Return the ratio of one pass of a link whose mean loss is the preset's: log-normal."""
        return float(np.exp(self.spread_db * NEPER_PER_DB * rng.standard_normal()))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkBelief:
    """What is known of x = ln(measured / forecast), the ratio of a session's sifted bits.

    x of a session is normal about m with variance s^2, both unknown; m given s^2 is normal
    about `mean` with s^2/weight, and s^2 is inverse gamma (shape, scale). The prior and what
    any number of sessions makes of it have the same form (normal-inverse-gamma), so that a
    belief is four numbers. Losses in dB are normal, hence transmittances log-normal.

    Clouds are no part of it: a session that was cut short is no measure of the loss. The
    counting noise of a session of n bits, 1/sqrt(n) in x, counts as spread.

    Source: Murphy, "Conjugate Bayesian analysis of the Gaussian distribution" (2007),
    section 6.
    """

    mean: float
    weight: float
    shape: float
    scale: float

    def __post_init__(self) -> None:
        checks.number("mean", self.mean, -100.0, 100.0)
        checks.number("weight", self.weight, 0.0, above=True)
        # Above 1, for only then has the spread a mean.
        checks.number("shape", self.shape, 1.0, above=True)
        checks.number("scale", self.scale, 0.0, above=True)

    @classmethod
    @checks.takes(spread=LinkSpread)
    def prior(cls, spread: LinkSpread) -> Self:
        """Return the belief before any session: the preset is right but for its spread.

        E[s^2] = spread^2 and Var[m] = loss_sigma^2, in nepers.
        """
        variance = (spread.spread_db * NEPER_PER_DB) ** 2
        return cls(
            mean=0.0,
            weight=(spread.spread_db / spread.loss_sigma_db) ** 2,
            shape=1.0 + 0.5 * spread.sessions,
            scale=0.5 * spread.sessions * variance,
        )

    def updated(self, ratios: ArrayLike) -> Self:
        """Return the belief after sessions whose measured/forecast ratios these are.

        Their order plays no part. The forecast is that of the PRESET, the same for all: not
        one that has learned already.

        Raises QkdInputError if a ratio is not above 0: a session without a bit is an
        outage, not a loss.
        """
        found = checks.array("ratios", ratios, 0.0, 1e6).ravel()
        if np.any(found <= 0.0):
            raise QkdInputError(f"ratios holds {found.min()!r}, allowed above 0")
        if found.size == 0:
            return self
        x = np.log(found)
        n, middle = x.size, float(x.mean())
        weight = self.weight + n
        between = self.weight * n / weight * (middle - self.mean) ** 2
        return type(self)(
            mean=(self.weight * self.mean + n * middle) / weight,
            weight=weight,
            shape=self.shape + 0.5 * n,
            scale=self.scale + 0.5 * (float(((x - middle) ** 2).sum()) + between),
        )

    @property
    def loss_bias_db(self) -> float:
        """Posterior mean of the loss beyond the preset's, dB; negative for a better link."""
        return -self.mean / NEPER_PER_DB

    @property
    def loss_sigma_db(self) -> float:
        """Posterior standard deviation of that mean loss, dB."""
        return math.sqrt(self.scale / ((self.shape - 1.0) * self.weight)) / NEPER_PER_DB

    @property
    def spread_db(self) -> float:
        """Posterior root mean square of the pass-to-pass spread, dB."""
        return math.sqrt(self.scale / (self.shape - 1.0)) / NEPER_PER_DB

    def _width(self) -> float:
        """Return the scale of the predictive Student distribution of x."""
        return math.sqrt(self.scale * (self.weight + 1.0) / (self.shape * self.weight))

    def ratio_quantiles(self, probabilities: ArrayLike = QUANTILES) -> FloatArray:
        """Return quantiles of the NEXT session's ratio: Student's distribution of ln ratio.

        A key grows with the transmittance, so that the key at the 10 % ratio is the key's
        10 % quantile.
        """
        p = checks.array("probabilities", probabilities, 1e-12, 1.0 - 1e-12)
        return np.asarray(np.exp(self.mean + self._width() * stdtrit(2.0 * self.shape, p)))

    def probability_below(self, ratio: ArrayLike) -> FloatArray:
        """Return the forecast's probability of a ratio no larger than the one measured."""
        seen = np.maximum(checks.array("ratio", ratio, 0.0, 1e300), 1e-300)
        return np.asarray(stdtr(2.0 * self.shape, (np.log(seen) - self.mean) / self._width()))

    @checks.takes(rng=Generator)
    def draw_ratio(self, rng: Generator) -> float:
        """Return one session's ratio, drawn from what is believed of the next."""
        return float(np.exp(self.mean + self._width() * rng.standard_t(2.0 * self.shape)))


def reliability(below: ArrayLike, levels: ArrayLike) -> FloatArray:
    """Return how often the outcome lay within the forecast's quantile of each level.

    Parameters
    ----------
    below : array (sessions,), `probability_below` of each outcome, by the forecast before it
    levels : array, 0 to 1; an honest forecast gives the levels back

    Returns
    -------
    frequencies : array of the levels' shape; NaN without a session
    """
    seen = checks.array("below", below, 0.0, 1.0).ravel()
    asked = checks.array("levels", levels, 0.0, 1.0)
    if seen.size == 0:
        return np.full(asked.shape, np.nan)
    return np.asarray((seen <= asked[..., None]).mean(axis=-1))


def binomial_bars(hits: ArrayLike, sessions: int, *, within: float = 0.6827) -> FloatArray:
    """Return the interval that holds a frequency with some probability, exact for any count.

    Parameters
    ----------
    hits : array, how many of the sessions
    within : probability that the interval holds the true frequency, at least

    Returns
    -------
    low, high : array (2, ...) over the hits' shape

    Source: Clopper and Pearson, Biometrika 26, 404 (1934).
    """
    count = checks.whole("sessions", sessions, 1, 1_000_000_000)
    checks.number("within", within, 0.0, 1.0 - 1e-12, above=True)
    found = checks.array("hits", hits, 0.0, float(count))
    tail = 0.5 * (1.0 - within)
    low = betaincinv(np.maximum(found, 0.5), count - found + 1.0, tail)
    high = betaincinv(found + 1.0, np.maximum(count - found, 0.5), 1.0 - tail)
    return np.stack([np.where(found > 0.0, low, 0.0), np.where(found < count, high, 1.0)])
