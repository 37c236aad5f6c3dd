"""What was seen, as a page of the documentation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.compared.breakers import CLAIMS as BREAKERS
from benchmarks.compared.caches import CLAIMS as CACHES
from benchmarks.compared.retries import CLAIMS as RETRIES


@dataclass(frozen=True, slots=True)
class Column:
    """One library."""

    distribution: str
    well: str
    """What it does well, beyond what the tables ask."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of trying all claims on one library."""

    version: str
    answers: Mapping[str, tuple[bool | None, str]]


COLUMNS: Final = {
    "holdfast": Column("holdfast", ""),
    "pybreaker": Column(
        "pybreaker",
        "The one everybody knows: a small surface, listeners, storages, many years of use. Ours is "
        "built on it, and code written for it goes on with ours.",
    ),
    "circuitbreaker": Column(
        "circuitbreaker",
        "One file without any dependency, the cheapest refusal of the peers, generators and asynchronous "
        "generators; half an hour to read all of it.",
    ),
    "aiobreaker": Column(
        "aiobreaker",
        "pybreaker's surface for asyncio, without a lock around the call. No release since 2021.",
    ),
    "purgatory": Column(
        "purgatory",
        "Circuits by name from one factory, as decorators and context managers, with no dependency; "
        "exclusions may look at the error.",
    ),
    "interlock": Column(
        "interlock-cb",
        "The nearest of them: windows by count and by time, slow calls, classified results, one class "
        "for both worlds, state in Redis with a budget of probes for a whole fleet, transports for HTTP "
        "clients, OpenTelemetry. No dependency in its core.",
    ),
    "redress": Column(
        "redress",
        "What an error means decides about retries and circuits alike, as it does here; a backoff for "
        "each class of errors, budgets, adaptive strategies, classifiers for many clients, and the whole "
        "course of a call as a value (`execute`).",
    ),
    "tenacity": Column(
        "tenacity",
        "Anything can be composed: stops, waits and conditions add up with `|`, `&` and `+`; blocks, "
        "statistics, Trio and Tornado.",
    ),
    "stamina": Column(
        "stamina",
        "Good defaults and few choices; retries that can be counted, logged and switched off in tests; "
        "typed through and through; Trio.",
    ),
    "backoff": Column(
        "backoff",
        "Two decorators that read as what they do, at the least cost of the peers.",
    ),
    "cachetools": Column(
        "cachetools",
        "Caches as mappings: LRU, LFU, TTL, by size of the values, with a decorator for methods. Fast and "
        "small.",
    ),
    "dogpile": Column(
        "dogpile.cache",
        "Regions over many backends (Redis, Valkey, Memcached, files), one maker of a value over all "
        "processes by locks of the backend, several keys in one go.",
    ),
}
_TABLES: Final = (
    (
        "Circuit breakers",
        (
            "holdfast",
            "pybreaker",
            "circuitbreaker",
            "aiobreaker",
            "purgatory",
            "interlock",
            "redress",
        ),
        BREAKERS,
    ),
    ("Retries", ("holdfast", "tenacity", "stamina", "backoff", "redress"), RETRIES),
    ("Caches", ("holdfast", "cachetools", "dogpile"), CACHES),
)

_HEAD: Final = """\
# Compared with others

What holdfast does and what other libraries for the same purpose do. Nothing here is from
documentation: each row is a claim that `python -m benchmarks.compared` tries on each library, by a few
lines in `benchmarks/compared/` that make calls and look at what becomes of them. A test does it again
and compares. What it costs in time stands in [Benchmarks](../benchmarks.md).

Each library is used as its documentation recommends, with the options it has for the claim; a *no* may
have an explanation, and a *yes* may have a condition. An empty *no* means that there is nothing for it.
Libraries are asked about what they are for: a library of retries is not asked about circuits.
"""


def page(seen: Mapping[str, Seen]) -> str:
    """Return the whole page."""
    return "\n".join(_lines(seen)) + "\n"


def _lines(seen: Mapping[str, Seen]) -> Iterator[str]:
    yield _HEAD
    yield "Written by `python -m benchmarks.compared --write`; not to be edited. Versions tried:"
    peers = (
        f"{COLUMNS[name].distribution} {one.version}" for name, one in seen.items() if one.version
    )
    yield f"{', '.join(peers)}."
    for title, names, claims in _TABLES:
        yield f"\n## {title}\n"
        heads = (COLUMNS[name].distribution for name in names)
        yield f"| | {' | '.join(heads)} |"
        yield "|---" * (len(names) + 1) + "|"
        for claim, _ in claims:
            cells = (_cell(*seen[name].answers[claim]) for name in names)
            yield f"| {claim} | {' | '.join(cells)} |"
    yield "\n## What each of them does well\n"
    for column in COLUMNS.values():
        if column.well:
            yield f"- **{column.distribution}**: {column.well}"


def _cell(holds: bool | None, said: str) -> str:  # noqa: FBT001  # what was seen
    if holds is None:
        return said
    verdict = "**yes**" if holds else "no"
    return f"{verdict}: {said}" if said else verdict
