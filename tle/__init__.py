"""Dated element sets; README.md says where each came from."""
