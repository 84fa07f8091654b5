"""Each preset's reference pass, by older bounds and by the sound ones: what README prints."""

import pytest

from qkd.validation import ReferenceKey, reference_keys

#: Secret bits: phase error as Lim et al., signal photons in proportion, f_EC n h(Q); and sound.
BEFORE_AND_AFTER = {
    "micius-2016": (856_868, 856_288),
    "micius-2016-fitted": (471_648, 471_976),
    "graz": (209_258, 208_998),
    "nanshan-2020": (2_934_250, 2_932_266),
    "portable-280mm": (43_672, 42_764),
    "zvenigorod": (318_414, 318_054),
    "jinan-1": (404_598, 404_230),
}


@pytest.fixture(scope="module")
def keys() -> dict[str, ReferenceKey]:
    return {one.preset: one for one in reference_keys()}


def test_each_free_space_preset_has_its_reference_pass(keys: dict[str, ReferenceKey]) -> None:
    found = {name: (one.parity_bits, one.sound_bits) for name, one in keys.items()}
    assert found == BEFORE_AND_AFTER


def test_the_exact_tail_gains_and_the_other_two_cost(keys: dict[str, ReferenceKey]) -> None:
    for one in keys.values():
        assert one.parity_bits < one.exact_bits > one.signal_bits >= one.sound_bits
        assert one.change_percent == pytest.approx(100 * (one.sound_bits / one.parity_bits - 1))
