"""One-decoy key lengths against Rusca et al. 2018 and a public simulator."""

from collections.abc import Callable

import pytest

import qkd

Table = list[dict[str, str]]


def test_one_decoy_matches_every_row(table: Callable[[str], Table]) -> None:
    rows = table("key-length-one-decoy.csv")
    assert len(rows) == 20
    for row in rows:
        counts = qkd.Counts(
            key_clicks=[float(row["nX1"]), float(row["nX2"])],
            key_errors=[float(row["mX1"]), float(row["mX2"])],
            check_clicks=[float(row["nZ1"]), float(row["nZ2"])],
            check_errors=[float(row["mZ1"]), float(row["mZ2"])],
        )
        protocol = qkd.DecoyProtocol(
            intensities=(float(row["mu1"]), float(row["mu2"])),
            probabilities=(float(row["p1"]), float(row["p2"])),
            pulse_rate_hz=1e9,
            key_basis_alice=float(row["pX"]),
            key_basis_bob=float(row["pX"]),
        )
        secrecy, correctness = float(row["eps_sec"]), float(row["eps_cor"])
        security = qkd.Security(secrecy=secrecy, correctness=correctness)
        for bound in ("hoeffding", "chernoff"):
            key = qkd.secret_key(
                counts,
                protocol,
                security,
                bound=bound,
                decoys=1,
                phase="lim-parity",
                leak=qkd.BlockLeak(),
            )
            expected = float(row[f"ref_rusca2018_{bound}"])
            assert max(float(key.signed_length), 0.0) == pytest.approx(expected, rel=1e-6)
            assert key.epsilons.terms == 19
        if row["fung_phase"] == "True":
            other = qkd.Security(secrecy=secrecy, correctness=correctness, terms=15)
            key = qkd.secret_key(
                counts, protocol, other, bound="hoeffding", decoys=1, phase="lim-parity"
            )
            for column, value in (
                ("phi", key.phase_error),
                ("sX1", key.single_photon_bits),
                ("sZ1", key.check_single_photons),
                ("vZ1", key.check_phase_errors),
            ):
                assert value == pytest.approx(float(row[column]), rel=1e-6), (row["case"], column)
