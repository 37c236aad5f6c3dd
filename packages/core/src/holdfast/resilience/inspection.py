"""What commands show of policies and circuits, and what they change; adapters only bind it.

`manage.py holdfast policies show payments` and `flask holdfast policies show payments` are the same
call of `answer`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.resilience.describing import LayerExplanation, PolicyExplanation
    from holdfast.resilience.policies import Policies

AREAS: Final[Mapping[str, tuple[str, ...]]] = {
    "policies": ("list", "show", "check"),
    "breakers": ("list", "show", "force-open", "reset"),
}
"""What can be done, by what it is about; the first is done when nothing is said."""

_PATIENCE: Final = 5.0
"""Seconds that a command waits for the store of shared circuits."""
_ABOUT: Final = {
    None: "This is the state of this command's process alone; every process of the service has its own.",
    True: "State is what the workers share by now; counts are of this command's process alone.",
    False: "The store of shared circuits cannot be asked: this is the state of this process alone.",
}
"""What a state is worth, by whether shared circuits could be asked."""
_ENDS: Final = (
    "{name} is {what} in this command's process alone, which ends now. No other process hears of it, "
    "not even where circuits are shared: call runtime.policies.circuit({name!r}) there."
)
_TOLD: Final = "{name} is reset, and the workers that share it are told: they probe, and close if that succeeds."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says."""

    text: str
    status: int = 0
    """Exit status: 0, 1 when it could not be done or something is wrong, or 2 when it makes no sense."""


def answer(policies: "Policies", area: str, action: str, name: str = "") -> Answer:
    """Do what a command asks for.

    Args:
        policies: Of the runtime at hand; what defines policies has to be imported by now.
        area: `policies` or `breakers`.
        action: One of those in `AREAS`.
        name: Of a policy, where the action is about one.
    """
    of_all, of_one = _OF_ALL.get((area, action)), _OF_ONE.get((area, action))
    try:
        if of_one is not None and name:
            return of_one(policies, name)
        if of_all is not None and not name:
            return of_all(policies)
    except (LookupError, RuntimeError, ValueError) as error:
        return Answer(str(error.args[0] if error.args else error), 1)
    need = "takes no name" if of_one is None else f"say of which: {', '.join(policies.names())}"
    return Answer(f"{area} {action}: {need}", 1)


def _list_policies(policies: "Policies") -> Answer:
    told, refused = _explained(policies)
    if not told and not refused:
        return Answer("no policies are defined in what is imported")
    rows = [(each.name, _layers(each)) for each in told]
    lines = [_table(("policy", "layers, outermost first"), rows), *refused]
    return Answer("\n".join(lines), 1 if refused else 0)


def _show_policy(policies: "Policies", name: str) -> Answer:
    policies.named(name)
    about = _ABOUT[policies.catch_up(_PATIENCE)]
    return Answer(f"{policies.explain(name)}\n{about}")


def _check_policies(policies: "Policies") -> Answer:
    found = [*policies.unnamed(), *policies.problems()]
    return Answer("\n".join(found), 1) if found else Answer("settings and policies go together")


def _list_breakers(policies: "Policies") -> Answer:
    _explained(policies)  # which makes circuits, so that those that are shared hear of the others
    about = _ABOUT[policies.catch_up(_PATIENCE)]
    told, refused = _explained(policies)
    rows = [
        (each.name, *(_said(layer, fact) for fact in ("state", "override", "reason")))
        for each in told
        for layer in each.layers
        if layer.kind == "Breaker"
    ]
    if not rows:
        return Answer("no policy that is imported has a circuit breaker")
    table = _table(("circuit", "state", "override", "reason"), rows)
    return Answer("\n".join([table, *refused, about]), 1 if refused else 0)


def _show_breaker(policies: "Policies", name: str) -> Answer:
    policies.circuit(name)
    about = _ABOUT[policies.catch_up(_PATIENCE)]
    (layer,) = (each for each in policies.explain(name).layers if each.kind == "Breaker")
    rows = [(fact, str(value)) for fact, value in layer.state.items()]
    return Answer(f"circuit {name}\n{_table((), rows)}\n{about}")


def _force_open(policies: "Policies", name: str) -> Answer:
    policies.circuit(name).force_open()
    return Answer(_ENDS.format(name=name, what="forced open"))


def _reset(policies: "Policies", name: str) -> Answer:
    circuit = policies.circuit(name)
    knows = policies.catch_up(_PATIENCE)  # or nothing is there to undo
    circuit.reset()
    if knows and policies.catch_up(_PATIENCE):
        return Answer(_TOLD.format(name=name))
    return Answer(_ENDS.format(name=name, what="reset"))


_OF_ALL: Final[Mapping[tuple[str, str], Callable[["Policies"], Answer]]] = {
    ("policies", "list"): _list_policies,
    ("policies", "check"): _check_policies,
    ("breakers", "list"): _list_breakers,
}
_OF_ONE: Final[Mapping[tuple[str, str], Callable[["Policies", str], Answer]]] = {
    ("policies", "show"): _show_policy,
    ("breakers", "show"): _show_breaker,
    ("breakers", "force-open"): _force_open,
    ("breakers", "reset"): _reset,
}
"""What does it, about all policies or about one."""


def _explained(policies: "Policies") -> tuple[list["PolicyExplanation"], list[str]]:
    """Return what can be said of each policy, and of which nothing can, and why."""
    told: list[PolicyExplanation] = []
    refused: list[str] = []
    for name in policies.names():
        try:
            told.append(policies.explain(name))
        except LookupError:
            continue  # it was thrown away since it was named
        except (RuntimeError, ValueError) as error:
            refused.append(str(error))
    return told, refused


def _layers(told: "PolicyExplanation") -> str:
    off = [f"{kind} (off)" for kind in told.off]
    return ", ".join([*(layer.kind for layer in told.layers), *off]) or "none"


def _said(layer: "LayerExplanation", fact: str) -> str:
    value = layer.state.get(fact)
    return "" if value is None else str(value)


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [*([titles] if titles else []), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)
