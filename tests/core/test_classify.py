"""Classification: what an exception means, whatever raised it."""

import asyncio
import builtins
import concurrent.futures
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import (
    MAX_CACHED_TYPES,
    MAX_GROUP_LEAVES,
    Classification,
    Classifier,
    Rule,
    classification_of,
    determine_http_status,
    is_control_flow,
    leaves,
)
from holdfast.codes import Effect, ErrorCode, ErrorKind, Fault, Severity
from holdfast.context import WorkContext, current_context, work_context
from holdfast.errors import (
    AppError,
    CircuitOpenError,
    DatabaseError,
    DeadlineExceededError,
    DependencyError,
    RateLimitError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    ValidationError,
)
from holdfast.origin import ErrorContext

TEAPOT = classification_of(ErrorCode.BUSINESS_RULE_VIOLATION)

# By name, because `IOError` and `EnvironmentError` are further names of `OSError`.
BUILTIN = [
    cls
    for name, cls in sorted(vars(builtins).items())
    if isinstance(cls, type) and issubclass(cls, BaseException) and cls.__name__ == name
]


class LateParcel(AppError, TimeoutError):
    """An error of the application that is a built-in one as well."""

    code = "STATE_CONFLICT"


class Refusal(Exception):
    """A stranger's error."""


class FirmRefusal(Refusal):
    """A more special one."""


def bare(cls: type[BaseException]) -> BaseException:
    """Make an exception of a built-in class, whatever its constructor wants."""
    if issubclass(cls, BaseExceptionGroup):
        return ExceptionGroup("group", [ValueError("member")])
    return cls.__new__(cls)


def nested(depth: int, error: Exception) -> Exception:
    """Put an exception into that many groups."""
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


def fails(*_: object) -> NoReturn:
    """Fail, as user code may."""
    raise LookupError("user code")


def knows_tea(*_: object) -> Classification:
    """Know what every error means."""
    return TEAPOT


def returns_nonsense(*_: object) -> Classification | None:
    """Return something that is no classification."""
    return 409  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize("cls", BUILTIN)
def test_every_built_in_exception_means_something(cls: type[BaseException]) -> None:
    """Classifying an exception of any built-in class gives an answer with a valid status."""
    said = Classifier().classify(bare(cls))

    assert said.code in ErrorCode.__members__
    assert 400 <= said.status < 600


@pytest.mark.parametrize(
    ("error", "status", "fault", "transient", "effect"),
    [
        (TimeoutError(), 504, Fault.DEPENDENCY, True, Effect.IN_DOUBT),
        (ConnectionRefusedError(), 503, Fault.DEPENDENCY, True, Effect.NOT_SENT),
        (ConnectionResetError(), 503, Fault.DEPENDENCY, True, Effect.IN_DOUBT),
        (BrokenPipeError(), 503, Fault.DEPENDENCY, True, Effect.IN_DOUBT),
        (socket.gaierror(), 503, Fault.DEPENDENCY, True, Effect.NOT_SENT),
        (ssl.SSLError(), 503, Fault.DEPENDENCY, False, None),
        (ssl.SSLCertVerificationError(), 503, Fault.DEPENDENCY, False, None),
        (KeyError("x"), 500, Fault.SERVICE, False, None),
        (PermissionError(), 500, Fault.SERVICE, False, None),
        (FileNotFoundError(), 500, Fault.SERVICE, False, None),
    ],
)
def test_the_standard_library_is_read(
    error: Exception, status: int, fault: Fault, *, transient: bool, effect: Effect | None
) -> None:
    """Time-outs and broken connections are a dependency's; the rest is our own bug."""
    said = Classifier().classify(error)

    assert (said.status, said.fault, said.transient) == (status, fault, transient)
    assert said.effect is effect


@pytest.mark.parametrize("error", [MemoryError(), RecursionError()])
def test_a_broken_process_is_critical_and_untrusted(error: Exception) -> None:
    """Running out of memory or stack asks for attention at once."""
    said = Classifier().classify(error)

    assert (said.severity, said.trusted) == (Severity.CRITICAL, False)


def test_what_nobody_reads_is_internal_and_untrusted() -> None:
    """A stranger is a 500 by our own fault, shown under a class and title of ours."""
    said = Classifier().classify(Refusal("secret"))

    assert (said.code, said.kind, said.status) == ("INTERNAL_ERROR", ErrorKind.INTERNAL, 500)
    assert (said.type, said.title) == ("InternalServerError", "Internal server error")
    assert said.trusted is False


def test_an_app_error_speaks_for_itself() -> None:
    """An error raised on purpose means what it says, and the process is still sane."""
    said = Classifier().classify(DatabaseError(ErrorCode.DB_CONNECTION_ERROR))

    assert (said.code, said.status, said.type) == ("DB_CONNECTION_ERROR", 503, "DatabaseError")
    assert (said.category, said.transient, said.trusted) == ("DATABASE", True, True)


def test_each_error_says_what_it_holds_itself() -> None:
    """What one error sets on itself is not said of the next of the same class and code."""
    classifier = Classifier()
    special = ServiceUnavailableError("special")
    special.severity, special.effect, special.trusted = Severity.CRITICAL, Effect.NOT_SENT, False
    special.title, special.category = "Special", "SPECIAL"

    said, usual = classifier.classify(special), classifier.classify(ServiceUnavailableError())

    assert (said.severity, said.effect, said.trusted) == (
        Severity.CRITICAL,
        Effect.NOT_SENT,
        False,
    )
    assert (said.title, said.category) == ("Special", "SPECIAL")
    assert (usual.severity, usual.effect, usual.trusted) == (Severity.WARNING, None, True)
    assert (usual.title, usual.category) == ("Service temporarily unavailable", "")


def test_the_most_special_class_decides() -> None:
    """Rules are tried along the exception's classes, whatever the order they were given in."""
    classifier = Classifier(
        rules=[
            Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT),
            Rule(match=FirmRefusal, code=ErrorCode.RESOURCE_GONE),
        ]
    )

    assert classifier.classify(Refusal()).status == 409
    assert classifier.classify(FirmRefusal()).status == 410


def test_of_rules_for_one_class_the_first_holds() -> None:
    """Rules for the same class are tried in the order they were given."""
    classifier = Classifier(
        rules=[
            Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT),
            Rule(match=Refusal, code=ErrorCode.RESOURCE_GONE),
        ]
    )

    assert classifier.classify(Refusal()).status == 409


@pytest.mark.parametrize("match", [TimeoutError, "builtins.TimeoutError"])
def test_a_projects_rule_goes_before_the_built_in_one(match: type[BaseException] | str) -> None:
    """By class or by dotted name, a project's rule is tried before the suite's for that class."""
    classifier = Classifier(rules=[Rule(match=match, code=ErrorCode.RATE_LIMIT_EXCEEDED)])

    assert classifier.classify(TimeoutError()).status == 429


def test_a_dotted_name_finds_subclasses_too() -> None:
    """A rule by name holds for the class of that name and for what inherits from it."""
    classifier = Classifier(
        rules=[Rule(match=f"{__name__}.Refusal", code=ErrorCode.STATE_CONFLICT)]
    )

    assert classifier.classify(FirmRefusal()).status == 409
    assert classifier.classify(ValueError()).status == 500


def test_a_condition_limits_a_rule() -> None:
    """A rule whose condition is not met leaves the exception to the next."""
    classifier = Classifier(
        rules=[
            Rule(match=Refusal, code=ErrorCode.RESOURCE_GONE, when=lambda e: "gone" in str(e)),
            Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT),
        ]
    )

    assert classifier.classify(Refusal("gone")).status == 410
    assert classifier.classify(Refusal("here")).status == 409


def test_a_rule_may_override_what_its_code_says() -> None:
    """Status, transience, severity, effect, trust and action come from the rule."""
    rule = Rule(
        match=Refusal,
        code=ErrorCode.SERVICE_UNAVAILABLE,
        status=507,
        transient=False,
        severity=Severity.CRITICAL,
        effect=Effect.NOT_SENT,
        trusted=False,
        action="Free some space.",
    )

    said = Classifier(rules=[rule]).classify(Refusal())

    assert (said.code, said.status, said.transient) == ("SERVICE_UNAVAILABLE", 507, False)
    assert (said.severity, said.effect) == (Severity.CRITICAL, Effect.NOT_SENT)
    assert (said.trusted, said.action) == (False, "Free some space.")


def test_what_a_rule_reads_is_trusted() -> None:
    """An error somebody wrote a rule for is an operational one, unless the rule says otherwise."""
    rule = Rule(match=Refusal, code=ErrorCode.SERVICE_UNAVAILABLE)

    assert Classifier(rules=[rule]).classify(Refusal()).trusted is True


@pytest.mark.parametrize(
    "value",
    [TEAPOT, Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT), Classifier().read(Refusal())],
)
def test_values_cannot_be_changed(value: object) -> None:
    """Classifications, rules and readings are shared between errors, and therefore immutable."""
    with pytest.raises((AttributeError, TypeError)):
        setattr(value, next(iter(getattr(value, "__slots__", ()))), None)
    assert not hasattr(value, "__dict__")


def test_a_translation_speaks_to_the_caller() -> None:
    """A rule may turn a stranger's error into one of ours, which then speaks in its place."""
    rule = Rule(match=Refusal, translate=lambda e: ValidationError(str(e), errors=["sorry"]))

    reading = Classifier(rules=[rule]).read(Refusal("no"))

    assert reading.classification.status == 400
    assert isinstance(reading.spoken, ValidationError)
    assert reading.spoken.errors == ("sorry",)


def test_a_translation_may_decline() -> None:
    """A rule that translates into None leaves the exception to the next."""
    classifier = Classifier(
        rules=[
            Rule(match=FirmRefusal, translate=lambda _: None),
            Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT),
        ]
    )

    assert classifier.classify(FirmRefusal()).status == 409


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"code": ErrorCode.STATE_CONFLICT, "translate": fails},
    ],
)
def test_a_rule_says_or_translates_and_not_both(options: dict[str, object]) -> None:
    """A rule needs a code or a translation, exactly one of them."""
    with pytest.raises(ValueError, match="either a code or a translate"):
        Rule(match=Refusal, **options)  # type: ignore[arg-type]


def test_a_name_without_a_module_is_refused() -> None:
    """A rule that could never hold, because its name has no module, is a mistake at once."""
    with pytest.raises(ValueError, match=r"package\.TimeoutError"):
        Rule(match="TimeoutError", code=ErrorCode.STATE_CONFLICT)


@pytest.mark.parametrize("match", [Exception, TimeoutError, OSError, "builtins.Exception"])
def test_rules_for_strangers_do_not_hold_for_our_own(match: type[BaseException] | str) -> None:
    """A rule for a class outside the tree of `AppError` leaves an `AppError` what it is."""
    classifier = Classifier(rules=[Rule(match=match, code=ErrorCode.RATE_LIMIT_EXCEEDED)])

    assert classifier.classify(LateParcel()).code == "STATE_CONFLICT"
    assert classifier.classify(ResourceNotFoundError()).status == 404


def test_an_error_of_ours_that_is_a_built_in_one_means_what_it_declares() -> None:
    """The suite's own rule for `TimeoutError` does not override an `AppError` that is one."""
    reading = Classifier().read(LateParcel("late"))

    assert reading.classification.code == "STATE_CONFLICT"
    assert reading.spoken is not None


def test_a_rule_for_one_of_ours_keeps_what_it_says_to_the_caller() -> None:
    """An `AppError` read by a rule still speaks: its details, errors and waiting time count."""
    error = RateLimitError("slow", retry_after=3)
    rule = Rule(match=RateLimitError, code=ErrorCode.SERVICE_UNAVAILABLE)

    reading = Classifier(rules=[rule]).read(error)

    assert reading.classification.status == 503
    assert reading.spoken is error


@pytest.mark.parametrize(
    "classifier",
    [
        Classifier(functions=[knows_tea]),
        Classifier(
            rules=[Rule(match=cls, code=ErrorCode.STATE_CONFLICT) for cls in (Refusal, AppError)]
        ),
    ],
    ids=["function", "rule"],
)
def test_a_stranger_says_nothing_to_the_caller(classifier: Classifier) -> None:
    """Whoever decides what an error means, one of ours speaks for itself, a stranger never."""
    error = ResourceNotFoundError("no order 7")

    assert classifier.read(error).spoken is error
    assert classifier.read(Refusal("secret")).spoken is None


def test_a_projects_function_is_asked_first() -> None:
    """A function's answer goes before every rule and before an error's own facts."""
    classifier = Classifier(
        rules=[Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT)],
        functions=[lambda error, _: TEAPOT if "tea" in str(error) else None],
    )

    assert classifier.classify(Refusal("tea")) is TEAPOT
    assert classifier.classify(ResourceNotFoundError("tea")) is TEAPOT
    assert classifier.classify(Refusal("coffee")).status == 409


def test_functions_are_asked_in_order() -> None:
    """The first function that knows decides, and the others are not asked."""
    asked: list[str] = []

    def knows_nothing(_: BaseException, __: ErrorContext) -> None:
        asked.append("first")

    def knows(_: BaseException, __: ErrorContext) -> Classification:
        asked.append("second")
        return TEAPOT

    def never_asked(_: BaseException, __: ErrorContext) -> None:
        asked.append("third")

    Classifier(functions=[knows_nothing, knows, never_asked]).classify(Refusal())

    assert asked == ["first", "second"]


def test_a_function_sees_the_current_piece_of_work() -> None:
    """A function may decide by what is known of the request."""
    seen: list[WorkContext | None] = []

    def looks(_: BaseException, context: ErrorContext) -> None:
        seen.append(context.work)

    with work_context("req-1"):
        Classifier(functions=[looks]).classify(Refusal())

        assert seen == [current_context()]


@pytest.mark.parametrize("function", [fails, returns_nonsense])
def test_a_function_that_fails_is_passed_over_and_noted(
    function: Callable[..., Classification | None],
) -> None:
    """A function that raises or answers nonsense is noted, and the next one is asked."""
    noted: list[Exception] = []
    classifier = Classifier(functions=[function, knows_tea], on_failure=noted.append)

    said = classifier.classify(Refusal())

    assert said is TEAPOT
    assert [type(failure) for failure in noted] in ([LookupError], [TypeError])


@pytest.mark.parametrize(
    "rule",
    [
        Rule(match=Refusal, code=ErrorCode.RESOURCE_GONE, when=fails),
        Rule(match=Refusal, translate=fails),
    ],
)
def test_a_rule_that_fails_is_passed_over_and_noted(rule: Rule) -> None:
    """A condition or translation that raises is noted, and the next rule is tried."""
    noted: list[Exception] = []
    following = Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT)

    said = Classifier(rules=[rule, following], on_failure=noted.append).classify(Refusal())

    assert said.status == 409
    assert [str(failure) for failure in noted] == ["user code"]


def test_a_note_that_fails_changes_nothing() -> None:
    """What is told of failures may fail itself without an effect on the answer."""
    classifier = Classifier(functions=[fails], on_failure=fails)

    assert classifier.classify(ResourceNotFoundError()).status == 404


@pytest.mark.parametrize("depth", [1, 2, 50])
def test_a_group_means_what_its_gravest_member_means(depth: int) -> None:
    """However deep they are, the gravest of the members decides."""
    group = ExceptionGroup(
        "some",
        [ResourceNotFoundError(), nested(depth, ServiceUnavailableError()), ValidationError()],
    )

    assert Classifier().classify(group).status == 503


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([ValidationError(), KeyError("x")], "INTERNAL_ERROR"),
        ([DatabaseError(), ServiceUnavailableError()], "DATABASE_ERROR"),
        ([CircuitOpenError(), DeadlineExceededError()], "DEADLINE_EXCEEDED"),
        ([ResourceNotFoundError(), ValidationError()], "RESOURCE_NOT_FOUND"),
    ],
)
def test_gravity_is_severity_then_trust_then_status(members: list[Exception], code: str) -> None:
    """Of members as severe the untrusted, then the one with the higher status, is graver."""
    assert Classifier().classify(ExceptionGroup("some", members)).code == code
    assert Classifier().classify(ExceptionGroup("some", members[::-1])).code == code


def test_an_untrusted_member_is_graver_than_a_trusted_one() -> None:
    """A bug decides beside an error raised on purpose that is as severe."""
    said = Classifier().classify(ExceptionGroup("some", [DatabaseError(), KeyError("x")]))

    assert said.trusted is False


def test_a_member_is_read_by_functions_and_rules() -> None:
    """Each member of a group is read as it would be alone."""
    rule = Rule(match=Refusal, translate=lambda e: ValidationError(str(e)))

    reading = Classifier(rules=[rule]).read(ExceptionGroup("some", [Refusal("no")]))

    assert reading.classification.status == 400
    assert str(reading.spoken) == "no"


def test_a_cancelled_member_beside_an_error_does_not_count() -> None:
    """Control flow in a group is no error: the errors beside it decide."""
    group = BaseExceptionGroup("some", [asyncio.CancelledError(), ValidationError()])

    assert Classifier().classify(group).status == 400


def test_members_are_bounded() -> None:
    """Of a huge group only so many members are looked at."""
    group = ExceptionGroup("many", [ValueError(str(n)) for n in range(MAX_GROUP_LEAVES + 50)])

    assert len(list(leaves(group))) == MAX_GROUP_LEAVES
    assert [str(leaf) for leaf in leaves(group)][:3] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseExceptionGroup("all", [asyncio.CancelledError(), SystemExit()]),
        BaseExceptionGroup("all", [BaseExceptionGroup("all", [GeneratorExit()])]),
    ],
)
def test_control_flow_is_no_error(error: BaseException) -> None:
    """Exits, interrupts, closed generators and cancellations, alone or grouped, are no errors."""
    assert is_control_flow(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        StopIteration(),
        concurrent.futures.CancelledError(),
        BaseException(),
        ExceptionGroup("some", [ValueError()]),
        BaseExceptionGroup("some", [asyncio.CancelledError(), ValueError()]),
        BaseExceptionGroup(
            "many", [*(SystemExit() for _ in range(MAX_GROUP_LEAVES + 1)), ValueError()]
        ),
    ],
)
def test_everything_else_is_an_error(error: BaseException) -> None:
    """An error stays one, also after two hundred cancellations in the same group."""
    assert not is_control_flow(error)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AppError(ErrorCode.TOKEN_EXPIRED), 401),
        (AppError(ErrorCode.METHOD_NOT_ALLOWED), 405),
        (ResourceNotFoundError(), 404),
        (TimeoutError(), 504),
        (KeyError("x"), 500),
        (ExceptionGroup("some", [ResourceNotFoundError(), TimeoutError()]), 504),
    ],
)
def test_the_http_status_of_an_exception_can_be_asked_for(error: Exception, status: int) -> None:
    """`determine_http_status` answers by the built-in rules, without any set-up."""
    assert determine_http_status(error) == status


@given(
    st.recursive(
        st.sampled_from([cls for cls in BUILTIN if not issubclass(cls, BaseExceptionGroup)]).map(
            bare
        ),
        lambda members: st.lists(members, min_size=1, max_size=4).map(
            lambda some: BaseExceptionGroup("group", some)
        ),
        max_leaves=12,
    )
)
def test_classifying_never_fails(error: BaseException) -> None:
    """Any built-in exception and any group of such gets an answer, by rules that all fail."""
    rules = [
        Rule(match=BaseException, translate=fails),
        Rule(match=Exception, code=ErrorCode.STATE_CONFLICT, when=fails),
    ]

    said = Classifier(rules, [fails, returns_nonsense], on_failure=fails).classify(error)

    assert isinstance(said, Classification)


def test_what_is_remembered_of_classes_is_bounded() -> None:
    """A process that makes classes without end is answered, and does not fill the memory."""
    classifier = Classifier()

    for n in range(MAX_CACHED_TYPES + 10):
        classifier.classify(type(f"Made{n}", (TimeoutError,), {})())

    assert classifier.classify(type("Another", (TimeoutError,), {})()).status == 504
    assert len(classifier._rulebook) == MAX_CACHED_TYPES


def test_a_status_that_is_no_errors_gives_way_to_the_kinds() -> None:
    """Whatever is set on an instance, the answer has a status of an error."""
    error = ResourceNotFoundError("x")
    error.status = 1000

    assert Classifier().classify(error).status == 404


def test_a_rule_that_translates_says_nothing_itself() -> None:
    """What a translated error means is said by its translation; both at once are refused."""
    with pytest.raises(ValueError, match="translate returns"):
        Rule(match=KeyError, translate=lambda _: AppError("x"), status=410)


def test_what_another_service_answered_is_learned() -> None:
    """Its status and code are recorded, and shown to callers only where details are exposed."""
    error = DependencyError("stock failed", upstream_status=503, upstream_code="BUSY")

    assert error.learned == {"upstream_status": 503, "upstream_code": "BUSY"}


def test_a_rule_cannot_have_a_status_that_is_no_errors() -> None:
    """What would answer an error with a success is refused where it is made."""
    with pytest.raises(ValueError, match="between 400 and 599"):
        Rule(match=KeyError, code=ErrorCode.STATE_CONFLICT, status=204)


def test_a_function_with_a_status_that_is_no_errors_is_passed_over() -> None:
    """A classification that no answer can have is noted, and the next one decides."""
    failures: list[Exception] = []
    odd = replace(classification_of(ErrorCode.STATE_CONFLICT), status=204)
    classifier = Classifier(functions=[lambda _, __: odd], on_failure=failures.append)

    assert classifier.classify(KeyError("x")).status == 500
    assert len(failures) == 1


class Hostile(AppError):
    """An error whose class fails when it is looked at."""

    code = "STATE_CONFLICT"

    @property
    def fault(self) -> NoReturn:
        """Fail."""
        raise OSError("hidden")


@pytest.mark.parametrize("rules", [[], [Rule(codes="OTHER_*", category="X")]], ids=["none", "one"])
def test_an_error_that_cannot_be_read_is_answered_as_one_nobody_knows(rules: list[Rule]) -> None:
    """Whatever a class does with its attributes, there is an answer, and the failure is noted."""
    failures: list[Exception] = []

    said = Classifier(rules, on_failure=failures.append).classify(Hostile("x"))

    assert (said.status, said.trusted) == (500, False)
    assert [str(failure) for failure in failures] == ["hidden"]
