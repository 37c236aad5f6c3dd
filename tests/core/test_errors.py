"""The errors an application raises on purpose: how they are made, and that they stay whole."""

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codes import (
    CodeSpec,
    Effect,
    ErrorCode,
    ErrorCodes,
    ErrorKind,
    Fault,
    Severity,
    register,
)
from holdfast.errors import (
    MARK,
    AppError,
    AuthenticationError,
    BulkheadFullError,
    CallRateError,
    CircuitOpenError,
    CommunicationError,
    DatabaseError,
    DeadlineExceededError,
    DependencyError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    ValidationError,
)
from holdfast.origin import Origin
from holdfast.resilience import breaker
from holdfast.testing import RecordingRuntime

Item = TypeVar("Item")


class HarbourCode(ErrorCodes):
    """Codes of a project."""

    BERTH_TAKEN = CodeSpec(ErrorKind.CONFLICT, "Berth taken", category="HARBOUR")


class BerthTaken(AppError):
    """A berth is in use already."""

    code = HarbourCode.BERTH_TAKEN.name


class TideTooLow(AppError):
    """The water is too low for this ship.

    More about tides.
    """

    kind = ErrorKind.CONFLICT
    status = 423
    transient = True
    severity = Severity.WARNING
    category = "TIDE"


class NeapTideTooLow(TideTooLow):
    """The same at neap tide."""

    title = "Neap tide too low"


class SpringTideTooLow(TideTooLow):
    """The same at spring tide, under a code of its own."""

    code = "SPRING_TIDE"


class Cargo(AppError):
    """A constructor of its own, with required arguments."""

    code = "STATE_CONFLICT"

    def __init__(self, ship: str, tons: int) -> None:
        super().__init__(f"{ship} carries {tons} t", details={"tons": tons})
        self.ship = ship


class KeywordCargo(AppError):
    """A constructor with required keywords."""

    def __init__(self, *, ship: str) -> None:
        super().__init__("cargo", retry_after=3)
        self.ship = ship


class Forgetful(AppError):
    """A constructor that does not call the one it overrides."""

    kind = ErrorKind.NOT_FOUND

    def __init__(self, ship: str) -> None:
        self.ship = ship


class Slotted(AppError):
    """State in slots, one of them private."""

    __slots__ = ("__seal", "port", "unset")

    def __init__(self, port: str) -> None:
        super().__init__("slotted")
        self.port = port
        self.__seal = "seal"

    @property
    def seal(self) -> str:
        """What the private slot holds."""
        return self.__seal


class Generic1(AppError, Generic[Item]):
    """A generic error."""

    def __init__(self, item: Item) -> None:
        super().__init__("generic")
        self.item = item


class AlsoTimeout(AppError, TimeoutError):
    """An error that is a built-in one as well."""

    code = "DEADLINE_EXCEEDED"


class Mixin:
    """Something that is no error."""

    colour = "red"


class Mixed(Mixin, TideTooLow):
    """A mixin first, under a code of its own."""

    code = "MIXED_TIDE"


@dataclass(eq=False)
class DataclassError(AppError):
    """A dataclass, whose generated constructor does not call ours."""

    left: int
    right: int = 2


class LazyText:
    """A text that is made when it is read, as frameworks' translations are."""

    def __str__(self) -> str:
        return "made late"


def every_class(parent: type[AppError] = AppError) -> Iterator[type[AppError]]:
    """Yield every subclass that ships, and is made as its parent is."""
    for cls in parent.__subclasses__():
        if cls.__module__.startswith("holdfast.") and cls is not breaker.CircuitOpenError:
            yield cls
            yield from every_class(cls)


def full(cls: type[AppError]) -> AppError:
    """Make an error of a shipped class with everything an error may hold."""
    return cls(
        HarbourCode.BERTH_TAKEN,
        "the message",
        details={"left": 2},
        errors=["one", "two"],
        retry_after=1.5,
        headers={"Allow": "GET"},
    )


ODD = [
    BerthTaken("a"),
    NeapTideTooLow(),
    Cargo("Viking", 3),
    KeywordCargo(ship="Viking"),
    Forgetful("Viking"),
    Slotted("Bergen"),
    Generic1([1, 2]),
    AlsoTimeout("late"),
    Mixed("m"),
    DataclassError(1),
    ValidationError("v", field_errors={"a": ["b"]}),
    DependencyError("d", upstream_status=503, upstream_code="X"),
    breaker.CircuitOpenError("still open", "stock", "open", 12.0),
]
SHIPPED = list(every_class())
EVERY_ERROR = [*map(full, SHIPPED), *ODD]


def facts(error: BaseException) -> dict[str, object]:
    """Return all that makes an error what it is."""
    slots = {name: getattr(error, name) for name in ("port", "seal") if hasattr(error, name)}
    return {**vars(error), **slots, "args": error.args, "text": str(error), "class": type(error)}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_every_error_survives_pickle(error: AppError, protocol: int) -> None:
    """An error sent to another process arrives with its class, its arguments and all it holds."""
    arrived: object = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301  # our own bytes

    assert isinstance(arrived, AppError)
    assert facts(arrived) == facts(error)
    assert (arrived.code, arrived.status, arrived.kind) == (error.code, error.status, error.kind)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_every_error_survives_copy(error: AppError) -> None:
    """A shallow and a deep copy of an error hold what the error holds."""
    assert facts(copy.copy(error)) == facts(error)
    assert facts(copy.deepcopy(error)) == facts(error)


def test_a_deep_copy_shares_nothing() -> None:
    """Changing the details of a deep copy leaves the original as it was."""
    error = AppError("a", details={"list": [1]})

    copied = copy.deepcopy(error)
    copied.details["list"] = []

    assert error.details == {"list": [1]}


def by_pickle(error: AppError) -> AppError:
    """Return an error as another process would get it."""
    return cast("AppError", pickle.loads(pickle.dumps(error)))  # noqa: S301  # our own bytes


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, by_pickle])
def test_the_mark_of_a_handled_error_does_not_travel(
    duplicate: Callable[[AppError], AppError],
) -> None:
    """A copy of a handled error is a new occurrence for whoever handles it."""
    runtime = RecordingRuntime()
    error = Cargo("Viking", 3)
    runtime.handle(error, Origin(boundary="test"))

    copied = duplicate(error)

    assert MARK in vars(error)
    assert MARK not in vars(copied)
    assert not runtime.handler.saw(copied)


@pytest.mark.parametrize("cls", SHIPPED)
def test_no_argument_is_required(cls: type[AppError]) -> None:
    """Every shipped class can be raised bare, and then speaks with its title."""
    error = cls()

    assert error.message == ""
    assert str(error) == str(error.title) != ""
    assert (error.details, error.errors, error.headers) == ({}, (), {})
    assert error.retry_after is None


@pytest.mark.parametrize("cls", SHIPPED)
def test_a_class_shows_its_own_name_and_code(cls: type[AppError]) -> None:
    """A shipped class is what callers see as type, and its code is a shipped one."""
    error = cls("message")

    assert error.type_name == cls.__name__
    assert error.code in ErrorCode.__members__
    assert error.kind is ErrorCode[error.code].kind


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (AppError(), "INTERNAL_ERROR", ""),
        (AppError("text"), "INTERNAL_ERROR", "text"),
        (AppError(ErrorCode.TOKEN_EXPIRED), "TOKEN_EXPIRED", ""),
        (AppError(ErrorCode.TOKEN_EXPIRED, "text"), "TOKEN_EXPIRED", "text"),
        (AppError(ErrorCode.TOKEN_EXPIRED, ""), "TOKEN_EXPIRED", ""),
        (AppError("TOKEN_EXPIRED", "text"), "TOKEN_EXPIRED", "text"),
        (AppError("TOKEN_EXPIRED", ""), "TOKEN_EXPIRED", ""),
        (AppError("text", code=ErrorCode.TOKEN_EXPIRED), "TOKEN_EXPIRED", "text"),
        (AppError("text", code="TOKEN_EXPIRED"), "TOKEN_EXPIRED", "text"),
        (AppError("text", code="NOBODY_DECLARED_THIS"), "NOBODY_DECLARED_THIS", "text"),
        (AppError("TOKEN_EXPIRED"), "INTERNAL_ERROR", "TOKEN_EXPIRED"),
    ],
)
def test_a_member_first_is_the_code_and_a_string_first_the_message(
    error: AppError, code: str, message: str
) -> None:
    """What stands first decides; of two strings the first is the code."""
    assert (error.code, error.message) == (code, message)
    assert error.args == (message,)


@pytest.mark.parametrize("text", [LazyText(), ValueError("made late")])
def test_a_lazy_text_is_a_message(text: object) -> None:
    """A framework's translation, which is no `str`, is read as a message and not as a code."""
    error = ValidationError(cast("str", text))

    assert (error.code, error.message) == ("VALIDATION_FAILED", "made late")


def test_an_unknown_code_keeps_what_its_class_says() -> None:
    """A code nobody declared changes the code and nothing else."""
    error = ResourceNotFoundError("SHELF_EMPTY", "no such shelf")

    assert (error.code, error.status, error.title) == ("SHELF_EMPTY", 404, "Resource not found")


def test_a_known_code_goes_before_the_class() -> None:
    """A code given when raising decides status, kind, title and category; the class stays the type."""
    error = AuthenticationError(HarbourCode.BERTH_TAKEN)

    assert (error.status, error.kind, error.title) == (409, ErrorKind.CONFLICT, "Berth taken")
    assert error.category == "HARBOUR"
    assert error.type_name == "AuthenticationError"
    assert AuthenticationError().status == 401


def test_a_class_takes_the_facts_of_a_code_it_names() -> None:
    """Naming a declared code, as member or string, is all a class needs."""

    class ByMember(AppError):
        code = HarbourCode.BERTH_TAKEN  # type: ignore[assignment]  # becomes its name

    for cls in (BerthTaken, ByMember):
        assert (cls.code, cls.kind, cls.title) == (
            "BERTH_TAKEN",
            ErrorKind.CONFLICT,
            "Berth taken",
        )
        assert cls.category == "HARBOUR"


def test_a_class_with_a_kind_makes_its_code_from_its_name() -> None:
    """`TideTooLow` has the code `TIDE_TOO_LOW`, a readable title, and what it declares."""
    assert TideTooLow.code == "TIDE_TOO_LOW"
    assert TideTooLow.title == "Tide too low"
    assert (TideTooLow.status, TideTooLow.transient) == (423, True)
    assert (TideTooLow.severity, TideTooLow.category) == (Severity.WARNING, "TIDE")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("OutOfStock", "OUT_OF_STOCK"),
        ("HTTPGatewayError", "HTTP_GATEWAY"),
        ("Sha256MismatchError", "SHA256_MISMATCH"),
        ("IBANRefused", "IBAN_REFUSED"),
    ],
)
def test_a_code_from_a_class_name_is_upper_snake(
    name: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are told apart by their capitals, and a final `Error` is left out."""
    monkeypatch.setattr(register, "known", {})

    made = type(name, (AppError,), {"kind": ErrorKind.CONFLICT, "__module__": __name__})

    assert issubclass(made, AppError)
    assert made.code == code


def test_a_subclass_inherits_and_overrides() -> None:
    """A subclass without code keeps its parent's; one with a code keeps the rest of it."""
    assert (NeapTideTooLow.code, NeapTideTooLow.title) == ("TIDE_TOO_LOW", "Neap tide too low")
    assert NeapTideTooLow.status == 423
    assert SpringTideTooLow.code == "SPRING_TIDE"
    assert (SpringTideTooLow.status, SpringTideTooLow.transient) == (423, True)
    assert SpringTideTooLow().type_name == "SpringTideTooLow"


def test_a_mixin_does_not_come_between_a_class_and_what_it_inherits() -> None:
    """Status, transience and severity are inherited past a parent that is no error."""
    assert (Mixed.kind, Mixed.status) == (ErrorKind.CONFLICT, 423)
    assert (Mixed.transient, Mixed.severity) == (True, Severity.WARNING)


def test_a_class_may_take_keywords_of_other_parents() -> None:
    """A parent that takes keywords when it is inherited from gets them."""

    class Registered:
        def __init_subclass__(cls, *, shelf: str = "", **keywords: object) -> None:
            super().__init_subclass__(**keywords)
            cls.shelf = shelf

        shelf: str

    class OnShelf(AppError, Registered, shelf="top"):
        code = "STATE_CONFLICT"

    assert (OnShelf.shelf, OnShelf.status) == ("top", 409)


def test_an_error_without_a_code_is_our_own_fault() -> None:
    """Bare, an `AppError` is an internal error raised on purpose, which trying again does not help."""
    error = AppError("m")

    assert (error.kind, error.status, error.type_name) == (
        ErrorKind.INTERNAL,
        500,
        "InternalServerError",
    )
    assert (error.transient, error.trusted, error.severity) == (False, True, Severity.ERROR)
    assert AppError("m", code="NOBODY_DECLARED_THIS").type_name == "InternalServerError"


def test_an_error_of_no_class_shows_the_class_of_its_code() -> None:
    """What callers see as type of a bare `AppError` is what its code says, else its kind's class."""
    assert AppError(ErrorCode.INVALID_STATE_TRANSITION).type_name == "WorkflowError"
    assert AppError(ErrorCode.TOKEN_EXPIRED).type_name == "AuthenticationError"


def test_a_new_kind_brings_its_own_status() -> None:
    """A subclass with another kind does not keep the status of its parent's."""

    class TideGauge(TideTooLow):
        kind = ErrorKind.UNAVAILABLE

    assert TideGauge.status == 503
    assert TideGauge().fault is Fault.DEPENDENCY


def test_a_kind_that_is_none_is_refused() -> None:
    """A wrong kind is told when the class is made, with the name of the class."""
    with pytest.raises(TypeError, match=r"Broken\.kind must be an ErrorKind"):

        class Broken(AppError):  # pyright: ignore[reportUnusedClass]
            kind = 409  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def test_a_constructor_that_forgets_ours_leaves_a_whole_error() -> None:
    """An error whose constructor calls no other has its class's facts and empty extras."""
    error = Forgetful("Viking")

    assert (error.code, error.status, error.message) == ("FORGETFUL", 404, "")
    assert (dict(error.details), error.errors, dict(error.headers)) == ({}, (), {})
    assert str(error) == "Forgetful"


def test_errors_that_share_a_class_share_no_details() -> None:
    """Filling the details of one error does not fill those of another."""
    first, second = AppError(), AppError()

    first.details["a"] = 1
    first.headers["b"] = "2"

    assert (second.details, second.headers) == ({}, {})


def test_a_raisers_details_stay_the_raisers() -> None:
    """An error keeps a copy of the mapping it was given."""
    given_details = {"a": 1}

    AppError(details=given_details).details["b"] = 2

    assert given_details == {"a": 1}


def test_one_string_is_one_sentence() -> None:
    """A string passed as `errors` is not taken apart into letters."""
    assert AppError(errors="only one").errors == ("only one",)
    assert AppError(errors=(str(n) for n in range(2))).errors == ("0", "1")


def test_field_errors_become_details_and_sentences() -> None:
    """Messages by field are shown both by field and as sentences, a single string being one."""
    error = ValidationError(
        "wrong", field_errors={"a": ["x", "y"], "b[0].c": "z"}, details={"form": "order"}
    )

    assert error.details == {
        "form": "order",
        "field_errors": {"a": ["x", "y"], "b[0].c": ["z"]},
    }
    assert error.errors == ("a: x", "a: y", "b[0].c: z")


def test_sentences_of_ones_own_go_before_those_of_the_fields() -> None:
    """`errors` given beside `field_errors` are kept as they are."""
    error = ValidationError(field_errors={"a": ["x"]}, errors=["mine"])

    assert error.errors == ("mine",)
    assert error.details == {"field_errors": {"a": ["x"]}}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_upstream_status_that_passes_makes_the_error_transient(status: int) -> None:
    """A dependency that answers with one of these may answer better next time."""
    error = DependencyError("no", upstream_status=status)

    assert error.transient is True
    assert (error.status, error.fault) == (502, Fault.DEPENDENCY)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 501])
def test_an_upstream_status_that_stays_does_not(status: int) -> None:
    """What a dependency refuses for good is a 502 to our caller, and not transient."""
    error = DependencyError("no", upstream_status=status, upstream_code="TOKEN_EXPIRED")

    assert error.transient is False
    assert (error.status, error.upstream_status, error.upstream_code) == (
        502,
        status,
        "TOKEN_EXPIRED",
    )


def test_without_an_upstream_status_the_code_decides() -> None:
    """A dependency's error is transient by its code when no status is known."""
    assert DependencyError("no").transient is False
    assert DependencyError(ErrorCode.SERVICE_UNAVAILABLE).transient is True


@pytest.mark.parametrize(
    ("error", "effect"),
    [
        (CircuitOpenError(), Effect.NONE),
        (BulkheadFullError(), Effect.NONE),
        (CallRateError(), Effect.NONE),
        (DeadlineExceededError(), Effect.IN_DOUBT),
        (CommunicationError(), None),
        (ServiceUnavailableError(), None),
        (DatabaseError(), None),
    ],
)
def test_an_error_says_what_is_known_of_the_work(error: AppError, effect: Effect | None) -> None:
    """A rejected call had no effect, a late one may have had, of others nothing is known."""
    assert error.effect is effect


@given(st.text(), st.dictionaries(st.text(), st.integers() | st.text()), st.lists(st.text()))
def test_whatever_an_error_holds_survives(
    message: str, details: dict[str, object], sentences: list[str]
) -> None:
    """Any text, details and sentences come through pickle unchanged."""
    error = AppError(
        "CODE", message, details=details, errors=sentences, headers={"X": message}, retry_after=2
    )

    assert facts(by_pickle(error)) == facts(error)


def test_notes_travel_with_the_error() -> None:
    """A note added to an error is there after pickling and copying."""
    error = AppError("a")
    error.add_note("while loading")

    assert by_pickle(error).__notes__ == ["while loading"]
    assert copy.copy(error).__notes__ == ["while loading"]
