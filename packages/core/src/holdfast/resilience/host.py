"""The runtime as resilience needs it."""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from holdfast.classify import Reading
from holdfast.clock import Clock
from holdfast.environment import Environment, current
from holdfast.resilience.tuning import Tuning
from holdfast.strict.problems import Notation

if TYPE_CHECKING:
    from holdfast.resilience.cache.caches import Caches
    from holdfast.resilience.circuit.circuit import Circuit
    from holdfast.resilience.policies import Policies


class Sharing(Protocol):
    """Shares circuits with the other workers of a service."""

    def share(self, name: str, circuit: "Circuit") -> None:
        """Share a circuit from now on, under a name; returns at once."""
        ...

    def catch_up(self, timeout: float) -> bool:
        """Hear and tell now, and wait for it; False when that was not possible in so many seconds."""
        ...


class Host(Environment, Protocol):
    """A runtime that keeps the live state of policies."""

    @property
    def clock(self) -> Clock:
        """What time is measured and waited by."""
        ...

    @property
    def chance(self) -> random.Random:
        """Draws what is left to chance, such as jitter."""
        ...

    @property
    def policies(self) -> "Policies":
        """The live state of policies, by name."""
        ...

    @property
    def caches(self) -> "Caches":
        """The live state of caches, by name."""
        ...

    @property
    def policy_settings(self) -> Mapping[str, Tuning]:
        """Options by policy, as the settings hold them."""
        ...

    @property
    def notation(self) -> Notation:
        """How the settings were written, for those that are read later and for messages."""
        ...

    @property
    def sharing(self) -> "Sharing | None":
        """What circuits are shared by; None when each worker decides for itself."""
        ...

    @property
    def allows_chaos(self) -> bool:
        """Whether calls may be made to fail on purpose here."""
        ...

    @property
    def is_heard(self) -> bool:
        """Whether anybody cares for events that tell neither of an error nor of a duration."""
        ...

    def read(self, error: BaseException) -> Reading:
        """Return what an error means; never raises."""
        ...


def current_host() -> Host:
    """Return the runtime that keeps the live state of the call at hand."""
    return cast("Host", current())
