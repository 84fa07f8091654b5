"""Rows beside the key: bookings, plans, element sets, jobs."""
