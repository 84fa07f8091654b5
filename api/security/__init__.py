"""Who calls: client certificates."""
