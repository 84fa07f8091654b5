"""Where the satellite is and when a station can see it: arithmetic only, no I/O."""
