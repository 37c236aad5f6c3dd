"""Nothing of the host changes: what a process prints and how it ends are what they were without hooks."""

import re
from functools import cache

import pytest

from tests.paths.python_runs import Ran, ran
from tests.paths.python_script.__main__ import MODULES
from tests.paths.python_script.kinds import SCENARIOS

PLAIN = sorted(
    key
    for key, scenario in SCENARIOS.items()
    if scenario.plain and scenario.run.__module__ in {module.__name__ for module in MODULES}
)

# Of a cycle that is collected, either part may go first: the coroutine is closed by then, or not yet.
_COLLECTED = re.compile(r"(?:running|done, defined) at [^>]*?:\d+(?=> wait_for=)")
_VARYING = re.compile(
    r"0x[0-9a-f]+|(?<=process )\d+|(?<=pid=)\d+|process-\d+|task-\d+", re.IGNORECASE
)


@cache
def shown(text: str) -> str:
    """Return what was printed without addresses and numbers of processes."""
    return _VARYING.sub("…", _COLLECTED.sub("…", text))


def seen(done: Ran) -> tuple[int, str, list[str]]:
    """Return what somebody sees who started the process."""
    return done.status, shown(done.output), shown(done.errors).splitlines()


@pytest.mark.parametrize("key", PLAIN)
def test_a_process_ends_and_prints_as_without_hooks(key: str) -> None:
    """Exit status, standard output and standard error are the same, tracebacks included."""
    with_hooks, without = ran(key), ran(key, hooked=False)

    assert seen(with_hooks) == seen(without)
