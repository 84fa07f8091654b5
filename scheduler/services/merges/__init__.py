"""Use cases around merges: what is due, its execution, what was done."""
