"""The page of the documentation about the herd."""

from collections.abc import Mapping
from typing import Final

from benchmarks.herd.dependency import CALLERS, DOWN, END, NORMAL

_NAMES: Final = {
    "holdfast": "holdfast, retry and breaker",
    "tenacity": "tenacity, random exponential wait",
    "pybreaker": "pybreaker, the decorator",
    "pybreaker-calling": "pybreaker, its `with` form",
    "none": "no protection",
}
_TEXT: Final = """\
# A thundering herd

A dependency goes down for {down:.0f} seconds and comes back slow: its caches are cold, and it can serve
a seventh of what it could before. It gets warm by the calls that it serves. What comes at it in these
seconds decides whether it gets up again or is run over.

{callers} threads call it, {normal} times a second between them. This is what reached it, by second:

![Calls per second that reached the dependency: with holdfast never more than the {normal} that are normal](thundering-herd.svg)

{table}

Written by `nox -s herd -- --write`, on real threads in real time, one process for each way to call.
The session fails when ours calls more often than is normal, in any second since the outage began.
The dependency (`benchmarks/herd/dependency.py`) counts calls, takes a tenth of a call's work to refuse
one, and serves {normal} calls a second with ease when it is warm.

**Without protection** every caller goes on as ever. That is not more than the normal rate, but more
than the dependency can take when it is cold: what it refuses slows it down.

**tenacity**, as its documentation advises for a shared resource (`wait_random_exponential`, five
attempts), spreads the attempts well, and makes five calls of each. While the dependency needs rest, it
gets five times the usual load, and as long as that lasts it does not come back: the retries
have become the outage. Nothing but a budget, or a circuit breaker, ends that.

**pybreaker**'s decorator keeps the dependency from harm, since it holds its lock while it calls: one call
at a time, whatever the number of threads. That costs most when a call takes long, as here after the
outage, and on good days, too ([Benchmarks](../benchmarks.md)). Its `with` form takes no lock: after one
probe that succeeds, everybody is back at once.

**holdfast**:

```python
from holdfast import Breaker, Policy, Retry

stock = Policy("stock", Retry(attempts=3), Breaker(recovery_timeout=1.0, ramp_step=1.0))
```

Five failures, and the circuit opens; one probe a second asks whether the dependency is back. Once two probes have
succeeded, the ramp lets through a tenth, a quarter and half of the *usual* rate, which the circuit knows
from before the outage, for a second each, and opens again if more than a tenth of those calls fail.
Retries spend a budget: a tenth of what succeeds and one a second, so they cannot become the
load. The ramp has its price: while it widens it refuses calls that a gentler crowd could have been
served, so that who does not retry at all gets more through here. It is paid once an outage,
and buys that nothing stampedes, whatever callers do. The times are shortened to fit the picture; by default a circuit stays open for a minute, and each
step of the ramp takes five seconds.
"""


def page(found: Mapping[str, Mapping[str, list[int]]]) -> str:
    """Return the page."""
    return _TEXT.format(
        down=DOWN[1] - DOWN[0], callers=CALLERS, normal=NORMAL, table="\n".join(_table(found))
    )


def _table(found: Mapping[str, Mapping[str, list[int]]]) -> list[str]:
    begin, back = int(DOWN[0]), int(DOWN[1])
    wanted = NORMAL * (int(END) - back)
    heads = (
        "way to call",
        "calls while it was down",
        "most in one second",
        "after it was back: refused by it",
        f"served, of {wanted:,} wanted",
    )
    lines = [f"| {' | '.join(heads)} |", "|---|--:|--:|--:|--:|"]
    for way, counts in found.items():
        arrived, served = counts["arrived"], sum(counts["served"][back:])
        numbers = (
            sum(arrived[begin:back]),
            max(arrived[begin:]),
            sum(arrived[back:]) - served,
            served,
        )
        lines.append(f"| {_NAMES[way]} | {' | '.join(f'{number:,}' for number in numbers)} |")
    return lines
