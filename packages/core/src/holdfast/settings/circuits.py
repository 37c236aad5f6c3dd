"""Settings of circuits that the workers of a service share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from holdfast.settings.types import RedisURL
from holdfast.strict import Items, Matches, Range, Section

_MAX_STOCK: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitsSettings(Section):
    """What the workers of a service share of their circuits."""

    shared: RedisURL = field(default="", repr=False)
    """Redis through which the circuits of a service open and recover together, by its name (`SERVICE`),
    which has to be said then. Default: each worker for itself."""

    quorum: Annotated[float, Range(0.01, 100_000)] = 0.5
    """Workers that have to open a circuit before all do: up to 1 a share of those alive, above a
    number; two at least."""

    pybreaker: Annotated[
        Mapping[
            str,
            Annotated[
                str, Matches(r"[^\x00-\x1f\x7f]{0,200}", "a namespace of at most 200 characters")
            ],
        ],
        Items(most=_MAX_STOCK),
    ] = field(default_factory=dict[str, str], hash=False)
    """Circuits that workers with stock pybreaker use as well, by name: the namespace of their
    `CircuitRedisStorage`; empty for keys without one. Default: none."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        if self.pybreaker and not self.shared:
            yield "pybreaker", "needs shared: the Redis that those workers use"
