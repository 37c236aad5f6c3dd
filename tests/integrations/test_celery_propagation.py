import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import context
from holdfast.context import (
    WorkContext,
    current_context,
    headers_of,
    parse_traceparent,
    work_context,
)
from tests.integrations.conftest import need

need("celery")
from celery import Celery, Task, signals  # noqa: E402  # needed above
from celery.app.task import Context  # noqa: E402
from celery.app.trace import build_tracer  # noqa: E402
from celery.worker.request import Request  # noqa: E402
from kombu import Connection  # noqa: E402

from holdfast.integrations.celery import propagation  # noqa: E402
from holdfast.integrations.celery.propagation import work_of  # noqa: E402

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
OTHER = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
USELESS = ["", "a\nb", "x" * 129, "é", b"bytes", 7, None, ["a"], {"a": 1}, "../../etc"]


@pytest.fixture
def app() -> Generator[Celery]:
    """Give an application whose messages stay in memory, with its tasks followed."""
    made = Celery(
        "test", broker="memory://", backend="cache+memory://", set_as_current=False, fixups=[]
    )
    propagation.connect(made)
    yield made
    propagation.disconnect()
    made.close()


@contextmanager
def published() -> Generator[list[dict[str, object]]]:
    """Keep the headers of the messages that the block sends."""
    seen: list[dict[str, object]] = []

    def keep(headers: dict[str, object], **_: object) -> None:
        seen.append(headers)

    signals.before_task_publish.connect(keep, weak=False)
    try:
        yield seen
    finally:
        signals.before_task_publish.disconnect(keep)


def run(task: "Task[..., object]", /, *args: object, **headers: object) -> object:
    """Run a task as a worker's child does, and return its result; None when it failed."""
    tracer = build_tracer(task.name, task, app=task.app, eager=False)
    identity = str(uuid.uuid4())
    request = {"id": identity, "task": task.name, "is_eager": False, "root_id": identity}
    return tracer(identity, list(args), {}, {**request, **headers}).retval


def works_in(app: Celery) -> "tuple[list[WorkContext | None], Task[..., object]]":
    """Return a task that keeps the piece of work it ran in, and where it keeps it."""
    seen: list[WorkContext | None] = []

    @app.task(shared=False)
    def seeing() -> None:
        seen.append(current_context())

    return seen, cast("Task[..., object]", seeing)


def test_the_work_at_hand_goes_into_the_headers_of_a_message(app: Celery) -> None:
    """A task sent during a request carries the request's id and the W3C trace."""
    with published() as sent:
        token = context.begin(PARENT)
        work = current_context()
        app.send_task("any")
        context.end(token)

    assert work is not None
    assert sent[0]["x-request-id"] == TRACE
    assert sent[0]["traceparent"] == work.traceparent


def test_an_id_that_is_no_trace_travels_alone(app: Celery) -> None:
    """A request id that W3C would not allow makes no `traceparent`."""
    with published() as sent, work_context("job-42"):
        app.send_task("any")

    assert sent[0]["x-request-id"] == "job-42"
    assert "traceparent" not in sent[0]


@pytest.mark.parametrize("given", [{"traceparent": OTHER}, {"x-request-id": "mine"}])
def test_what_the_publisher_gave_stays(app: Celery, given: dict[str, str]) -> None:
    """Headers that somebody wrote on purpose are not replaced, and none are added to them."""
    with published() as sent, work_context():
        app.send_task("any", headers=given)

    assert {k: sent[0][k] for k in ("traceparent", "x-request-id") if k in sent[0]} == given


@pytest.mark.parametrize("value", USELESS)
def test_useless_ids_in_headers_are_replaced(app: Celery, value: object) -> None:
    """Headers that no receiver would take are as good as none."""
    with published() as sent, work_context("job-42"):
        app.send_task("any", headers={"traceparent": value, "x-request-id": value})

    assert sent[0]["x-request-id"] == "job-42"


def test_outside_of_any_work_a_task_is_known_by_its_own_id(app: Celery) -> None:
    """A script's task begins a trace, whose id is the task's."""
    with published() as sent:
        first, second = app.send_task("any"), app.send_task("any")

    assert [headers["x-request-id"] for headers in sent] == [
        task.id.replace("-", "") for task in (first, second)
    ]


def test_an_id_that_was_chosen_for_a_task_is_no_id_of_a_trace(app: Celery) -> None:
    """A task sent each night as `nightly` has a new trace each night."""
    with published() as sent:
        app.send_task("any", task_id="nightly")
        app.send_task("any", task_id="nightly")

    ids = {str(headers["x-request-id"]) for headers in sent}
    assert len(ids) == 2
    assert "nightly" not in ids


def test_a_beat_has_a_trace_of_its_own(app: Celery) -> None:
    """What beat sends does not belong to the piece of work that beat itself may be."""
    with published() as sent, work_context("the-beat"):
        app.send_task("any", headers={"celery_beat_task": True})

    assert sent[0]["x-request-id"] not in {"the-beat", None}


def test_headers_a_library_nests_are_added_to(app: Celery) -> None:
    """A retry by the parent keeps only nested headers where there are any, as Sentry's are."""
    nested = {"sentry-trace": "abc"}

    with published() as sent, work_context("job-42"):
        app.send_task("any", headers={"headers": nested, "sentry-trace": "abc"})

    assert sent[0]["headers"] == {"sentry-trace": "abc", "x-request-id": "job-42"}
    assert sent[0]["sentry-trace"] == "abc"
    assert nested == {"sentry-trace": "abc"}


def test_a_task_goes_on_with_the_work_in_its_headers(app: Celery) -> None:
    """Within a task the id is that of the request, and the span one of its own."""
    seen, task = works_in(app)

    run(task, traceparent=PARENT)

    (work,) = seen
    assert work is not None
    assert (work.trace_id, work.boundary) == (TRACE, "celery.task")
    assert parse_traceparent(work.traceparent) == (TRACE, "01")
    assert work.span_id not in PARENT
    assert current_context() is None


def test_id_and_name_of_the_task_are_bound(app: Celery) -> None:
    """Every record and log line within a task has its id and its name."""
    seen, task = works_in(app)

    run(task, id="7d1c")

    assert seen[0] is not None
    assert seen[0].fields == {"task_id": "7d1c", "task": task.name}


@pytest.mark.parametrize("value", USELESS)
def test_ids_of_a_message_are_trusted_as_little_as_those_of_a_request(
    app: Celery, value: object
) -> None:
    """What could break a log line or a header is not taken from a message."""
    seen, task = works_in(app)

    run(task, **{"traceparent": value, "x-request-id": value, "headers": value})

    assert seen[0] is not None
    assert parse_traceparent(seen[0].traceparent)


def test_a_message_of_others_is_known_by_its_root_task(app: Celery) -> None:
    """All tasks of one canvas have one id, even if nobody wrote any headers."""
    seen, task = works_in(app)
    root = "0f6c3d0e-4b0a-4c55-9a3b-6d1de3a9b2f1"

    run(task, root_id=root)
    run(task, root_id=root)

    assert [work and work.trace_id for work in seen] == [root.replace("-", "")] * 2


def test_a_uuid_with_dashes_stays_as_its_owner_wrote_it(app: Celery) -> None:
    """A request known by `X-Request-ID` and its tasks are found by the same text."""
    request_id = "0F6C3D0E-4B0A-4C55-9A3B-6D1DE3A9B2F1"
    seen, task = works_in(app)

    with published() as sent, work_context(request_id):
        app.send_task("any")
    run(task, **sent[0])

    assert seen[0] is not None
    assert seen[0].trace_id == request_id


def test_a_retry_belongs_to_the_same_trace_and_follows_the_attempt_before(app: Celery) -> None:
    """The parent of the second attempt is the span of the first."""
    seen: list[WorkContext | None] = []

    @app.task(bind=True, shared=False)
    def again(self: "Task[..., object]") -> None:
        seen.append(current_context())
        raise self.retry(countdown=0)

    with published() as sent:
        run(again, traceparent=PARENT)

    assert seen[0] is not None
    assert sent[0]["traceparent"] == seen[0].traceparent


def test_an_eager_task_is_part_of_the_work_around_it(app: Celery) -> None:
    """`apply` goes on with the request's id, and the request is the work at hand again after it."""
    seen, task = works_in(app)

    with work_context("job-42") as request:
        task.apply()
        assert current_context() == request

    assert seen[0] is not None
    assert (seen[0].trace_id, seen[0].within) == ("job-42", (request.span_id,))
    assert seen[0].fields["task"] == task.name


def test_an_eager_task_outside_of_any_work_has_its_own(app: Celery) -> None:
    """A script that calls a task eagerly has no work before or after."""
    seen, task = works_in(app)

    task.apply(task_id="7d1c")

    assert seen[0] is not None
    assert seen[0].trace_id == "7d1c"
    assert current_context() is None


def test_eager_tasks_within_tasks_end_where_they_began(app: Celery) -> None:
    """Each is the work at hand while it runs, and the one around it afterwards."""
    seen: list[tuple[object, object]] = []

    @app.task(bind=True, shared=False)
    def nested(self: "Task[..., object]", depth: int) -> None:
        before = current_context()
        if depth:
            cast("Task[..., object]", nested).apply((depth - 1,))
        assert current_context() == before
        seen.append((self.request.id, before and before.fields["task_id"]))

    run(nested, 3, traceparent=PARENT)

    assert len(seen) == 4
    assert all(own == bound for own, bound in seen)
    assert current_context() is None


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_task_that_fails_or_leaves_ends_its_work(app: Celery, error: type[BaseException]) -> None:
    """Whatever a task raises, the thread is left without any work."""

    @app.task(shared=False)
    def leaving() -> None:
        raise error

    with suppress(error):  # what is no `Exception` comes out
        run(leaving)

    assert current_context() is None


def test_work_that_never_ended_is_left_when_the_next_task_begins(app: Celery) -> None:
    """A task that was torn out of its thread leaves nothing to those that come after."""
    seen, task = works_in(app)
    torn = Context(id="torn", task="torn", is_eager=False, traceparent=OTHER)

    task.request_stack.push(torn)
    signals.task_prerun.send(sender=task, task_id="torn", task=task, args=[], kwargs={})
    task.request_stack.pop()
    run(task, traceparent=PARENT)

    assert seen[0] is not None
    assert (seen[0].trace_id, seen[0].within) == (TRACE, ())
    assert current_context() is None


def test_an_eager_task_that_never_ended_is_left_with_the_task_around_it(app: Celery) -> None:
    """The end of the outer task is the end of all that began within it."""
    _, task = works_in(app)

    @app.task(shared=False)
    def outer() -> None:
        task.request_stack.push(Context(id="torn", is_eager=True))
        signals.task_prerun.send(sender=task, task_id="torn", task=task, args=[], kwargs={})
        task.request_stack.pop()

    run(outer)

    assert current_context() is None


def test_an_end_without_a_beginning_changes_nothing(app: Celery) -> None:
    """A worker that was instrumented while a task ran does not end the work of others."""
    _, task = works_in(app)

    with work_context("job-42"):
        signals.task_postrun.send(sender=task, task_id="x", task=task, args=[], kwargs={})

        assert context.current_trace_id() == "job-42"


def test_the_end_of_a_task_that_began_elsewhere_is_not_that_of_the_task_around_it(
    app: Celery,
) -> None:
    """A task's work goes on until its own end."""
    _, other = works_in(app)
    ids: list[str] = []

    @app.task(shared=False)
    def outer() -> None:
        signals.task_postrun.send(sender=other, task_id="x", task=other, args=[], kwargs={})
        ids.append(context.current_trace_id())

    run(outer, traceparent=PARENT)

    assert ids == [TRACE]


def test_headers_that_only_a_library_carried_are_read(app: Celery) -> None:
    """What is nested counts where there is nothing at the top: a retry by the parent, an eager task."""
    seen, task = works_in(app)

    run(task, headers={"traceparent": PARENT})
    task.apply(headers={"x-request-id": "job-42"})

    assert [work and work.trace_id for work in seen] == [TRACE, "job-42"]


def test_tasks_in_threads_do_not_see_each_other(app: Celery) -> None:
    """In a pool of threads every task has its own work, from beginning to end."""
    both = threading.Barrier(2, timeout=10)
    seen: dict[str, str] = {}

    @app.task(shared=False)
    def meeting(name: str) -> None:
        both.wait()
        seen[name] = context.current_trace_id()
        both.wait()

    threads = [
        threading.Thread(target=run, args=(meeting, name), kwargs={"x-request-id": name})
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert seen == {"one": "one", "two": "two"}


def test_to_connect_twice_changes_nothing(app: Celery) -> None:
    """A task followed twice would have a span too many."""
    propagation.connect(app)
    seen, task = works_in(app)

    run(task)

    assert seen[0] is not None
    assert seen[0].within == ()
    assert current_context() is None


def test_disconnected_nothing_is_followed(app: Celery) -> None:
    """No header is written and no work begins any more."""
    seen, task = works_in(app)
    propagation.disconnect()
    propagation.disconnect()

    with published() as sent, work_context():
        task.delay()
    run(task)

    assert "x-request-id" not in sent[0]
    assert seen == [None]


def test_the_work_of_a_request_is_that_of_its_task(app: Celery) -> None:
    """The parent of a worker finds the id of a task that a child lost, wherever the headers are."""
    seen, task = works_in(app)
    with work_context("job-42"), Connection("memory://") as connection:
        task.apply_async(queue="look")
        message = connection.SimpleQueue("look").get(timeout=5)
        message.ack()
    headers = dict(message.headers)
    request = Request(message, app=app, task=task)

    run(task, **headers)

    assert seen[0] is not None
    carriers: tuple[object, ...] = (headers, message, request, Context(request.request_dict))
    for carrier in carriers:
        work = work_of(carrier)
        assert (work.trace_id, work.boundary) == ("job-42", "celery.task")
        assert work.fields == {"task_id": headers["id"], "task": task.name}
    assert current_context() is None


@pytest.mark.parametrize("carrier", [None, {}, 7, object(), SimpleNamespace(headers=None)])
def test_the_work_of_what_has_no_headers_has_ids_of_its_own(carrier: object) -> None:
    """A message that cannot be read still has a record with an id."""
    assert len(work_of(carrier).trace_id) == 32


@given(
    st.dictionaries(
        st.sampled_from(["traceparent", "x-request-id", "headers", "id", "root_id"]),
        st.one_of(
            st.text(), st.integers(), st.binary(), st.none(), st.dictionaries(st.text(), st.text())
        ),
    )
)
def test_whatever_the_headers_are_the_work_has_ids_that_can_travel(
    headers: dict[str, object],
) -> None:
    """No message breaks the task that it starts, or what that task sends."""
    work = work_of(headers)

    assert context.is_request_id(work.trace_id)
    assert not work.traceparent or parse_traceparent(work.traceparent)


@given(
    st.one_of(
        st.uuids().map(str),
        st.uuids().map(lambda u: u.hex),
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}", fullmatch=True),
    )
)
def test_an_id_that_travels_arrives_as_it_was(request_id: str) -> None:
    """From work to headers to work the id stays the same text."""
    with work_context(request_id) as work:
        assert work_of(headers_of(work)).trace_id == request_id


WITH_SENTRY = """
import json, sentry_sdk
from celery import Celery, signals
from holdfast.context import current_trace_id, work_context
from holdfast.integrations.celery import propagation

sentry_sdk.init("http://key@127.0.0.1:1/1", traces_sample_rate=1.0, transport=lambda *_: None)
app = Celery("test", broker="memory://", backend="cache+memory://")
sent = []
if {ours}:
    propagation.connect(app)
signals.before_task_publish.connect(lambda headers, **_: sent.append(headers), weak=False)

@app.task(bind=True)
def again(self):
    sent.append(current_trace_id())
    raise self.retry(countdown=0)

with work_context("job-42"), sentry_sdk.start_transaction(name="request"):
    again.delay()
tracer = again.__trace__ or __import__("celery.app.trace").app.trace.build_tracer(
    again.name, again, app=app)
tracer(sent[0]["id"], [], {{}}, {{**sent[0], "is_eager": False}})
print(json.dumps(sent))
"""


def with_sentry(*, ours: bool) -> list[Any]:
    """Send a task that asks to be tried again, in a process with Sentry, and return what was sent."""
    script = WITH_SENTRY.format(ours=ours)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    return cast("list[Any]", json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.extra("sentry_sdk")
def test_headers_of_sentry_stay_what_they_are() -> None:
    """Sentry's trace travels as without us, in both places it writes to, and in the retry as well."""
    plain, (first, trace_id, retried) = with_sentry(ours=False), with_sentry(ours=True)

    for before, after in ((plain[0], first), (plain[2], retried)):
        names = {"traceparent", "x-request-id"}
        assert after.keys() - names == before.keys()
        assert after["headers"].keys() - names == before["headers"].keys()
        assert after["sentry-trace"] == after["headers"]["sentry-trace"]
    assert first["sentry-trace"].split("-")[0] == retried["sentry-trace"].split("-")[0]
    assert trace_id == "job-42"
    assert first["x-request-id"] == retried["x-request-id"] == "job-42"
