"""Two-decoy key lengths against SatQuMA v2 and our own reference values."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import qkd

# The same formulas in double precision: rounding only.
RELATIVE = 1e-6
CASES = [*(f"f{i:02d}" for i in range(1, 21)), "o1", "o2", "o3"]
Row = dict[str, str]
Table = list[Row]


def block(row: Row, errors: str) -> tuple[qkd.Counts, qkd.DecoyProtocol, qkd.Security]:
    def three(name: str) -> NDArray[np.float64]:
        return np.array([float(row[f"{name}{k}"]) for k in (1, 2, 3)])

    clicks = three("nX")
    counts = qkd.Counts(
        key_clicks=clicks,
        # Only the total is known, and only the total counts.
        key_errors=clicks / clicks.sum() * float(row["mX"]),
        check_clicks=three("nZ"),
        check_errors=three(errors),
    )
    protocol = qkd.DecoyProtocol(
        intensities=tuple(three("mu")),
        probabilities=tuple(three("p")),
        pulse_rate_hz=float(row["fs_Hz"]),
        key_basis_alice=float(row["PxA"]),
        key_basis_bob=float(row["PxA"]),
    )
    security = qkd.Security(secrecy=float(row["eps_sec"]), correctness=float(row["eps_cor"]))
    return counts, protocol, security


@pytest.fixture
def row(table: Callable[[str], Table], case: str) -> Row:
    return next(r for r in table("key-length-two-decoy.csv") if r["case"] == case)


@pytest.mark.parametrize("case", CASES)
def test_parity_with_satquma(row: Row) -> None:
    leaks: dict[str, qkd.LeakModel] = {
        # Its natural logarithms leave the finite term below the block one in every row.
        "logM": qkd.FiniteLeak(natural_logs=True),
        "block": qkd.BlockLeak(),
        "mXtot": qkd.ErrorCountLeak(efficiency=1.16),
        "None": qkd.NoLeak(),
    }
    bounds = {"Chernoff": "yin", "Hoeffding": "hoeffding", "Asymptotic": "asymptotic"}
    counts, protocol, security = block(row, "mZ")

    key = qkd.secret_key(
        counts,
        protocol,
        security,
        bound=bounds[row["bound"]],
        leak=leaks[row["ec"]],
        phase="lim-parity",
        satquma_parity=True,
    )

    per_pass = max(float(key.signed_length), 0.0) / float(row["NoPass"])
    assert per_pass == pytest.approx(float(row["SKL_per_pass"]), rel=RELATIVE)
    for column, value in (
        ("phiX", key.phase_error),
        ("sX1", key.single_photon_bits),
        ("sZ1", key.check_single_photons),
        ("vZ1", key.check_phase_errors),
        ("lambdaEC", key.leak_bits),
    ):
        assert value == pytest.approx(float(row[column]), rel=RELATIVE), column
    # 1e-10 is SatQuMA's word for zero.
    assert key.vacuum_bits == pytest.approx(float(row["sX0"]), rel=RELATIVE, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("column", "bound", "phase", "parity"),
    [
        ("SKL_hoeff_block", "hoeffding", "lim-parity", False),
        ("SKL_yin_block", "yin", "lim-parity", False),
        ("SKL_chernoffExact_block", "chernoff", "lim-parity", False),
        ("SKL_chernoffExact_yinphase_block", "chernoff", "yin-parity", False),
        ("SKL_asym_block", "asymptotic", "lim-parity", False),
        ("SKL_physErr", "yin", "lim-parity", True),
    ],
)
def test_key_lengths_with_physical_errors(
    row: Row, column: str, bound: str, phase: str, parity: bool
) -> None:
    counts, protocol, security = block(row, "mZphys")

    key = qkd.secret_key(
        counts,
        protocol,
        security,
        bound=bound,
        leak=qkd.BlockLeak(),
        phase=phase,
        satquma_parity=parity,
    )

    per_pass = max(float(key.signed_length), 0.0) / float(row["NoPass"])
    assert per_pass == pytest.approx(float(row[column]), rel=RELATIVE, abs=1e-9)


def test_the_exact_tail_gains_key_at_many_errors_and_takes_it_at_few(
    table: Callable[[str], Table],
) -> None:
    for row in table("key-length-two-decoy.csv"):
        counts, protocol, security = block(row, "mZphys")
        keys = {
            phase: qkd.secret_key(counts, protocol, security, phase=phase)
            for phase in ("exact", "lim-parity", "yin-parity")
        }
        if keys["lim-parity"].length_bits == 0:
            continue
        gain = keys["exact"].signed_length / keys["lim-parity"].signed_length
        # The deviation of `lim` is a quarter too large at a million photons; how few errors
        # make it too small depends on the sizes of both samples.
        if keys["exact"].check_phase_errors > 1000.0:
            assert gain > 1.0, row["case"]
        # One term of the tail (yin) is less than the tail, by ever less of the deviation.
        ratio = keys["yin-parity"].phase_error / keys["exact"].phase_error
        assert 0.99 <= ratio <= 1.03, row["case"]
