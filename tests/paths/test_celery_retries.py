"""Tasks that real workers try again, by the classification of their error."""

from collections import Counter
from pathlib import Path

import pytest

from tests.integrations.conftest import need

need("celery")

from tests.paths.celery_app.running import WORKER, Worker, running  # noqa: E402  # needed above

SERVICES = {"RabbitMQ": "rabbitmq", "Redis": "redis"}
COMMAND = (*WORKER, "--include=tests.paths.celery_app.retrying")


def attempts(worker: Worker, task_id: str) -> Counter[object]:
    """Return how the attempts of a task ended."""
    return Counter(
        event["state"]
        for event in worker.events()
        if event["event"] == "test.ended" and event["task_id"] == task_id
    )


@pytest.mark.parametrize(
    "broker", [pytest.param(name, marks=pytest.mark.service(SERVICES[name])) for name in SERVICES]
)
def test_workers_try_again_what_may_succeed_and_nothing_else(broker: str, tmp_path: Path) -> None:
    """Transient errors have all their attempts and one record of the last; a bug has one of each."""
    with running(broker, tmp_path, COMMAND) as worker:
        tasks = {name: worker.send(name, trace_id=name) for name in ("away", "back", "wrong")}
        for name, state in (("away", "FAILURE"), ("back", "SUCCESS"), ("wrong", "FAILURE")):
            worker.wait_for_event("test.ended", task_id=tasks[name], state=state)
        records = {record["trace_id"]: record for record in worker.outcome(2)}
        ends = {name: attempts(worker, task_id) for name, task_id in tasks.items()}

    assert ends == {
        "away": {"RETRY": 2, "FAILURE": 1},
        "back": {"RETRY": 2, "SUCCESS": 1},
        "wrong": {"FAILURE": 1},
    }
    assert {name: record["code"] for name, record in records.items()} == {
        "away": "SERVICE_UNAVAILABLE",
        "wrong": "INTERNAL_ERROR",
    }
    assert records["away"]["message"] == "The bank is away"
