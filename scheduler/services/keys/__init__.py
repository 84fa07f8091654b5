"""Use cases around key: announced, expired, brought in, traced."""
