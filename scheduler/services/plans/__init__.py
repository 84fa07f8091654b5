"""Use cases around the plan: what could be booked, what is, and why."""
