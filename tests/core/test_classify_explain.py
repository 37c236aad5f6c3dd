"""Explanations: who decided what an exception means, and who was asked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import Classification, Classifier, Explanation, Partial, Rule
from holdfast.codes import ErrorCode, Severity
from holdfast.errors import AppError, ResourceNotFoundError
from holdfast.origin import ErrorContext, Origin
from holdfast.record import chain
from holdfast.settings import Settings
from holdfast.testing import RecordingRuntime

SECRET = "hunter2hunter2"


def declines(_: BaseException, __: ErrorContext) -> None:
    """Leave it to the next."""


def fails(_: BaseException, __: ErrorContext) -> Classification:
    """Fail, with a secret."""
    raise LookupError(SECRET)


def urgent(_: BaseException, context: ErrorContext) -> Partial | None:
    """Find jobs urgent."""
    return Partial(severity=Severity.CRITICAL) if context.origin.boundary == "job" else None


RULES = [
    Rule(match=TimeoutError, when=lambda _: False, status=410),
    Rule(match=OSError, category="SYSTEM"),
]


def raised(error: BaseException, behind: BaseException) -> BaseException:
    """Put an exception behind another."""
    error.__cause__ = behind
    return error


def test_it_says_in_order_who_was_asked_and_what_each_settled() -> None:
    """Functions first, then rules; who declined, and why, and who failed are named."""
    classifier = Classifier(RULES, [declines, fails, urgent])

    told = classifier.explain(TimeoutError("x"), ErrorContext(Origin(boundary="job")))

    assert [(note.outcome, note.reason) for note in told.notes] == [
        ("declined", ""),
        ("failed", "LookupError"),
        ("decided", ""),
        ("declined", "when"),
        ("decided", ""),
        ("decided", ""),
    ]
    decided = told.decided()
    assert decided["severity"].endswith(".urgent")
    assert decided["category"] == "project's rule 2, OSError"
    assert decided["code"] == decided["effect"] == "built-in rule, TimeoutError"


def test_it_explains_what_is_answered() -> None:
    """The explanation and the answer never differ."""
    classifier = Classifier(RULES, [declines, urgent])
    context = ErrorContext(Origin(boundary="job"))

    for error in (TimeoutError(), KeyError(), ResourceNotFoundError(), OSError(1, "")):
        assert classifier.explain(error, context).classification == (
            classifier.read(error, context).classification
        )


@pytest.mark.parametrize(
    ("error", "source"),
    [(ResourceNotFoundError("x"), "the error itself"), (KeyError("x"), "nobody knows it")],
)
def test_it_says_where_no_rule_decided(error: BaseException, source: str) -> None:
    """An error that speaks for itself, and one that nobody knows, are told as such."""
    assert Classifier().explain(error).decided()["code"] == source


def test_the_members_of_a_group_are_explained_gravest_first() -> None:
    """A group is what its gravest member is."""
    members = [ResourceNotFoundError("x"), KeyError("y"), TimeoutError("z"), KeyboardInterrupt()]

    told = Classifier().explain(BaseExceptionGroup("some", members))

    assert told.notes == ()
    assert [member.error for member in told.members] == [
        "KeyError",
        "TimeoutError",
        "holdfast.errors.ResourceNotFoundError",
    ]
    assert told.classification == told.members[0].classification


def test_what_is_behind_an_error_is_explained_on_its_own() -> None:
    """Each exception of the chain is told as if it had come alone; a chain in a circle ends."""
    error = raised(KeyError("x"), raised(TimeoutError("y"), ConnectionError("z")))
    error.__cause__.__cause__.__cause__ = error  # type: ignore[union-attr]  # a circle

    told = Classifier().explain(error)

    assert [behind.error for behind in told.behind] == ["TimeoutError", "ConnectionError"]
    assert told.behind[0].classification == Classifier().classify(TimeoutError())


def test_what_is_behind_is_what_is_recorded() -> None:
    """A cause goes before a context, also one that counts as false: the members it has are none."""

    class EmptyError(Exception):
        def __len__(self) -> int:
            return 0

    error = KeyError("sku")
    error.__cause__, error.__context__ = EmptyError(), OSError("gone")

    explanation = Classifier().explain(error)

    assert [told.error.rpartition(".")[2] for told in explanation.behind] == ["EmptyError"]
    assert [type(one) for one, _ in chain(error)[1:]] == [EmptyError]


def test_a_function_that_is_an_object_is_named_by_its_class() -> None:
    """In explanations as in what handlers are called: with the module."""

    class Declines:
        def __call__(self, error: BaseException, context: ErrorContext) -> None:
            """Decline."""

    explanation = Classifier(functions=[Declines()]).explain(KeyError("sku"))

    assert explanation.notes[0].source == f"function {__name__}.{Declines.__qualname__}"


def test_control_flow_is_told_as_such() -> None:
    """What is no error has no classification."""
    told = Classifier().explain(KeyboardInterrupt())

    assert told.classification is None
    assert "control flow" in str(told)


def test_to_explain_is_not_to_record() -> None:
    """Nothing is told to reporters, what a classifier raises included; the error is as it was."""
    settings = Settings(reporters=(), classifiers=(f"{__name__}:fails",))
    runtime = RecordingRuntime(settings)
    error = KeyError("x")

    runtime.explain(error)

    assert runtime.recorded.events == []
    assert vars(error) == {}


def test_people_read_it_line_by_line() -> None:
    """One line for each that was asked."""
    *asked, last = str(Classifier(RULES).explain(TimeoutError(SECRET))).splitlines()

    assert asked == [
        "TimeoutError: DEADLINE_EXCEEDED, status 504",
        "  project's rule 1, TimeoutError, when <lambda>: declined (when)",
        "  project's rule 2, OSError: category SYSTEM",
    ]
    assert last == (
        "  built-in rule, TimeoutError: code DEADLINE_EXCEEDED, kind TIMED_OUT, "
        "type DeadlineExceededError, status 504, severity WARNING, fault DEPENDENCY, "
        "transient True, effect IN_DOUBT, trusted True"
    )


errors = st.recursive(
    st.sampled_from([KeyError, TimeoutError, OSError, AppError, ResourceNotFoundError]).map(
        lambda cls: cls(f"password={SECRET}")
    ),
    lambda inner: (
        st.builds(raised, inner, inner)
        | st.lists(inner, min_size=1, max_size=30).map(lambda some: ExceptionGroup(SECRET, some))
    ),
    max_leaves=40,
)


@given(error=errors)
def test_no_message_is_in_it_and_its_size_is_bounded(error: Exception) -> None:
    """Whatever chain or group it explains, as text and as JSON it holds no message."""
    told = Classifier(RULES, [fails]).explain(error)

    data = json.dumps(told.as_data())
    assert SECRET not in str(told)
    assert SECRET not in data
    assert len(data) < 1_000_000
    assert isinstance(told, Explanation)


def test_the_data_says_the_same_as_the_text() -> None:
    """What a program reads has the fields by name, and who decided each."""
    data = Classifier(RULES).explain(TimeoutError()).as_data()

    assert data["classification"] == {
        "code": ErrorCode.DEADLINE_EXCEEDED.code,
        "kind": "TIMED_OUT",
        "type": "DeadlineExceededError",
        "status": 504,
        "category": "SYSTEM",
        "severity": "WARNING",
        "fault": "DEPENDENCY",
        "transient": True,
        "effect": "IN_DOUBT",
        "trusted": True,
    }
