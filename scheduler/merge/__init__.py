"""Merging satellite key and trunk key into end-to-end key: decisions and arithmetic, no I/O."""

from scheduler.merge.compromise import CompromiseStructure
from scheduler.merge.integrity import (
    PROOF_BITS,
    TAG_KEY_BITS,
    EqualityProof,
    announcement_message,
    collision_bound,
    forgery_bound,
    prove_all,
    prove_equality,
    tag,
    tag_fits,
)
from scheduler.merge.plan import MergePlan, plan_merges
from scheduler.merge.relay import announcements, far_end_key, xor
from scheduler.merge.relay_batch import (
    Arrived,
    LinkKey,
    RelayAnnouncement,
    Relayed,
    Taken,
    legs_of,
    relay_steps,
)
from scheduler.merge.relay_step import Merged, relay_step
from scheduler.merge.shamir import Combined, combine, rebuild, recombine, split

__all__ = [
    "PROOF_BITS",
    "TAG_KEY_BITS",
    "Arrived",
    "Combined",
    "CompromiseStructure",
    "EqualityProof",
    "LinkKey",
    "MergePlan",
    "Merged",
    "RelayAnnouncement",
    "Relayed",
    "Taken",
    "announcement_message",
    "announcements",
    "collision_bound",
    "combine",
    "far_end_key",
    "forgery_bound",
    "legs_of",
    "plan_merges",
    "prove_all",
    "prove_equality",
    "rebuild",
    "recombine",
    "relay_step",
    "relay_steps",
    "split",
    "tag",
    "tag_fits",
    "xor",
]
