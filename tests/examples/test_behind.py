"""Behind the answers: wrong records of tasks, of scheduled runs and of jobs are noticed."""

import pytest

from examples.shop.mistakes import PASSWORD
from examples.walk import jobs, scheduled
from examples.walk.answers import Answer, Outcome
from examples.walk.expectations import objections
from examples.walk.jobs import JOBS, Ended
from examples.walk.scheduled import ENTRIES, Entry, Watched
from examples.walk.step import Step
from examples.walk.steps import BEHIND

CONFIRMED = next(step for step in BEHIND if step.behind and step.behind.mail)
REFUSED = next(step for step in BEHIND if step.behind and step.behind.code)
FAILED: dict[str, object] = {
    "event": "error.handled",
    "origin": "celery.task",
    "operation": "shop.refund",
    "code": "DEPENDENCY_FAILED",
    "level": "ERROR",
}


@pytest.mark.parametrize(
    ("step", "lines", "mails", "said"),
    [
        (CONFIRMED, [], 0, "behind: expected 1 mail(s) under the id, got 0"),
        (CONFIRMED, [FAILED], 1, "behind: expected 0 error(s) under the id, got 1"),
        (REFUSED, [], 0, "behind: expected 1 error(s) under the id, got 0"),
        (REFUSED, [FAILED, FAILED], 0, "behind: expected 1 error(s) under the id, got 2"),
        (REFUSED, [{**FAILED, "level": "INFO"}], 0, "record, level: expected ERROR, got INFO"),
        (
            REFUSED,
            [{**FAILED, "origin": "log"}],
            0,
            "record, origin: expected celery.task, got log",
        ),
    ],
)
def test_a_wrong_record_of_a_task_is_noticed(
    step: Step, lines: list[dict[str, object]], mails: int, said: str
) -> None:
    """A task has to leave exactly what its step says, under the id of the request."""
    outcome = Outcome(Answer(step.status, {}, "{}"), [], {}, behind=tuple(lines), mails=mails)

    assert said in objections(step, outcome)


WELL, BUGGY, _ = ENTRIES
RECORD: dict[str, object] = {
    "code": "INTERNAL_ERROR",
    "level": "ERROR",
    "origin": "celery.task",
    "fingerprint": "a2984ce85666c5d0",
}
TWO = [{**RECORD, "trace_id": "1"}, {**RECORD, "trace_id": "2"}]


@pytest.mark.parametrize(
    ("entry", "seen", "said"),
    [
        (WELL, Watched([], 2, 3, 4), "runs: expected 3 to 4, got 2"),
        (WELL, Watched(TWO, 3, 3, 4), "records: expected none, got INTERNAL_ERROR"),
        (BUGGY, Watched(TWO, 2, 1, 1), "runs: expected 1 to 1, got 2"),
        (BUGGY, Watched([TWO[0], TWO[0]], 2, 2, 2), "trace_id: expected one for each run"),
        (BUGGY, Watched([TWO[0], {"trace_id": "2"}], 2, 2, 2), "fingerprint: expected one for all"),
        (BUGGY, Watched([{**RECORD, "level": "INFO"}], 1, 1, 1), "record, level: expected ERROR"),
    ],
)
def test_a_wrong_record_of_a_scheduled_run_is_noticed(
    entry: Entry, seen: Watched, said: str
) -> None:
    """Every run that was sent has one record, under an id of its own."""
    found = [*scheduled.objections(entry, seen)]

    assert any(text.startswith(said) for text in found), found
    assert [*scheduled.objections(BUGGY, Watched(TWO, 2, 2, 3))] == []


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Ended(0, []), "exit status: expected 124, got 0"),
        (Ended(124, []), "log: expected ['ERROR JOB_TIMED_OUT at nightly-invoices'], got []"),
        (Ended(124, [("INFO", "1", "job"), ("INFO", "2", "job")]), "log: expected one id"),
        (Ended(124, [("ERROR", "1", f"JOB_TIMED_OUT at {PASSWORD}")]), "log: leaks a password"),
    ],
)
def test_a_wrong_end_of_a_job_is_noticed(ended: Ended, said: str) -> None:
    """Exit status and records have to be those of the step."""
    late = next(job for job in JOBS if job.status == 124)

    found = [*jobs.objections(late, ended)]

    assert any(text.startswith(said) for text in found), found
    right = Ended(124, [("ERROR", "1", "JOB_TIMED_OUT at nightly-invoices: it was stopped")])
    assert [*jobs.objections(late, right)] == []
