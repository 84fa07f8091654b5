"""What happens to key: pools, spending, reservations, delivery, expiry, tracing."""
