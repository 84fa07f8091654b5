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
from .health import figures, health, readiness
from .jobs import (
    Worker,
    end_job,
    fail_job,
    failure_reason,
    hold_job,
    job_events,
    list_jobs,
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
from .merges.due import merge_due
from .merges.history import key_flow, merge_history, plan_merges
from .outages import add_outage, lift_outage, list_outages
from .pairs import station_pairs
from .passes import next_pass, pass_at, upcoming_passes
from .places import place_at
from .plans.explain import explain_pass, get_plan, list_plans
from .plans.make import plan_by_hand, plan_window
from .replays import bind_run, summarise
from .restore import restore_ledger
from .runway import key_runway
from .saes import add_sae, list_saes, remove_sae
from .scenarios import LIVE_SCENARIO, NewStation, link_numbers, live_settings, new_scenario
from .sessions import begin_session, close_overdue, miss_session, open_bookings, settle_session
from .standing import accept_elements, withdraw_elements
from .survey import survey
from .tokens import add_token, bearer_of, list_tokens, record_access, revoke_token
from .tracks import ground_track, nights, station_track, track_of
from .trunk import deposit_trunk
from .validation import validate_all, validate_published_pass
from .vault import begin_epochs, keep_vault, rotate_kek, shred_epochs, vault_status
from .weather import weather_identity
from .work import perform

__all__ = [
    "LIVE_SCENARIO",
    "Context",
    "NewStation",
    "Worker",
    "accept_elements",
    "accept_key",
    "add_outage",
    "add_sae",
    "add_token",
    "announce_due",
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
    "check_export",
    "check_proof",
    "close_blocks",
    "close_overdue",
    "deposit_trunk",
    "doubt_overdue",
    "doubted_keys",
    "end_job",
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
    "keep_vault",
    "key_flow",
    "key_runway",
    "last_checkpoint",
    "lift_outage",
    "link_numbers",
    "list_bookings",
    "list_elements",
    "list_jobs",
    "list_outages",
    "list_plans",
    "list_saes",
    "list_tokens",
    "live_settings",
    "lock_booking",
    "merge_due",
    "merge_history",
    "miss_idle_time",
    "miss_job",
    "miss_session",
    "new_scenario",
    "next_pass",
    "nights",
    "note_failure",
    "open_bookings",
    "pair_blocks",
    "pass_at",
    "pause_job",
    "perform",
    "place_at",
    "plan_by_hand",
    "plan_merges",
    "plan_window",
    "pool_balances",
    "prove_growth",
    "prove_row",
    "public_key_of",
    "pull_keys",
    "readiness",
    "record_access",
    "refuse_earlier",
    "release_jobs",
    "remove_sae",
    "restore_ledger",
    "resume_job",
    "revoke_token",
    "rotate_kek",
    "run_job",
    "run_job_now",
    "settle_session",
    "shred_epochs",
    "sign_checkpoint",
    "station_pairs",
    "station_track",
    "summarise",
    "survey",
    "trace_key",
    "track_of",
    "upcoming_passes",
    "validate_all",
    "validate_published_pass",
    "vault_status",
    "verify_ledger",
    "void_key",
    "waiting_key",
    "weather_identity",
    "withdraw_elements",
]
