from .alerts import alert_of_step, check_webhook, list_alerts, raise_alerts, tell_alerts, watch_over
from .audit import (
    check_against,
    check_export,
    check_proof,
    export_ledger,
    last_checkpoint,
    pool_balances,
    prove_growth,
    prove_row,
    public_key_of,
    sign_checkpoint,
    verify_ledger,
)
from .binding import bind_elements
from .bookings import (
    booking_events,
    bookings_of_plan,
    cancel_booking,
    get_booking,
    list_bookings,
    lock_booking,
)
from .context import Context
from .delivery import doubt_overdue, doubted_keys
from .elements import (
    check_elements,
    export_elements,
    fetch_elements,
    import_elements,
    list_elements,
)
from .executors import check_executors
from .health import figures, health, readiness
from .history import balances_over_time, every_merged_key, every_plan
from .job_lists import job_events, list_jobs
from .jobs import (
    LEASE_S,
    Worker,
    end_job,
    fail_job,
    failure_reason,
    hold_job,
    job_id,
    job_key,
    miss_idle_time,
    miss_job,
    note_failure,
    pause_job,
    refuse_earlier,
    release_jobs,
    resume_job,
    run_job,
    run_job_now,
)
from .keys.announce import accept_key, announce_due, void_key, waiting_key
from .keys.close_block import close_blocks
from .keys.device import pull_keys
from .keys.expire import expire_due
from .keys.file_drop import import_keys
from .keys.trace import pair_blocks, trace_key
from .lateness import late_reason, miss_late_session
from .live import live_agenda, live_cadences
from .merges.due import merge_due
from .merges.history import key_flow, merge_history, plan_merges
from .network import demand_stocks, link_stocks, pool_stock, stations_now
from .outages import add_outage, lift_outage, list_outages
from .pairs import station_pairs
from .passes import next_pass, pass_at, upcoming_passes
from .pending import left_over, pending_work
from .places import place_at
from .plans.changes import plan_changes
from .plans.explain import explain_pass, get_plan, list_plans
from .plans.make import plan_by_hand, plan_window
from .records import (
    list_checkpoints,
    list_entries,
    list_sessions,
    log_changes,
    log_size,
    outages_standing,
    shown_changes,
)
from .refresh import refresh_elements, refresh_weather
from .replays import bind_run, done_until, summarise
from .restore import restore_ledger
from .runway import key_runway
from .saes import add_sae, list_saes, remove_sae
from .scenarios import LIVE_SCENARIO, NewStation, link_numbers, live_settings, new_scenario
from .segments import check_segment, close_segment, list_segments
from .sessions import begin_session, close_overdue, miss_session, open_bookings, settle_session
from .set_copies import StoredSets, copy_sets, stored_sets
from .standing import accept_elements, withdraw_elements
from .survey import survey
from .tokens import add_token, bearer_of, list_tokens, record_access, revoke_token
from .tracks import ground_track, key_curve, nights, station_track, subsolar, track_of
from .trunk import deposit_trunk
from .validation import validate_all, validate_published_pass
from .vault import begin_epochs, keep_vault, rotate_kek, shred_epochs, vault_status
from .viewing import seen_by
from .weather import weather_identity
from .work import perform

__all__ = [
    "LEASE_S",
    "LIVE_SCENARIO",
    "Context",
    "NewStation",
    "StoredSets",
    "Worker",
    "accept_elements",
    "accept_key",
    "add_outage",
    "add_sae",
    "add_token",
    "alert_of_step",
    "announce_due",
    "balances_over_time",
    "bearer_of",
    "begin_epochs",
    "begin_session",
    "bind_elements",
    "bind_run",
    "booking_events",
    "bookings_of_plan",
    "cancel_booking",
    "check_against",
    "check_elements",
    "check_executors",
    "check_export",
    "check_proof",
    "check_segment",
    "check_webhook",
    "close_blocks",
    "close_overdue",
    "close_segment",
    "copy_sets",
    "demand_stocks",
    "deposit_trunk",
    "done_until",
    "doubt_overdue",
    "doubted_keys",
    "end_job",
    "every_merged_key",
    "every_plan",
    "expire_due",
    "explain_pass",
    "export_elements",
    "export_ledger",
    "fail_job",
    "failure_reason",
    "fetch_elements",
    "figures",
    "get_booking",
    "get_plan",
    "ground_track",
    "health",
    "hold_job",
    "import_elements",
    "import_keys",
    "job_events",
    "job_id",
    "job_key",
    "keep_vault",
    "key_curve",
    "key_flow",
    "key_runway",
    "last_checkpoint",
    "late_reason",
    "left_over",
    "lift_outage",
    "link_numbers",
    "link_stocks",
    "list_alerts",
    "list_bookings",
    "list_checkpoints",
    "list_elements",
    "list_entries",
    "list_jobs",
    "list_outages",
    "list_plans",
    "list_saes",
    "list_segments",
    "list_sessions",
    "list_tokens",
    "live_agenda",
    "live_cadences",
    "live_settings",
    "lock_booking",
    "log_changes",
    "log_size",
    "merge_due",
    "merge_history",
    "miss_idle_time",
    "miss_job",
    "miss_late_session",
    "miss_session",
    "new_scenario",
    "next_pass",
    "nights",
    "note_failure",
    "open_bookings",
    "outages_standing",
    "pair_blocks",
    "pass_at",
    "pause_job",
    "pending_work",
    "perform",
    "place_at",
    "plan_by_hand",
    "plan_changes",
    "plan_merges",
    "plan_window",
    "pool_balances",
    "pool_stock",
    "prove_growth",
    "prove_row",
    "public_key_of",
    "pull_keys",
    "raise_alerts",
    "readiness",
    "record_access",
    "refresh_elements",
    "refresh_weather",
    "refuse_earlier",
    "release_jobs",
    "remove_sae",
    "restore_ledger",
    "resume_job",
    "revoke_token",
    "rotate_kek",
    "run_job",
    "run_job_now",
    "seen_by",
    "settle_session",
    "shown_changes",
    "shred_epochs",
    "sign_checkpoint",
    "station_pairs",
    "station_track",
    "stations_now",
    "stored_sets",
    "subsolar",
    "summarise",
    "survey",
    "tell_alerts",
    "trace_key",
    "track_of",
    "upcoming_passes",
    "validate_all",
    "validate_published_pass",
    "vault_status",
    "verify_ledger",
    "void_key",
    "waiting_key",
    "watch_over",
    "weather_identity",
    "withdraw_elements",
]
