"""What a policy is and does, told: for people, for commands, for metrics."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from holdfast.events import Scalar
from holdfast.resilience.options import default_of, options_of

if TYPE_CHECKING:
    from holdfast.resilience.live import LivePolicy
    from holdfast.resilience.tuning import Tuning

Source: TypeAlias = Literal["code", "settings", "default"]
"""Who says what an option is."""

_SILENCE: Final[Mapping[str, object]] = {}
_LONGEST: Final = 200
"""Characters of a value that are told."""


@dataclass(frozen=True, slots=True)
class LayerSnapshot:
    """What is known of one live layer at one moment."""

    kind: str
    """The class of the layer: `Retry`."""
    facts: Mapping[str, Scalar]
    """Its state; empty for a layer that has none."""


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """What is known of one live policy at one moment."""

    name: str
    layers: tuple[LayerSnapshot, ...]
    """Outermost first."""


@dataclass(frozen=True, slots=True)
class OptionExplanation:
    """One option of a layer."""

    name: str
    value: str
    """As Python writes it, shortened."""
    source: Source


@dataclass(frozen=True, slots=True)
class LayerExplanation:
    """One layer of a policy."""

    kind: str
    source: Source
    """Whether the code has it, or the settings alone."""
    options: tuple[OptionExplanation, ...]
    state: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class PolicyExplanation:
    """What a policy does, and why; `str` of it is for reading."""

    name: str
    layers: tuple[LayerExplanation, ...]
    """Outermost first."""
    off: tuple[str, ...]
    """Layers of the code that the settings switch off."""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"policy {self.name}, outermost layer first"
        for layer in self.layers:
            yield f"  {layer.kind}" + (
                " (added by the settings)" if layer.source == "settings" else ""
            )
            for option in layer.options:
                yield f"    {option.name} = {option.value} ({option.source})"
            for name, value in layer.state.items():
                yield f"    now: {name} {value}"
        for kind in self.off:
            yield f"  {kind} is switched off by the settings"
        if not self.layers:
            yield "  no layers: calls are made as they are"


def explained(
    live: "LivePolicy", tuning: "Tuning | None", clean: Callable[[str], str]
) -> PolicyExplanation:
    """Return the explanation of a policy at work.

    Args:
        live: The policy.
        tuning: What the settings say of it.
        clean: Takes secrets out of what an option holds.
    """
    in_code = {type(spec).__name__ for spec in live.policy.layers}
    at_work = {type(spec).__name__ for spec in live.specs}
    layers: list[LayerExplanation] = []
    for spec, layer in zip(live.specs, live.layers, strict=True):
        kind = type(spec).__name__
        told = _SILENCE if tuning is None else tuning.options.get(kind, _SILENCE)
        source: Source = "code" if kind in in_code else "settings"
        options = tuple(_options(spec, told, clean))
        layers.append(LayerExplanation(kind, source, options, facts_of(layer)))
    return PolicyExplanation(live.policy.name, tuple(layers), tuple(sorted(in_code - at_work)))


def snapshot_of(live: "LivePolicy") -> PolicySnapshot:
    """Return what is known of a policy at work."""
    return PolicySnapshot(
        live.policy.name,
        tuple(
            LayerSnapshot(type(spec).__name__, facts_of(layer))
            for spec, layer in zip(live.specs, live.layers, strict=True)
        ),
    )


def facts_of(layer: object) -> Mapping[str, Scalar]:
    """Return what a live layer says of itself by a method `snapshot`, flat."""
    snapshot = getattr(layer, "snapshot", None)
    return dict(_flat(snapshot())) if callable(snapshot) else {}


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    pairs = _pairs(value)
    if pairs is None:
        yield prefix, _scalar(value)
        return
    for name, inner in pairs.items():
        yield from _flat(inner, f"{prefix}.{name}" if prefix else str(name))


def _pairs(value: object) -> Mapping[object, object] | None:
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: cast("object", getattr(value, each.name)) for each in fields(value)}
    return None


def _scalar(value: object) -> Scalar:
    plain = cast("object", value.value) if isinstance(value, Enum) else value
    if isinstance(plain, datetime):
        return plain.isoformat()
    return plain if isinstance(plain, str | int | float | None) else _shown(plain)


def _options(
    spec: object, told: Mapping[str, object], clean: Callable[[str], str]
) -> Iterator[OptionExplanation]:
    for option in options_of(type(spec)):
        value = cast("object", getattr(spec, option.name))
        default = _default_of(type(spec), option)
        source: Source = "default" if default is not MISSING and value == default else "code"
        yield OptionExplanation(
            option.name, _shown(value, clean), "settings" if option.name in told else source
        )


def _default_of(kind: type[object], option: "Field[Any]") -> object:
    """Return the default that the field has, or else the constructor that a class writes by itself."""
    default = default_of(option)
    if default is not MISSING:
        return default
    parameter = inspect.signature(kind).parameters.get(option.name)
    return (
        MISSING if parameter is None or parameter.default is parameter.empty else parameter.default
    )


def _shown(value: object, clean: Callable[[str], str] = str) -> str:
    name = getattr(value, "__qualname__", None)
    text = clean(f"{value.__module__}.{name}" if isinstance(name, str) else repr(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
