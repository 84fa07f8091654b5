"""What each kind of problem means, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

PLACE = "/problems/"
"""Where the page of a kind stands; its address is the `type` of the problem (RFC 9457)."""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem in words."""

    title: str
    means: str
    todo: str


def kind_of(title: str) -> str:
    """Return the name of a kind in addresses: its title in lower case, with hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def title_of(status: int) -> str:
    """Return the title of a status that no error of ours stands behind."""
    # Python 3.13 has the words of RFC 9110 for this one, those before it the old ones.
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


_KINDS = (
    ProblemKind(
        "A station has trouble",
        "A station said that a session cannot be, or gave no key.",
        "The detail has the station's words; the booking has failed and is not tried again.",
    ),
    ProblemKind(
        "Input refused",
        "A field of the request has a value that it may not have, is missing, or is unknown.",
        "Each item of `errors` names a field, the value seen and what is allowed: mend these.",
    ),
    ProblemKind(
        "Unknown name",
        "Nothing of that name or id is known here.",
        "The detail says what is known; lists such as /satellites, /stations or /bookings have it.",
    ),
    ProblemKind(
        "Not Found",
        "No page and no resource stands at that address.",
        "Look at /docs for every address of the API, or begin at /.",
    ),
    ProblemKind(
        "Method Not Allowed",
        "The address exists, but not with that method.",
        "The header Allow lists the methods that it takes.",
    ),
    ProblemKind(
        "Not Acceptable",
        "The resource cannot be written in the form that was asked for.",
        "The detail lists the forms; ask by a suffix such as .csv, or by the header Accept.",
    ),
    ProblemKind(
        "Bad Request",
        "The request cannot be read at all: JSON that is cut off, or nested too deep.",
        "Send well-formed JSON with a few levels.",
    ),
    ProblemKind(
        "Content Too Large",
        "The body is larger than any request needs to be.",
        "Send less; the detail says how much is read.",
    ),
    ProblemKind(
        "Unsupported Media Type",
        "The body says that it is something else than JSON.",
        "Send JSON, with Content-Type: application/json.",
    ),
    ProblemKind(
        "Unauthorized",
        "The request shows no token that counts: none, an unknown, an expired or a revoked one.",
        "Send Authorization: Bearer with a token, or sign in at /ui/sign-in. `skytrunk token add`"
        " gives one.",
    ),
    ProblemKind(
        "Forbidden",
        "Who asks is known, or is on this machine, but may not do this.",
        "Use a token whose role may: /docs says which roles each operation takes.",
    ),
    ProblemKind(
        "Too Many Requests",
        "Requests come faster than one caller may send them.",
        "Wait for the seconds in Retry-After. Ask for larger pages rather than more of them.",
    ),
    ProblemKind(
        "Internal Server Error",
        "A fault of the server, which is written in its log.",
        "Try once more; if it happens again, look into the log of the server.",
    ),
    ProblemKind(
        "Service Unavailable",
        "The server has too much to compute at the moment, or cannot reach what it needs.",
        "Wait for the seconds in Retry-After, then try again.",
    ),
    ProblemKind(
        "Facts contradict each other",
        "Two facts in the request cannot both be true, such as an end before its start.",
        "The detail names them; correct one.",
    ),
    ProblemKind(
        "There is no ledger",
        "The database holds no ledger yet, so that there is nothing to read.",
        "Start `skytrunk run`, make a plan, or give the right --database.",
    ),
    ProblemKind(
        "Scenario refused",
        "The scenario's file says something that cannot be.",
        "The detail names the table and key; `skytrunk scenario check` lists all mistakes at once.",
    ),
    ProblemKind(
        "Setting refused",
        "A setting of the server has a value that it may not have.",
        "Whoever runs the server corrects it: `skytrunk settings` lists them.",
    ),
    ProblemKind(
        "No element set young enough",
        "Every element set of the satellite is too old for the time asked about, so that passes"
        " would be wrong by seconds or more.",
        "Fetch a newer set (`skytrunk elements fetch`), or ask about a time nearer to one.",
    ),
    ProblemKind(
        "No element set to use",
        "No element set of the satellite is known for that time.",
        "`skytrunk elements fetch` or `skytrunk elements import` brings one.",
    ),
    ProblemKind(
        "Already taken",
        "The booking has begun or is over, or its station or satellite is taken at that time.",
        "Look at /bookings for what stands there.",
    ),
    ProblemKind(
        "Not enough key",
        "The pools hold less key than was asked for.",
        "The key runway says when more comes; ask for less, or later.",
    ),
    ProblemKind(
        "Simulated key stays in the laboratory",
        "The key comes from a simulated source, and is not delivered outside of a laboratory.",
        "Use a real source, or the setting `laboratory` where nothing depends on the key.",
    ),
    ProblemKind(
        "No key is as demanded",
        "There is key, but none with the properties that the request demands.",
        "Ask for fewer disjoint paths or an older age, or wait for the next merge.",
    ),
    ProblemKind(
        "The ledger refuses",
        "The change would break a rule of the ledger; nothing was written.",
        "Read the detail; if the request was sound, `skytrunk ledger verify` says more.",
    ),
    ProblemKind(
        "The ledger contradicts itself",
        "What the ledger holds does not fit together: it was changed from outside, or damaged.",
        "Stop, run `skytrunk ledger verify`, and restore a copy that verifies.",
    ),
    ProblemKind(
        "A reservation was changed",
        "A reservation is not what it was when it was written.",
        "Stop and run `skytrunk ledger verify`.",
    ),
    ProblemKind(
        "The ledger belongs to another run",
        "The database holds the ledger of another scenario or replay.",
        "Give the scenario that the detail names, or another database.",
    ),
    ProblemKind(
        "An old copy of the ledger",
        "The ledger is older than what was already handed out by it: keys would be given twice.",
        "Find the newest copy, or see `skytrunk ledger restore`.",
    ),
    ProblemKind(
        "One request id, two requests",
        "The request's id was used before, for a request that said something else.",
        "Take a new request_id, or repeat the first request word by word.",
    ),
    ProblemKind(
        "Key already deposited",
        "The same block of key was deposited before.",
        "Nothing is to be done: it counts once.",
    ),
    ProblemKind(
        "Not in a state for that",
        "What was asked for cannot be done in the state that this is in.",
        "The detail names the state, and which would do.",
    ),
    ProblemKind(
        "The ledger cannot be reached",
        "The database does not answer, or another process holds it.",
        "Try again in a moment; look whether the database is up.",
    ),
    ProblemKind(
        "The key store refuses",
        "Key at rest cannot be opened or written.",
        "Look at the folder of the keys, its rights and the room on its disk.",
    ),
    ProblemKind(
        "A proof does not hold",
        "A checkpoint, a signature or a proof is not valid.",
        "Take the checkpoint from where it was kept; if it is the right one, the log was changed.",
    ),
    ProblemKind(
        "The clock is not plausible",
        "The server's clock stepped, or disagrees with what the ledger knows.",
        "Set the clock right, then start the server again.",
    ),
    ProblemKind(
        "Not authenticated",
        "The request shows no token or certificate that counts.",
        "Show one that does.",
    ),
    ProblemKind(
        "Not allowed",
        "Who asks is known, but may not do this.",
        "Use a token whose role may: /docs says which roles each operation takes.",
    ),
    ProblemKind(
        "A service outside failed",
        "A feed or a device that the answer needs did not answer, or answered nonsense.",
        "Try again later; the detail names it.",
    ),
    ProblemKind(
        "A station has trouble",
        "A station's own equipment failed, or said that it cannot do what was asked.",
        "Look at the station; the detail says what it said, and /alerts what else is wrong.",
    ),
    ProblemKind(
        "No such plan",
        "The plan cannot be made as it was asked for.",
        "The detail says which wish stands against which.",
    ),
    ProblemKind(
        "Orbit question refused",
        "A question about orbits has a value that cannot be.",
        "The detail names the value and what is allowed.",
    ),
    ProblemKind(
        "Times refused",
        "An instant or a span is out of range or the wrong way round.",
        "The detail names it and what is allowed.",
    ),
    ProblemKind(
        "Element set refused",
        "The text is no element set, or one that cannot be.",
        "The detail names line and column.",
    ),
    ProblemKind(
        "Station refused",
        "A station's place or mask cannot be.",
        "The detail names the value and what is allowed.",
    ),
    ProblemKind(
        "Pass refused",
        "A pass's times are not in order.",
        "Name a pass as the lists do: satellite/station/instant.",
    ),
    ProblemKind(
        "Search refused",
        "Passes cannot be searched for as was asked.",
        "The detail names the value and what is allowed.",
    ),
    ProblemKind(
        "Key-yield question refused",
        "A question about key yield has a value that cannot be.",
        "The detail names the value and what is allowed.",
    ),
    ProblemKind(
        "Key-yield input refused",
        "A number that the key yield is computed from is out of its range.",
        "The detail names the value and what is allowed.",
    ),
    ProblemKind(
        "Not modelled",
        "The link's physics are outside of what is modelled.",
        "The detail names what is; see docs/key-rate.md.",
    ),
    ProblemKind(
        "Unknown preset",
        "No hardware preset has that name.",
        "The detail lists the presets.",
    ),
    ProblemKind(
        "The scheduler failed",
        "The scheduler could not do what was asked.",
        "The detail says why.",
    ),
    ProblemKind(
        "The system refused",
        "A file or a connection of the server failed.",
        "The detail names it; whoever runs the server mends it.",
    ),
)

KINDS: dict[str, ProblemKind] = {kind_of(one.title): one for one in _KINDS}
"""Every kind, by its name in addresses."""
