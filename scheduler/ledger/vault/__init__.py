"""Key at rest: data keys, sealed pieces, fingerprints."""
