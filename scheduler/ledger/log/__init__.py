"""The audit log: canonical rows, hashes, the Merkle tree, checkpoints, the export."""
