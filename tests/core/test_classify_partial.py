"""Functions of a project that say what an exception means, whole or in part."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import (
    UNKNOWN,
    Classification,
    Classifier,
    ClassifierFunction,
    Partial,
    Rule,
    classification_of,
)
from holdfast.codes import Effect, ErrorCode, ErrorKind, Fault, Severity
from holdfast.errors import AppError, ResourceNotFoundError
from holdfast.origin import ErrorContext, Origin


def always(answer: Classification | Partial | None) -> ClassifierFunction:
    """Make a function that has one answer."""
    return lambda _, __: answer


def classify(error: BaseException, *answers: Classification | Partial | None) -> Classification:
    """Classify by functions with these answers, in order."""
    return Classifier(functions=[always(answer) for answer in answers]).classify(error)


class TestKata11:
    """The two classifiers of kata 11 (global error handler), as it writes them."""

    @staticmethod
    def by_code(error: BaseException, _: ErrorContext) -> Partial | None:
        """Know the errors of databases by the beginning of their codes."""
        if isinstance(error, AppError) and error.code.startswith("DB_"):
            return Partial(code="DATABASE_ERROR", severity=Severity.ERROR, transient=True)
        return None

    @staticmethod
    def by_address(error: BaseException, context: ErrorContext) -> Partial | None:
        """Know the errors of the API by the address of the request."""
        if "/api/" not in context.origin.path:
            return None
        grave = getattr(error, "status", 500) >= 500
        severity = Severity.ERROR if grave else Severity.WARNING
        return Partial(code="API_ERROR", severity=severity, category="NETWORK")

    def read(self, error: BaseException, path: str) -> Classification:
        """Read an error of a request."""
        classifier = Classifier(functions=[self.by_code, self.by_address])
        context = ErrorContext(Origin(boundary="http", operation="USER_UPDATE", path=path))
        return classifier.read(error, context).classification

    def test_a_database_error_is_grave_and_recoverable(self) -> None:
        """The first classifier settles type, severity and recoverability; the code says the rest."""
        said = self.read(AppError(ErrorCode.DB_CONNECTION_ERROR), "/api/users/123")

        assert (said.code, said.severity, said.transient) == (
            "DATABASE_ERROR",
            Severity.ERROR,
            True,
        )
        assert (said.category, said.status) == ("DATABASE", 500)

    @pytest.mark.parametrize(
        ("error", "severity", "status"),
        [
            (ResourceNotFoundError("user 123"), Severity.WARNING, 404),
            (AppError(ErrorCode.SERVICE_UNAVAILABLE), Severity.ERROR, 503),
            (KeyError("name"), Severity.ERROR, 500),
        ],
    )
    def test_an_error_of_the_api_is_labelled_and_keeps_its_status(
        self, error: Exception, severity: Severity, status: int
    ) -> None:
        """The second classifier's code is nobody's in the catalogue, and so a label only."""
        said = self.read(error, "/api/users/123")

        assert (said.code, said.category) == ("API_ERROR", "NETWORK")
        assert (said.severity, said.status) == (severity, status)

    def test_other_errors_are_nobodys(self) -> None:
        """Where both decline, the error's own facts hold."""
        said = self.read(ResourceNotFoundError("page"), "/pages/7")

        assert said == Classifier().classify(ResourceNotFoundError("page"))


def test_the_first_answer_for_a_field_wins_and_later_ones_complete_it() -> None:
    """Functions add up, in order; a whole answer completes, and ends it."""
    first = Partial(severity=Severity.CRITICAL)
    second = Partial(severity=Severity.DEBUG, category="SHOP")
    whole = classification_of(ErrorCode.STATE_CONFLICT)
    never = Partial(action="call somebody")

    said = classify(KeyError("x"), first, None, second, whole, never)

    assert (said.severity, said.category, said.action) == (Severity.CRITICAL, "SHOP", "")
    assert (said.code, said.status) == ("STATE_CONFLICT", 409)


def test_rules_complete_what_functions_left() -> None:
    """A partial answer is completed by the built-in rules."""
    said = classify(ConnectionRefusedError(), Partial(severity=Severity.CRITICAL))

    assert said.severity is Severity.CRITICAL
    assert (said.code, said.effect) == ("COMMUNICATION_ERROR", Effect.NOT_SENT)


def test_a_declared_code_settles_all_that_it_says() -> None:
    """Kind, status, title, severity and category follow from the code; what stands beside goes before."""
    said = classify(KeyError("x"), Partial(code="DB_CONNECTION_ERROR", severity=Severity.CRITICAL))
    code = classification_of(ErrorCode.DB_CONNECTION_ERROR)

    assert (said.kind, said.status, said.title) == (code.kind, code.status, code.title)
    assert (said.category, said.type, said.severity) == ("DATABASE", code.type, Severity.CRITICAL)
    assert said.trusted


def test_a_code_leaves_what_it_does_not_say_to_others() -> None:
    """Effect and action are no code's; a built-in rule still knows the former."""
    said = classify(ConnectionRefusedError(), Partial(code=ErrorCode.SERVICE_UNAVAILABLE))

    assert (said.code, said.effect) == ("SERVICE_UNAVAILABLE", Effect.NOT_SENT)


def test_a_code_that_nobody_declared_is_the_label_only() -> None:
    """All else stays as it would be without it."""
    said = classify(KeyError("x"), Partial(code="SHELF_EMPTY"))

    assert said.code == "SHELF_EMPTY"
    assert (said.status, said.kind, said.trusted) == (500, ErrorKind.INTERNAL, False)


def test_a_kind_settles_what_it_says() -> None:
    """Of an error nobody knows, a kind is enough to answer it."""
    said = classify(KeyError("x"), Partial(kind=ErrorKind.NOT_FOUND))

    assert (said.status, said.fault, said.severity) == (404, Fault.CALLER, Severity.INFO)
    assert (said.code, said.type) == ("RESOURCE_NOT_FOUND", "ResourceNotFoundError")


def test_a_status_alone_is_answered_with_the_code_it_has_by_itself() -> None:
    """Of an error nobody knows, a status says what kind of failure it is."""
    said = classify(KeyError("x"), Partial(status=404))

    assert (said.code, said.fault) == ("RESOURCE_NOT_FOUND", Fault.CALLER)


def test_severity_alone_does_not_make_an_error_known() -> None:
    """What nobody explains stays a bug of ours, after which the process is not trusted."""
    said = classify(KeyError("x"), Partial(severity=Severity.INFO))

    assert (said.code, said.trusted) == (UNKNOWN.code, False)


def test_an_answer_in_part_lets_the_error_speak() -> None:
    """The caller still reads what the raiser said, as far as the meaning is the raiser's."""
    error = ResourceNotFoundError("order 7")
    classifier = Classifier(functions=[always(Partial(category="SHOP"))])

    assert classifier.read(error).spoken is error


def test_a_translation_is_silent_where_the_meaning_is_another() -> None:
    """What an adapter would say to the caller belongs to its own meaning of the exception."""
    rule = Rule(match=KeyError, translate=lambda _: ResourceNotFoundError("no such item"))
    labelled = Classifier([rule], [always(Partial(category="SHOP"))]).read(KeyError())
    replaced = Classifier([rule], [always(Partial(code=ErrorCode.STATE_CONFLICT))]).read(KeyError())

    assert labelled.spoken is not None
    assert (labelled.classification.category, labelled.classification.status) == ("SHOP", 404)
    assert replaced.spoken is None
    assert replaced.classification.status == 409


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"status": 200}, ValueError),
        ({"status": 600}, ValueError),
        ({"status": "404"}, ValueError),
        ({"code": "lower"}, ValueError),
        ({"code": "A" * 101}, ValueError),
        ({"code": ""}, ValueError),
        ({"severity": "HIGH"}, TypeError),
        ({"kind": "NOT_FOUND "}, TypeError),
        ({"transient": "yes"}, TypeError),
        ({"category": 7}, TypeError),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(
    fields: dict[str, object], mistake: type[Exception]
) -> None:
    """A value that no answer can have is a mistake where it is written."""
    with pytest.raises(mistake):
        Partial(**fields)  # type: ignore[arg-type]  # which is the point


def nonsense(*_: object) -> Partial:
    """Answer what cannot be."""
    return Partial(status=99)


def other_nonsense(*_: object) -> Partial:
    """Answer something else."""
    return {"severity": "HIGH"}  # type: ignore[return-value]  # which is the point


def coroutine(*_: object) -> Partial:
    """Answer later."""

    async def later() -> None:
        raise KeyError

    return later()  # type: ignore[return-value]  # which is the point


@pytest.mark.parametrize("function", [nonsense, other_nonsense, coroutine])
def test_a_function_that_answers_nonsense_is_passed_over_and_noted(
    function: ClassifierFunction,
) -> None:
    """The next one decides, and somebody is told."""
    failures: list[Exception] = []
    functions = [function, always(Partial(code=ErrorCode.STATE_CONFLICT))]

    said = Classifier(functions=functions, on_failure=failures.append).classify(KeyError())

    assert said.code == "STATE_CONFLICT"
    assert len(failures) == 1


async def asynchronous(*_: object) -> Partial:
    """Answer when waited for."""
    return Partial()


class Asynchronous:
    """Is called like a function, and has to be waited for."""

    async def __call__(self, *_: object) -> Partial:
        """Answer when waited for."""
        return Partial()


@pytest.mark.parametrize("function", [asynchronous, Asynchronous()], ids=["function", "object"])
def test_an_asynchronous_function_is_refused(function: Callable[..., object]) -> None:
    """Who asks what an exception means cannot wait; it is said at once, and by name."""
    with pytest.raises(TypeError, match="must not be async"):
        Classifier(functions=[function])  # type: ignore[list-item]  # which is the point


partials = st.builds(
    Partial,
    code=st.none() | st.sampled_from([*ErrorCode, "LABEL", "API_ERROR"]),
    kind=st.none() | st.sampled_from(ErrorKind),
    status=st.none() | st.integers(400, 599),
    category=st.none() | st.sampled_from(["", "SHOP"]),
    severity=st.none() | st.sampled_from(Severity),
    fault=st.none() | st.sampled_from(Fault),
    transient=st.none() | st.booleans(),
    effect=st.none() | st.sampled_from(Effect),
    trusted=st.none() | st.booleans(),
)
errors = st.sampled_from([KeyError, TimeoutError, ResourceNotFoundError, OSError]).map(
    lambda cls: cls("x")
)


@given(error=errors, answers=st.lists(partials, max_size=4))
def test_whatever_is_settled_first_is_in_the_classification(
    *, error: Exception, answers: list[Partial]
) -> None:
    """For each field the first answer that has it holds, whatever the exception."""
    said = classify(error, *answers)

    for name in ("status", "category", "severity", "fault", "transient", "effect", "trusted"):
        facts = [answer.facts() for answer in answers]
        first = next((fact[name] for fact in facts if name in fact), None)
        assert first is None or getattr(said, name) == first
    assert 400 <= said.status <= 599
