"""Merging satellite key and trunk key into end-to-end key: decisions and arithmetic, no I/O."""

from scheduler.merge.allocate import jain_index
from scheduler.merge.carry import Merged, carry_out
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
from scheduler.merge.paths import (
    Route,
    Routes,
    find_routes,
    hops_of,
    parallel_pools,
    routes_of,
    sum_parallel,
)
from scheduler.merge.plan import MergePlan, plan_merges
from scheduler.merge.relay import announcements, far_end_key, xor
from scheduler.merge.shamir import Combined, combine, rebuild, recombine, split
from scheduler.merge.together import Arrived, Carried, LinkKey, Said, Taken, carry_out_all, legs_of

__all__ = [
    "PROOF_BITS",
    "TAG_KEY_BITS",
    "Arrived",
    "Carried",
    "Combined",
    "CompromiseStructure",
    "EqualityProof",
    "LinkKey",
    "MergePlan",
    "Merged",
    "Route",
    "Routes",
    "Said",
    "Taken",
    "announcement_message",
    "announcements",
    "carry_out",
    "carry_out_all",
    "collision_bound",
    "combine",
    "far_end_key",
    "find_routes",
    "forgery_bound",
    "hops_of",
    "jain_index",
    "legs_of",
    "parallel_pools",
    "plan_merges",
    "prove_all",
    "prove_equality",
    "rebuild",
    "recombine",
    "routes_of",
    "split",
    "sum_parallel",
    "tag",
    "tag_fits",
    "xor",
]
