"""Probes of real servers while checks hang, raise, dawdle, and the database is cut; five seconds of it.

How fast they have to be on a quiet machine, `nox -s probes` says; here the bounds are generous.
"""

import asyncio

import pytest

from tests.integrations.conftest import need

for library in ("gunicorn", "psutil", "psycopg", "uvicorn"):
    need(library)

from benchmarks.probes.case import CASES, LIVE, READY, Outcome, run  # noqa: E402  # as above
from benchmarks.probes.figures import most_threads, times  # noqa: E402  # as above
from benchmarks.probes.trouble import TIME_LIMIT  # noqa: E402  # as above

NAMES = ("django-sync-holdfast", "django-uvicorn-holdfast", "flask-gthread-holdfast")
SECONDS, CALM = 5.0, 0.5
pytestmark = pytest.mark.service("postgresql")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Probe three servers side by side."""
    folder = tmp_path_factory.mktemp("probes")

    async def probed() -> list[Outcome]:
        wanted = [case for case in CASES if case.name in NAMES]
        return await asyncio.gather(*(run(case, SECONDS, CALM, folder) for case in wanted))

    return {outcome.case.name: outcome for outcome in asyncio.run(probed())}


@pytest.fixture(params=NAMES)
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    """Return what was seen of one server."""
    return outcomes[request.param]


def test_a_process_is_alive_whatever_its_checks_do(outcome: Outcome) -> None:
    """Every live probe is told so, about as fast as an empty view answers."""
    live, empty = times(outcome.answers, LIVE), times(outcome.answers, outcome.case.empty)

    assert live.statuses == f"{live.count} × 200"
    assert live.median < 5 * empty.median + 0.02


def test_readiness_is_answered_within_its_time_limit(outcome: Outcome) -> None:
    """A check that hangs keeps nobody waiting for longer, and the answer is that it fails."""
    ready = times(outcome.answers, READY)

    assert ready.statuses == f"{ready.count} × 503"
    assert ready.worst < TIME_LIMIT + 1


def test_probes_leave_no_threads_and_no_connections_behind(outcome: Outcome) -> None:
    """One of each for a check that hangs, and not for every probe that asks it."""
    processes = max(sample.processes for sample in outcome.samples)

    assert max(sample.threads for sample in outcome.samples) <= most_threads(outcome)
    assert 0 < max(sample.connections for sample in outcome.samples) <= processes
    assert outcome.replaced == 0
