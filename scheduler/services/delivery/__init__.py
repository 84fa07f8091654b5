"""Use cases of key delivery: everything that the doors for applications reach."""

from scheduler.services.delivery.answers import doubt_overdue, doubted_keys, settle_answers
from scheduler.services.delivery.collect import dec_keys
from scheduler.services.delivery.draw import enc_keys
from scheduler.services.delivery.status import key_status, node_of

__all__ = [
    "dec_keys",
    "doubt_overdue",
    "doubted_keys",
    "enc_keys",
    "key_status",
    "node_of",
    "settle_answers",
]
