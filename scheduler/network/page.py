"""The reference page of a scenario file, made from the tables that read it."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.network.extend import EXTENDS_MAX
from scheduler.network.keys import NO_LIMIT_BITS, REQUIRED, Key, TableSchema
from scheduler.network.kinds import (
    DOWNLINK_PRESETS,
    DUAL_PRESETS,
    FIBRE_PRESETS,
    UPLINK_PRESETS,
)
from scheduler.network.schema import TABLES

_HEAD = """\
# The scenario file

A scenario is a TOML file: one network with its satellites, stations, fibre, demands and rules.
`skytrunk scenario new` writes one to start from, `skytrunk scenario check FILE` tells every mistake
of one with its line, and every command takes it as `--scenario FILE.toml`. No key is ever ignored:
one that nobody reads is refused. This page is made from the tables that read the file
(`skytrunk scenario keys` prints it).
"""

_ENDS = """\
## Kinds of session

What a satellite's sessions are follows from its preset; `session = "commissioning"`, of a satellite
or of one station in `[[downlinks]]`, makes passes of no key of them, which are booked by hand (a
pin) and take satellite and mount.

- **downlink**: {satellites}.
- **uplink**: {uplinks}. The station sends, while it is dark there and the satellite in eclipse; its
  `telescope_m` and `preset` play no part.
- **dual-downlink**: {duals}. An entangled source over two stations at once, dark at both; key is
  between their two nodes, on a link of kind `entangled` beside the fibre that they may have, and no
  satellite knows it. In commands and `[[downlinks]]` the two stations are `a+b`, in order of name.

## Transmitters and receivers

A satellite's `preset` names what it sends with, a station's what it receives with. Each published
one has a transmitter and the receivers of its stations.

A station that leaves `preset` out takes the receiver of its satellite's preset: the one of the same
id, else that of the first station, with its own `telescope_m` and `height_m`. So a station anywhere
with any telescope has a key yield. What is known better is stated in a table of one's own, which
starts from a published one (or from another table) and replaces single numbers, each with its
source:

```toml
[[transmitters]]
id = "my-laser"
like = "micius-2016"
source = "design review, 2026-05"
beam_full_angle_urad = 37.0
pulse_rate_hz = 2.0e8
sources.pulse_rate_hz = "assumed"

[[receivers]]
id = "my-telescope"
like = "graz"
source = "assumed"
telescope_m = 0.7
dark_rate_hz = 100.0
```

A satellite without an element set is told in one sentence, with the command that brings one: of
its `elements`, else `skytrunk elements fetch NUMBER`. One that does not exist takes a catalogue
number from 900,000,001 on, beyond any that is given, and sets of an orbit that is made up:
`examples/constellation.py` writes them, `skytrunk elements import` brings them in.

The air above a station comes with its receiver: that of the published losses, `air_zenith_db`, or
`air = "standard"`. The kinds of fibre link are {fibres}.
"""

_EXTENDS = """\
## A scenario that extends another

With `extends` a file says only what differs. A table of `[[name]]` replaces the one of the same id
(`prefix` of a leg, the two ends of a link, the id of a demand or its ends) as a whole and in its
place; others are added behind. Of `[schedule]` and `[planning]` single keys are replaced. Notes are
added. What is extended may extend another one, up to {most} files; a circle is refused. A mistake
in what is extended is told with its name and line.
"""


def scenario_page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for schema in TABLES:
        parts.append("\n".join(_section(schema)))
        if not schema.name:
            parts.append(_EXTENDS.format(most=EXTENDS_MAX))
        if schema.name == "satellites":
            parts.append(
                _ENDS.format(
                    satellites=", ".join(f"`{name}`" for name in DOWNLINK_PRESETS),
                    uplinks=", ".join(f"`{name}`" for name in UPLINK_PRESETS),
                    duals=", ".join(f"`{name}`" for name in DUAL_PRESETS),
                    fibres=" and ".join(f"`{name}`" for name in FIBRE_PRESETS),
                )
            )
    return "\n".join(parts)


def _section(schema: TableSchema) -> Iterator[str]:
    brackets = "[[{}]]" if schema.many else "[{}]"
    yield f"## `{brackets.format(schema.name)}`" if schema.name else "## The top of the file"
    yield ""
    if schema.name:
        yield f"{schema.meaning}\n"
    yield "| key | what | default | meaning |"
    yield "|---|---|---|---|"
    for key in schema.keys:
        yield f"| `{key.name}` | {_what(key)} | {_default(key)} | {key.meaning} |"
    yield ""


def _what(key: Key) -> str:
    if key.words:
        more = ", or seconds" if "seconds" in key.kind else ""
        return ", ".join(f"`{word}`" for word in key.words) + more
    return f"{key.kind.value}, {key.range}" if key.range else key.kind.value


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "needed"
    if key.default_words:
        return key.default_words
    if key.default in ("", [], {}):
        return "none"
    if key.default == NO_LIMIT_BITS:
        return "no limit"
    return f"`{key.default}`"
