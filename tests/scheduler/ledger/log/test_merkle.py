"""The Merkle tree against the published vectors, and as a property of every size."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import ProofInvalid
from scheduler.ledger.log import merkle

# Leaves, roots and proofs of the Certificate Transparency reference implementation's tests
# (google/certificate-transparency, merkletree), which follow RFC 6962, section 2.1.
LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


def _tree(leaves: list[bytes]) -> tuple[dict[merkle.Subtree, bytes], list[bytes]]:
    """Every complete subtree, and the root after every leaf."""
    nodes: dict[merkle.Subtree, bytes] = {}
    frontier: list[bytes] = []
    roots = [merkle.fold(frontier)]
    for size, leaf in enumerate(leaves):
        nodes.update(merkle.grow(frontier, size, leaf))
        roots.append(merkle.fold(frontier))
    return nodes, roots


PUBLISHED, PUBLISHED_ROOTS = _tree([merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES])


@pytest.mark.parametrize("size", range(9))
def test_roots_match_the_published_ones(size: int) -> None:
    assert PUBLISHED_ROOTS[size].hex() == ROOTS[size]


@pytest.mark.parametrize(("leaf", "size"), INCLUSION)
def test_inclusion_proofs_match_the_published_ones(leaf: int, size: int) -> None:
    ranges = merkle.inclusion_ranges(leaf, size)
    proof = merkle.hashes_of(ranges, PUBLISHED.__getitem__)
    assert [part.hex() for part in proof] == INCLUSION[leaf, size]


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_match_the_published_ones(old: int, size: int) -> None:
    ranges = merkle.consistency_ranges(old, size)
    proof = merkle.hashes_of(ranges, PUBLISHED.__getitem__)
    assert [part.hex() for part in proof] == CONSISTENCY[old, size]


def _root(leaves: list[bytes]) -> bytes:
    """The definition of section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(_root(leaves[:split]), _root(leaves[split:]))


@given(size=st.integers(1, 70), data=st.data())
def test_every_proof_holds_and_no_other_does(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    nodes, roots = _tree(leaves)
    root = roots[size]
    assert root == _root(leaves)
    assert [merkle.position(part) for part in nodes] == list(range(len(nodes)))
    leaf = data.draw(st.integers(0, size - 1))
    proof = merkle.hashes_of(merkle.inclusion_ranges(leaf, size), nodes.__getitem__)
    merkle.check_inclusion(leaves[leaf], leaf, size, proof, root)
    other = (leaf + data.draw(st.integers(1, max(1, size - 1)))) % max(2, size)
    with pytest.raises(ProofInvalid):
        merkle.check_inclusion(leaves[leaf], other, size, proof, root)
    with pytest.raises(ProofInvalid):
        merkle.check_inclusion(leaves[leaf], leaf, size, [*proof, root], root)
    old = data.draw(st.integers(1, size))
    proof = merkle.hashes_of(merkle.consistency_ranges(old, size), nodes.__getitem__)
    merkle.check_consistency(old, size, proof, roots[old], root)
    with pytest.raises(ProofInvalid):
        merkle.check_consistency(old, size, proof, merkle.leaf_hash(b"another"), root)


@pytest.mark.parametrize(("leaf", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(leaf: int, size: int) -> None:
    with pytest.raises(ProofInvalid, match=str(leaf)):
        merkle.inclusion_ranges(leaf, size)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3)])
def test_only_a_smaller_tree_is_continued(old: int, size: int) -> None:
    with pytest.raises(ProofInvalid, match=str(old)):
        merkle.consistency_ranges(old, size)
