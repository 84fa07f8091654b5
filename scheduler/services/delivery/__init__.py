"""Use cases of key delivery: everything that the doors for applications reach."""

from scheduler.services.delivery.answers import doubt_overdue, doubted_keys, settle_answers
from scheduler.services.delivery.collect import dec_keys, dec_keys_soon
from scheduler.services.delivery.draw import Asked, Refusal, asked_of, draw_of_stock, enc_keys
from scheduler.services.delivery.inbound import accept_keys, void_arrived
from scheduler.services.delivery.outbound import acknowledged, send_due
from scheduler.services.delivery.status import key_status, node_of

__all__ = [
    "Asked",
    "Refusal",
    "accept_keys",
    "acknowledged",
    "asked_of",
    "dec_keys",
    "dec_keys_soon",
    "doubt_overdue",
    "doubted_keys",
    "draw_of_stock",
    "enc_keys",
    "key_status",
    "node_of",
    "send_due",
    "settle_answers",
    "void_arrived",
]
