"""Settings of policies that are not of one alone."""

from dataclasses import dataclass
from typing import Annotated, Final

from holdfast.strict import Items, Section

_WITHOUT_USERS: Final = frozenset({"development", "dev", "local", "test", "testing", "ci"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosSettings(Section):
    """Where policies may fail on purpose."""

    environments: Annotated[frozenset[str], Items(most=50)] = _WITHOUT_USERS
    """Values of `ENVIRONMENT` under which layers of kind `Chaos` may be at work; anywhere else, and
    where `ENVIRONMENT` is not said, a policy with one refuses to be made."""

    enabled: bool = False
    """Whether they may be at work everywhere, production included."""
