"""Key for applications: what is asked for, what is answered, and how a key was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from scheduler.domain.demands import MAX_AGE_S_MAX
from scheduler.domain.saes import KeyRunway
from scheduler.errors import FactError

DISJOINT_PATHS_MAX = 8


class RouteType(StrEnum):
    """How a key came to its two ends; a key may be of several types."""

    DIRECT = "direct"
    RELAYED = "relayed"
    SATELLITE = "satellite"
    COMBINED = "combined"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrigin:
    """How a block of end-to-end key was made: paths, and how many must be corrupt to know it."""

    paths: tuple[tuple[str, ...], ...]
    threshold: int  #: 0 without a path
    route_types: frozenset[RouteType]
    compromise_sets: tuple[tuple[str, ...], ...]  #: the smallest sets of relays that know it
    simulated: bool

    @property
    def relays(self) -> frozenset[str]:
        """Every node that a path leads through."""
        return frozenset(node for path in self.paths for node in path[1:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConstraints:
    """What a request demands of every key."""

    route_type: RouteType | None = None
    min_disjoint_paths: int = 1  #: so many paths must be corrupt before the key is known
    max_age_s: float | None = None  #: since the oldest link key behind it was received
    avoid_nodes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 1 <= self.min_disjoint_paths <= DISJOINT_PATHS_MAX:
            raise FactError(
                f"min_disjoint_paths {self.min_disjoint_paths}; allowed: 1 to {DISJOINT_PATHS_MAX}"
            )
        if self.max_age_s is not None and not 0.0 < self.max_age_s <= MAX_AGE_S_MAX:
            raise FactError(
                f"max_age_s {self.max_age_s:g}; allowed: above 0, up to {MAX_AGE_S_MAX:g}"
            )

    @property
    def are_any(self) -> bool:
        """Whether anything is demanded at all."""
        return self != KeyConstraints()

    def with_also(self, other: KeyConstraints) -> KeyConstraints:
        """Demand what another demands besides; where both name one thing, the stricter holds."""
        ages = [age for age in (self.max_age_s, other.max_age_s) if age is not None]
        return KeyConstraints(
            route_type=self.route_type or other.route_type,
            min_disjoint_paths=max(self.min_disjoint_paths, other.min_disjoint_paths),
            max_age_s=min(ages, default=None),
            avoid_nodes=self.avoid_nodes | other.avoid_nodes,
        )

    def allow(self, origin: KeyOrigin) -> bool:
        """Whether key of that origin will do, whatever its age."""
        return (
            (self.route_type is None or self.route_type in origin.route_types)
            and (self.min_disjoint_paths == 1 or origin.threshold >= self.min_disjoint_paths)
            and not self.avoid_nodes & origin.relays
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """Keys that a master draws for itself and its slaves."""

    number: int = 1
    size_bits: int | None = None  #: None: the settings' size
    additional_slaves: tuple[str, ...] = ()
    mandatory: KeyConstraints = KeyConstraints()
    preferred: KeyConstraints = KeyConstraints()  #: besides, where there is key that fits


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredKey:
    """A key on its way to an application; its bytes never show in a repr."""

    key_id: UUID
    origin: KeyOrigin
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Keys of one answer. Whoever sends it must say that it left, by `answer_id`."""

    answer_id: str
    keys: tuple[DeliveredKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """What two application entities can draw between them; sizes in bits."""

    master: str
    slave: str
    master_node: str
    slave_node: str
    key_size_bits: int
    stored_keys: int  #: of that size
    stored_keys_max: int
    keys_per_request_max: int
    key_size_bits_max: int
    key_size_bits_min: int
    slaves_per_request_max: int
    runway: KeyRunway
