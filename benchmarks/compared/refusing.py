"""What is claimed of refusals, and of those who listen."""

import pickle
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.compared.answer import Answer
from benchmarks.compared.circuits import (
    NAME,
    RECOVERY,
    attempt,
    open_it,
    succeeds,
)
from benchmarks.compared.making import Makes


def tells(library: Makes) -> Answer:
    """Look for the name of the circuit and the time to wait on what is raised."""
    error = attempt(open_it(library.circuit()), succeeds)
    facts = [*_facts(error)]
    name = any(fact == NAME for fact in facts)
    pause = any(
        isinstance(fact, float | int)
        and not isinstance(fact, bool)
        and RECOVERY - 5 < fact <= RECOVERY
        for fact in (
            fact.total_seconds() if isinstance(fact, timedelta) else fact for fact in facts
        )
    )
    found = [*(["the name"] if name else []), *(["the wait"] if pause else [])]
    said = "" if len(found) == 2 else f"only {found[0]}" if found else "only a text"
    return Answer(name and pause, said)


def _facts(error: BaseException | None) -> Iterator[object]:
    for name in dir(error):
        if not name.startswith("_"):
            try:
                yield getattr(error, name)
            except Exception:  # a property that needs more than the error has
                continue


def no_growth(library: Makes) -> Answer:
    """Count the frames that refusals drag along."""
    circuit = open_it(library.circuit())
    depths = [_depth(attempt(circuit, succeeds)) for _ in range(50)]
    grown = max(depths) > depths[0]
    return Answer(not grown, "one error, whose traceback grows" if grown else "")


def _depth(error: BaseException | None) -> int:
    entry = error.__traceback__ if error else None
    depth = 0
    while entry is not None:
        entry, depth = entry.tb_next, depth + 1
    return depth


def pickles(library: Makes) -> Answer:
    """Send a refusal to another process, and back."""
    error = attempt(open_it(library.circuit()), succeeds)
    try:
        other = pickle.loads(pickle.dumps(error))  # noqa: S301  # of our own making
    except Exception as problem:
        return Answer(holds=False, said=f"`{type(problem).__name__}`")
    same = (
        type(other) is type(error) and str(other) == str(error) and _plain(other) == _plain(error)
    )
    return Answer(same, "" if same else "comes back as something else")


def _plain(error: BaseException | None) -> list[object]:
    return [fact for fact in vars(error).values() if isinstance(fact, str | float | int)]


def hears_refusals(library: Makes) -> Answer:
    """Listen to a call that is refused."""
    heard: list[str] = []
    circuit = open_it(library.circuit(heard.append))
    attempt(circuit, succeeds)
    return Answer("refused" in heard)


def listener(library: Makes) -> Answer:
    """Listen with a function that raises."""

    def broken(_: str) -> None:
        raise RuntimeError("the listener is broken")

    circuit = library.circuit(broken)
    error = attempt(circuit, succeeds)
    if isinstance(error, RuntimeError):
        return Answer(holds=False, said="its error comes out instead")
    open_it(circuit)
    return Answer(holds=True)
