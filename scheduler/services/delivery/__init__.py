"""Use cases of key delivery: everything that the doors for applications reach."""

from scheduler.services.delivery.answers import doubt_overdue, doubted_keys, settle_answers
from scheduler.services.delivery.collect import dec_keys
from scheduler.services.delivery.draw import enc_keys
from scheduler.services.delivery.inbound import accept_keys, void_arrived
from scheduler.services.delivery.outbound import acknowledged, send_due
from scheduler.services.delivery.status import key_status, node_of

__all__ = [
    "accept_keys",
    "acknowledged",
    "dec_keys",
    "doubt_overdue",
    "doubted_keys",
    "enc_keys",
    "key_status",
    "node_of",
    "send_due",
    "settle_answers",
    "void_arrived",
]
