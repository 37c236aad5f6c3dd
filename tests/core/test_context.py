"""The current piece of work: one id, taken from outside only when it is harmless."""

import asyncio
import contextvars
import pickle
import string
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.context import (
    MAX_FIELDS,
    WorkContext,
    begin,
    bind,
    bind_request,
    current_context,
    current_trace_id,
    end,
    follow,
    left_by,
    parse_traceparent,
    resume,
    work_context,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"
HEX = set(string.hexdigits.lower())


def begun(traceparent: str | None = None, request_id: str | None = None) -> WorkContext:
    """Return the piece of work that headers begin."""
    token = begin(traceparent, request_id, "test.request")
    try:
        found = current_context()
        assert found is not None
        return found
    finally:
        end(token)


def is_fresh(trace_id: str) -> bool:
    """Tell whether an id is one we made."""
    return len(trace_id) == 32 and set(trace_id) <= HEX


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (VALID, (TRACE, "01")),
        (f"00-{TRACE}-{SPAN}-00", (TRACE, "00")),
        (f"01-{TRACE}-{SPAN}-01", (TRACE, "01")),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", (TRACE, "01")),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"{VALID}-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-0A", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f"00-{TRACE}0-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN[1:]}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"0-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE[:-1]}g-{SPAN}-01", None),
        (f" {VALID}", None),
        (f"{VALID}\n", None),
        (f"{VALID},{VALID}", None),
        ("00-" + "a" * 10_000, None),
        (f"01-{TRACE}-{SPAN}-01-" + "a" * 10_000, None),
        ("", None),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_a_traceparent_is_read_as_the_recommendation_says(
    header: str, expected: tuple[str, str] | None
) -> None:
    """Valid headers give id and flags; wrong versions, lengths, cases and zeros give nothing."""
    assert parse_traceparent(header) == expected


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.*"))
def test_any_traceparent_leads_to_a_harmless_id(header: str) -> None:
    """Whatever is sent, the id is 32 hexadecimal digits and never all zeros."""
    found = begun(header)

    assert is_fresh(found.trace_id)
    assert found.trace_id != "0" * 32
    sent = parse_traceparent(found.traceparent)
    assert sent is not None
    assert sent[0] == found.trace_id


def test_a_valid_traceparent_goes_before_a_request_id() -> None:
    """Of two valid ids the trace's is the one; the span is ours and the flags are kept."""
    found = begun(VALID, "req-1")

    assert (found.trace_id, found.boundary) == (TRACE, "test.request")
    assert found.span_id != SPAN
    assert found.traceparent == f"00-{TRACE}-{found.span_id}-01"


def test_an_invalid_traceparent_gives_way_to_a_request_id() -> None:
    """The request id counts when the trace header cannot be read."""
    assert begun(VALID.upper(), "req-1").trace_id == "req-1"


@pytest.mark.parametrize(
    "request_id",
    [
        "req-1",
        "a",
        "8f14e45f-ceea-467f-a8f5-1a0e1b9c3d2e",
        "abc.DEF_1:2/3=4+5",
        "x" * 128,
    ],
)
def test_a_plain_request_id_is_kept(request_id: str) -> None:
    """An id of at most 128 plain characters is the one id."""
    assert begun(None, request_id).trace_id == request_id


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        None,
        "x" * 129,
        "x" * 10_000,
        "a\r\nSet-Cookie: a=b",
        "a\n",
        "a b",
        "-a",
        "é",
        "ａ",  # noqa: RUF001  # a full-width letter, which some take for ASCII
        "<script>",
        "a\x00b",
        'a"b',
    ],
    ids=lambda value: f"{str(value)[:20]!r}-{len(str(value))}",
)
def test_any_other_request_id_is_replaced(request_id: str | None) -> None:
    """Line breaks, floods, spaces and what is not ASCII never become the id."""
    assert is_fresh(begun(None, request_id).trace_id)


@given(st.text(max_size=300))
def test_an_id_is_always_fit_for_a_header(request_id: str) -> None:
    """Whatever is sent as request id, the id is short, printable ASCII without spaces."""
    found = begun(None, request_id).trace_id

    assert found.isascii()
    assert found.isprintable()
    assert " " not in found
    assert 1 <= len(found) <= 128


def test_fresh_ids_differ() -> None:
    """Two pieces of work have two ids and two spans."""
    first, second = begun(), begun()

    assert first.trace_id != second.trace_id
    assert first.span_id != second.span_id


@pytest.mark.parametrize(
    ("trace_id", "sent"),
    [
        (TRACE, TRACE),
        ("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", TRACE),
        ("req-1", ""),
        ("0" * 32, ""),
    ],
)
def test_an_id_that_can_be_a_traces_is_sent_as_one(trace_id: str, sent: str) -> None:
    """A UUID is sent on as a trace id; an id that cannot be one gives no header."""
    found = begun(None, trace_id)

    assert found.traceparent == (f"00-{sent}-{found.span_id}-00" if sent else "")


def test_outside_of_any_work_there_is_nothing() -> None:
    """Without a piece of work there is no context, and the id is empty."""
    assert current_context() is None
    assert current_trace_id() == ""


def test_pieces_of_work_nest() -> None:
    """An inner piece of work has its own id and fields, and the outer one's come back."""
    with work_context("outer", boundary="job") as outer, bind(order=1):
        with work_context("inner") as inner:
            assert current_context() is inner
            assert dict(inner.fields) == {}
            assert current_trace_id() == "inner"
        assert current_trace_id() == "outer"
        found = current_context()

    assert outer.boundary == "job"
    assert found is not None
    assert dict(found.fields) == {"order": 1}
    assert current_context() is None


def test_an_id_given_to_work_is_checked_too() -> None:
    """A given id that is not plain is replaced by a fresh one."""
    with work_context("no good\n") as current:
        assert is_fresh(current.trace_id)


def test_work_ends_when_its_block_fails() -> None:
    """An error that leaves the block leaves nothing behind."""
    with pytest.raises(KeyError), work_context("job"), bind(a=1):
        raise KeyError

    assert current_context() is None


def test_fields_add_up_and_are_taken_away() -> None:
    """Inner fields join and cover outer ones until their block ends."""
    with work_context("w"), bind(a=1, b=1):
        with bind(b=2, c=3):
            inner = current_context()
        outer = current_context()

    assert inner is not None
    assert outer is not None
    assert dict(inner.fields) == {"a": 1, "b": 2, "c": 3}
    assert dict(outer.fields) == {"a": 1, "b": 1}


def test_fields_for_the_request_last_until_it_ends() -> None:
    """What is bound for the request is there until the piece of work ends, and not after."""
    with work_context("w"):
        bind_request(user=7)
        bind_request(team=3)
        found = current_context()

    assert found is not None
    assert dict(found.fields) == {"user": 7, "team": 3}
    assert current_context() is None


def test_fields_outside_of_any_work_make_one() -> None:
    """Binding without a piece of work makes one for the block."""
    with bind(a=1):
        assert is_fresh(current_trace_id())

    assert current_context() is None


def test_fields_are_bounded() -> None:
    """Beyond the limit further fields are dropped, and those that are there may still change."""
    first = {f"f{n}": n for n in range(MAX_FIELDS)}

    with work_context("w"), bind(**first), bind(one_more=1, f0="changed"):
        found = current_context()

    assert found is not None
    assert len(found.fields) == MAX_FIELDS
    assert "one_more" not in found.fields
    assert found.fields["f0"] == "changed"


def test_fields_cannot_be_changed_from_outside() -> None:
    """The fields of a piece of work are read-only."""
    with work_context("w"), bind(a=1):
        found = current_context()
    assert found is not None

    with pytest.raises(TypeError):
        found.fields["b"] = 2  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def test_a_thread_has_its_own_work() -> None:
    """A new thread sees nothing of the work around it, unless it runs in a copy of its context."""
    seen: list[str] = []

    with work_context("outer"):
        copied = contextvars.copy_context()
        for target in (
            lambda: contextvars.Context().run(lambda: seen.append(current_trace_id())),
            lambda: copied.run(lambda: seen.append(current_trace_id())),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert seen == ["", "outer"]


async def test_tasks_inherit_and_do_not_disturb() -> None:
    """A task begins with the work it was started in; what it binds stays its own."""

    async def child(name: str) -> dict[str, object]:
        bind_request(child=name)
        await asyncio.wait_for(both_bound.wait(), 5)
        found = current_context()
        return {"trace_id": current_trace_id(), **(found.fields if found else {})}

    both_bound = asyncio.Event()
    with work_context("outer"), bind(order=1):
        tasks = [asyncio.ensure_future(child(name)) for name in ("a", "b")]
        asyncio.get_running_loop().call_soon(both_bound.set)
        results = await asyncio.gather(*tasks)
        mine = current_context()

    assert results == [
        {"trace_id": "outer", "order": 1, "child": "a"},
        {"trace_id": "outer", "order": 1, "child": "b"},
    ]
    assert mine is not None
    assert dict(mine.fields) == {"order": 1}


def test_work_that_was_left_can_be_resumed() -> None:
    """A streamed answer goes on with the piece of work it was begun in."""
    with work_context("streamed") as left:
        pass

    token = resume(left)
    resumed = current_trace_id()
    end(token)

    assert resumed == "streamed"
    assert current_context() is None


def test_outside_of_any_work_no_field_stays_with_the_thread() -> None:
    """There is no end at which the fields would be taken off again."""
    bind_request(user=7)

    assert current_context() is None


def test_an_exception_knows_the_innermost_work_it_left() -> None:
    """Whoever sees it outside of all work still learns the id and the fields of where it was raised."""
    error = ValueError("no")

    with pytest.raises(ValueError, match="no"), work_context("outer"):  # noqa: SIM117  # as code nests
        with work_context("inner"), bind(order=7):
            raise error

    left = left_by(error)
    assert left is not None
    assert (left.trace_id, dict(left.fields)) == ("inner", {"order": 7})


def test_an_exception_that_is_raised_again_leaves_the_work_of_then() -> None:
    """One object, raised in one piece of work and then in another, belongs to the second."""
    error = ValueError("no")

    for name in ("first", "second"):
        with pytest.raises(ValueError, match="no"), work_context(name):
            raise error

    left = left_by(error)
    assert left is not None
    assert left.trace_id == "second"


def test_what_an_exception_left_stays_in_this_process() -> None:
    """It can be pickled, whatever was bound, and arrives without it."""
    error = ValueError("no")
    with pytest.raises(ValueError, match="no"), work_context("one"), bind(lock=threading.Lock()):
        raise error

    assert left_by(pickle.loads(pickle.dumps(error))) is None  # noqa: S301  # our own bytes


def test_work_without_an_id_is_part_of_the_trace_that_is_followed() -> None:
    """Somebody else's, as OpenTelemetry's; what came in goes before it."""
    follow(lambda: (TRACE, VALID))
    try:
        with work_context() as within:
            pass
        with work_context("order-42") as named:
            pass
    finally:
        follow(None)
    with work_context() as alone:
        pass

    assert (within.trace_id, within.traceparent) == (TRACE, VALID)
    assert within.span_id != SPAN
    assert named.trace_id == "order-42"
    assert alone.trace_id != TRACE


def test_where_nothing_is_followed_work_has_an_id_of_its_own() -> None:
    """Outside of any span."""
    follow(lambda: None)
    try:
        with work_context() as work:
            assert work.traceparent == f"00-{work.trace_id}-{work.span_id}-00"
    finally:
        follow(None)
