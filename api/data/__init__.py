"""Data that the pictures are drawn from; README.md names the sources."""
