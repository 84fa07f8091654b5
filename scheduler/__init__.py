"""The stateful core: what is booked, what key exists, and who owns it."""
