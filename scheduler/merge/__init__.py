"""Merging satellite key and trunk key into end-to-end key: decisions and arithmetic, no I/O."""

from scheduler.merge.plan import MergePlan, plan_merges
from scheduler.merge.relay import announcements, far_end_key, xor

__all__ = ["MergePlan", "announcements", "far_end_key", "plan_merges", "xor"]
