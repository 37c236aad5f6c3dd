"""Settings of policies that are not of one alone."""

from dataclasses import dataclass
from typing import Annotated

from holdfast.strict import Items, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosSettings(Section):
    """Where policies may fail on purpose."""

    environments: Annotated[tuple[str, ...], Items(most=50)] = (
        *("development", "dev", "local"),
        *("test", "testing", "ci"),
    )
    """Values of `ENVIRONMENT` under which layers of kind `Chaos` may be at work; anywhere else, and
    where `ENVIRONMENT` is not said, a policy with one refuses to be made."""

    enabled: bool = False
    """Whether they may be at work everywhere, production included."""
