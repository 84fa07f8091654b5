"""How much secret key a quantum link gives: arithmetic only, no I/O."""
