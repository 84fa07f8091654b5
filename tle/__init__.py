"""Dated element sets, as data; README.md says where each came from."""
