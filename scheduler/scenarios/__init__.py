"""Networks, one TOML file each, as data."""
