"""Runs of Celery tasks are what the rate of their errors is out of."""

from tests.integrations.conftest import need

need("celery")

from celery import Celery  # noqa: E402  # not before it is known to be there

from holdfast.environment import activated  # noqa: E402
from holdfast.integrations.celery import instrument, uninstrument  # noqa: E402
from holdfast.testing import RecordingRuntime  # noqa: E402


def test_each_run_of_a_task_counts_once() -> None:
    """Those that fail, and those that succeed; of an application that is instrumented."""
    app = instrument(Celery("shop", broker="memory://", set_as_current=False))
    runtime = RecordingRuntime()

    @app.task(shared=False)
    def divide(by: int) -> float:
        return 1 / by

    with activated(runtime):
        for by in (1, 2, 0, 4):
            divide.apply((by,))
    uninstrument(app)

    seen = runtime.statistics.snapshot()
    assert (seen.requests, seen.total_errors, seen.error_rate) == (4, 1, 0.25)
