"""The record of one error: what it holds, what it leaves out, and its fingerprint."""

import json
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from types import FunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import classification_of
from holdfast.codes import ErrorCode
from holdfast.origin import Origin
from holdfast.record import (
    MAX_CAUSES,
    MAX_CHAIN,
    MAX_FRAMES,
    MAX_MEMBERS,
    ErrorRecord,
    Frame,
    causes_of,
    chain,
    fingerprint,
    frames_of,
    text_of,
    type_name,
)
from holdfast.redact import Redactor

SECRET = "CANARY-4711"


class Masking(Redactor):
    """A redactor that knows one secret."""

    def text(self, text: str) -> str:
        """Take the secret out."""
        return text.replace(SECRET, "[redacted]")


class Silent(Exception):
    """An error that cannot say itself."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError(SECRET)


def caught(function: Callable[[], object]) -> Exception:
    """Return what a function raises, with its traceback."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return error
    raise AssertionError("nothing was raised")


def fails_here() -> None:
    """Fail at one place."""
    local = SECRET
    raise ValueError(len(local))


def fails_there() -> None:
    """Fail at another place."""
    raise ValueError


def fails_through_the_library() -> None:
    """Fail inside the standard library."""
    json.loads("{")


def fails_through_the_library_elsewhere() -> None:
    """Fail at the same place of the standard library."""
    json.loads("{")


def fails_deep(depth: int) -> None:
    """Fail that many calls below."""
    if depth:
        fails_deep(depth - 1)
    raise ValueError


def print_of(error: Exception, code: str = "CODE") -> str:
    """Return the fingerprint of an error."""
    return fingerprint(code, error, frames_of(error.__traceback__))


def moved(function: Callable[[], None], lines: int) -> Callable[[], None]:
    """Return a function as if its source stood further down."""
    code = function.__code__
    further_down = code.replace(co_firstlineno=code.co_firstlineno + lines)
    return FunctionType(further_down, globals())


def record_of(error: Exception, redactor: Redactor | None = None) -> ErrorRecord:
    """Make a record as the handler would, as far as it matters here."""
    clean = redactor or Masking()
    frames = frames_of(error.__traceback__)
    return ErrorRecord(
        id="0" * 32,
        time=datetime(2024, 1, 15, tzinfo=UTC),
        trace_id="trace",
        span_id="span",
        origin=Origin(boundary="test", operation="GET /"),
        classification=classification_of(ErrorCode.INTERNAL_ERROR),
        type=type_name(type(error)),
        message=clean.text(text_of(error)),
        causes=causes_of(chain(error), clean),
        frames=frames,
        fingerprint=print_of(error),
    )


def with_causes(count: int) -> Exception:
    """Return an error with that many causes behind it."""
    error = ValueError("0")
    for n in range(1, count + 1):
        outer = ValueError(str(n))
        outer.__cause__ = error
        error = outer
    return error


def test_a_fingerprint_survives_a_move_of_lines() -> None:
    """The same function further down in its file has the same fingerprint."""
    here, there = caught(fails_here), caught(moved(fails_here, 1000))

    lines = [frames_of(error.__traceback__)[-1].line for error in (here, there)]

    assert lines[1] == lines[0] + 1000
    assert print_of(here) == print_of(there)


@given(st.text(), st.text())
def test_a_fingerprint_does_not_depend_on_the_message(one: str, other: str) -> None:
    """Two messages from one place are one error."""

    def fails(text: str) -> None:
        raise ValueError(text)

    assert print_of(caught(lambda: fails(one))) == print_of(caught(lambda: fails(other)))


def test_different_errors_have_different_fingerprints() -> None:
    """Another raise site, class or code is another error."""
    error = caught(fails_here)
    other_class = KeyError().with_traceback(error.__traceback__)

    prints = {
        print_of(error),
        print_of(caught(fails_there)),
        print_of(other_class),
        print_of(error, "OTHER"),
        print_of(ValueError("never raised")),
    }

    assert len(prints) == 5
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in prints)


def test_the_projects_own_function_is_the_raise_site() -> None:
    """An error inside a library is told apart by who called the library."""
    one, other = caught(fails_through_the_library), caught(fails_through_the_library_elsewhere)

    assert [frame.in_project for frame in frames_of(one.__traceback__)][1:3] == [True, False]
    assert frames_of(one.__traceback__)[-1] == frames_of(other.__traceback__)[-1]
    assert print_of(one) != print_of(other)


def test_without_the_projects_frames_the_library_is_the_raise_site() -> None:
    """An error whose traceback shows only a library is told apart by the library's function."""

    def outside(function: Callable[[], object]) -> Exception:
        error = caught(function)
        frames = error.__traceback__
        while frames is not None and __file__ in frames.tb_frame.f_code.co_filename:
            frames = frames.tb_next
        return KeyError().with_traceback(frames)

    one, other = outside(lambda: json.loads("{")), outside(lambda: Fraction("x"))

    assert {frame.in_project for frame in frames_of(one.__traceback__)} == {False}
    assert print_of(one) != print_of(other)


def test_a_groups_fingerprint_is_that_of_its_members_classes() -> None:
    """Which classes are in a group matters, how often and in which order does not."""
    kinds: list[list[Exception]] = [
        [ValueError(), KeyError()],
        [KeyError(), ValueError(), KeyError()],
        [KeyError()],
    ]

    prints = [print_of(ExceptionGroup("some", members)) for members in kinds]

    assert prints[0] == prints[1] != prints[2]


def test_frames_hold_places_and_no_values() -> None:
    """A frame says module, function, file and line; nothing of a frame's variables is kept."""
    frames = frames_of(caught(fails_here).__traceback__)

    assert [frame.function for frame in frames] == ["caught", "fails_here"]
    assert frames[-1] == Frame(
        __name__, "fails_here", __file__, fails_here.__code__.co_firstlineno + 3, in_project=True
    )
    assert SECRET not in repr(frames)


def test_the_same_place_gives_the_same_frame_each_time() -> None:
    """Frames that were seen before are right again, for each line of a function."""

    def fails(which: int) -> None:
        if which:
            raise ValueError
        raise ValueError

    lines = [frames_of(caught(lambda n=n: fails(n)).__traceback__)[-1].line for n in (0, 1, 0, 1)]  # type: ignore[misc]

    assert lines[0] == lines[2] == lines[1] + 1
    assert lines[1] == lines[3]


def test_frames_are_bounded() -> None:
    """Of a very deep traceback the outermost ten and the innermost calls are kept."""
    error = caught(lambda: fails_deep(300))

    frames = frames_of(error.__traceback__)
    every = traceback.extract_tb(error.__traceback__)

    assert len(every) > MAX_FRAMES
    assert len(frames) == MAX_FRAMES
    assert [frame.line for frame in frames[:10]] == [frame.lineno for frame in every[:10]]
    assert [frame.line for frame in frames[10:]] == [frame.lineno for frame in every[-50:]]


def test_without_a_traceback_there_are_no_frames() -> None:
    """An exception that was never raised has no frames, and its record has a text all the same."""
    record = record_of(ValueError("never raised"))

    assert record.frames == ()
    assert record.traceback() == "ValueError: never raised\n"


def test_causes_are_bounded() -> None:
    """Of a long chain the nearest causes are kept, of a big group some members."""
    causes = causes_of(chain(with_causes(20)), Masking())
    members = causes_of(
        chain(ExceptionGroup("many", [ValueError(str(n)) for n in range(50)])), Masking()
    )

    assert [cause.message for cause in causes] == [str(n) for n in range(19, 19 - MAX_CAUSES, -1)]
    assert [cause.message for cause in members] == [str(n) for n in range(MAX_MEMBERS)]
    assert {cause.relation for cause in causes} == {"cause"}
    assert {cause.relation for cause in members} == {"member"}


def test_a_chain_is_bounded() -> None:
    """A chain of thousands is looked at no further than its limit."""
    assert len(chain(with_causes(5000))) == MAX_CHAIN


def test_a_chain_ends_where_it_meets_itself() -> None:
    """Causes and contexts in a circle are each looked at once."""
    one, other, third = ValueError("1"), ValueError("2"), ValueError("3")
    one.__cause__, other.__context__, third.__cause__ = other, third, one

    assert [str(error) for error, _ in chain(one)] == ["1", "2", "3"]
    assert [relation for _, relation in chain(one)] == ["", "cause", "context"]


def test_a_chain_follows_causes_contexts_and_members() -> None:
    """A cause goes before a context, a suppressed context is left out, members come after causes."""
    explicit, context, hidden = ValueError("cause"), ValueError("context"), ValueError("hidden")
    member = ValueError("member")
    member.__context__ = context
    suppressing = ValueError("suppressing")
    suppressing.__context__, suppressing.__suppress_context__ = hidden, True
    group = ExceptionGroup("group", [member, suppressing])
    group.__cause__ = explicit

    found = [(str(error).partition(" (")[0], relation) for error, relation in chain(group)]

    assert found == [
        ("group", ""),
        ("cause", "cause"),
        ("member", "member"),
        ("context", "context"),
        ("suppressing", "member"),
    ]


def test_causes_are_redacted() -> None:
    """The text of a cause loses its secrets as the error's own text does."""
    error = ValueError(f"outer {SECRET}")
    error.__cause__ = KeyError(f"inner {SECRET}")

    record = record_of(error)

    assert SECRET not in repr(record)
    assert SECRET not in record.traceback()
    assert "outer [redacted]" in record.traceback()


def test_an_error_that_cannot_say_itself_is_recorded() -> None:
    """A text that cannot be had is replaced by why, without what the failure said."""
    assert text_of(Silent()) == "<no text: str() raised RuntimeError>"


def test_a_traceback_has_causes_first() -> None:
    """The text shows the innermost cause first and the error itself last, with source lines."""

    def wraps() -> None:
        try:
            fails_here()
        except ValueError as error:
            raise KeyError("outer") from error

    text = record_of(caught(wraps)).traceback()
    first, _, last = text.partition("\n(cause of:)\n\n")

    assert first.startswith("Traceback (most recent call last):\n")
    assert first.endswith(f"    raise ValueError(len(local))\nValueError: {len(SECRET)}\n")
    assert f'  File "{__file__}", line ' in last
    assert last.endswith("KeyError: 'outer'\n")
    assert SECRET not in text


def test_a_built_in_class_is_named_without_its_module() -> None:
    """Types are dotted names, but for built-in ones."""
    assert type_name(KeyError) == "KeyError"
    assert type_name(json.JSONDecodeError) == "json.decoder.JSONDecodeError"
    assert type_name(Silent) == f"{__name__}.Silent"


def test_a_record_as_json_is_flat_and_leaves_out_what_is_empty() -> None:
    """The facts of a record are JSON, without frames, and without what is not known."""
    facts = record_of(ValueError("text")).as_json()

    assert facts == {
        "event": "error.handled",
        "trace_id": "trace",
        "record_id": "0" * 32,
        "code": "INTERNAL_ERROR",
        "kind": "INTERNAL",
        "fault": "SERVICE",
        "status": 500,
        "transient": False,
        "trusted": True,
        "fingerprint": print_of(ValueError()),
        "origin": "test",
        "operation": "GET /",
        "error_type": "ValueError",
    }
    assert json.loads(json.dumps(facts)) == facts


def test_a_record_as_json_has_what_is_known() -> None:
    """Details, fields and causes are there when the record has them."""
    error = ValueError()
    error.__cause__ = KeyError("k")
    details: Mapping[str, int] = {"a": 1}
    record = record_of(error)
    object.__setattr__(record, "details", details)
    object.__setattr__(record, "notes", ("n",))

    facts = record.as_json()

    assert (facts["details"], facts["notes"]) == ({"a": 1}, ["n"])
    assert facts["causes"] == ["cause: KeyError: 'k'"]


@pytest.mark.parametrize("name", ["message", "classification", "frames"])
def test_a_record_cannot_be_changed(name: str) -> None:
    """A record is immutable."""
    with pytest.raises(AttributeError):
        setattr(record_of(ValueError()), name, None)
