"""The schema of this release."""

HEAD = "0004"
"""The newest migration; a test compares it with the scripts."""
