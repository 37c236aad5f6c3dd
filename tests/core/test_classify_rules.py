"""Rules: what they ask of an exception, what they say, in which order, and from settings."""

import errno
import sys
import types
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import Classifier, Rule
from holdfast.classify.conditions import MAX_MESSAGE, carried_status, may_take_forever
from holdfast.codes import CodeSpec, Effect, ErrorCode, ErrorCodes, ErrorKind, Severity
from holdfast.errors import AppError, DatabaseError, DependencyError, ResourceNotFoundError
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import Settings, SettingsError, load_settings
from holdfast.starting import configure

HERE = __name__


class CacheCode(ErrorCodes):
    """Codes of a project."""

    CACHE_IS_DOWN = CodeSpec(ErrorKind.UNAVAILABLE, "Cache down", category="CACHE")


class Refusal(Exception):
    """A stranger's error."""


class FirmRefusal(Refusal):
    """One that is more specific."""


def says(rule: Rule, error: BaseException) -> bool:
    """Tell whether a rule holds for an exception."""
    return Classifier([rule]).classify(error).category == "HELD"


@pytest.mark.parametrize(
    ("rule", "held", "other"),
    [
        (Rule(match=Refusal, category="HELD"), FirmRefusal(), KeyError()),
        (Rule(match=f"{HERE}.Refusal", category="HELD"), FirmRefusal(), KeyError()),
        (Rule(codes="DB_*", category="HELD"), AppError(code="DB_LOST"), AppError(code="ADB_")),
        (Rule(codes="TASK_LOST", category="HELD"), AppError(code="TASK_LOST"), Refusal()),
        (Rule(message=r"disk \w+ full", category="HELD"), Refusal("a disk b full"), Refusal()),
        (Rule(errno=errno.ENOSPC, category="HELD"), OSError(errno.ENOSPC, ""), OSError(1, "")),
        (
            Rule(errno=[errno.ENOSPC, errno.EDQUOT], category="HELD"),
            OSError(errno.EDQUOT, ""),
            Refusal(errno.EDQUOT),
        ),
        (
            Rule(carried_status=range(500, 600), category="HELD"),
            DependencyError(upstream_status=503),
            DependencyError(upstream_status=404),
        ),
        (Rule(when=lambda e: e.args == (1,), category="HELD"), Refusal(1), Refusal(2)),
    ],
    ids=str,
)
def test_a_rule_holds_where_its_condition_does(
    rule: Rule, held: BaseException, other: BaseException
) -> None:
    """Each condition selects the exceptions it describes, and no others."""
    assert says(rule, held)
    assert not says(rule, other)


@pytest.mark.parametrize(
    "error",
    [
        FirmRefusal("full"),
        OSError(errno.ENOSPC, "other"),
        OSError(errno.EIO, "full"),
        FileNotFoundError(errno.ENOSPC, "full", "missing"),
    ],
    ids=repr,
)
def test_all_conditions_of_a_rule_have_to_hold(error: BaseException) -> None:
    """Where one of them does not, the rule declines."""
    rule = Rule(
        match=OSError,
        errno=errno.ENOSPC,
        message="full",
        when=lambda e: not isinstance(e, FileNotFoundError),
        category="HELD",
    )

    assert says(rule, OSError(errno.ENOSPC, "full"))
    assert not says(rule, error)


def test_a_class_may_be_named_where_a_package_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name one imports by will do, though the class says it is defined elsewhere."""
    package = types.ModuleType("refusing_package")
    monkeypatch.setattr(package, "Refusal", Refusal, raising=False)
    monkeypatch.setitem(sys.modules, "refusing_package", package)

    assert says(Rule(match="refusing_package.Refusal", category="HELD"), FirmRefusal())
    assert not says(Rule(match="other_package.Refusal", category="HELD"), FirmRefusal())


def test_a_class_may_be_named_where_a_package_loads_it_when_asked() -> None:
    """As `holdfast` does: its own classes are named as they are imported."""
    runtime = configure(
        reporters=[], rules=[{"match": "holdfast.DatabaseError", "severity": "CRITICAL"}]
    )

    said = runtime.handler.classifier.classify(DatabaseError("down"))

    assert said.severity is Severity.CRITICAL


class Hidden(Exception):
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SimpleNamespace(response=SimpleNamespace(status_code=503)), 503),
        (SimpleNamespace(response=SimpleNamespace(status=502)), 502),
        (SimpleNamespace(response=None, status=429), 429),
        (SimpleNamespace(status_code=404), 404),
        (SimpleNamespace(code=401), 401),
        (SimpleNamespace(code="E1"), None),
        (SimpleNamespace(code=7), None),
        (Hidden(), None),
        (ResourceNotFoundError(), None),
        (DependencyError(upstream_status=418), 418),
    ],
    ids=[
        *("response", "response's status", "status", "status_code", "code", "words", "number"),
        *("hidden", "own", "upstream"),
    ],
)
def test_a_status_is_found_where_libraries_keep_it(error: object, status: int | None) -> None:
    """Read is what a response says, or the exception; an error of ours carries only another's."""
    assert carried_status(error) == status  # type: ignore[arg-type]  # of an exception's shape


def test_conditions_do_not_fail_on_an_exception_that_hides_all() -> None:
    """A class that raises whatever is asked of it is answered like any other."""
    failures: list[Exception] = []
    rules = [Rule(message="x", category="HELD"), Rule(carried_status=503, category="HELD")]

    said = Classifier(rules, on_failure=failures.append).classify(Hidden())

    assert (said.status, said.category, failures) == (500, "", [])


def test_only_the_beginning_of_a_message_is_searched() -> None:
    """However long a message is, it is the first thousand characters that count."""
    rule = Rule(message="needle", category="HELD")

    assert says(rule, Refusal("x" * (MAX_MESSAGE - 6) + "needle"))
    assert not says(rule, Refusal("x" * MAX_MESSAGE + "needle"))


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(a+)+b", r"(a*)*", r"((ab)+c)*d", r"(?:x{2,})+", r"([a-z]+\s)+$", r"(\d+){3,}"),
        *(r"(a|a)*b", r"(a|aa)+$", r"(?:x(a|ab)y)*", r"(a|a){3,}b", r"(a|.)+b", r"(-|\-)*b"),
        *(r"(a|aa){60}$", r"(a|aa){1,60}$", r"(a|aa){,60}$", r"(a+){10}b"),
    ],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    """A repetition, or a choice, within a repetition is not searched for in what a stranger wrote."""
    with pytest.raises(ValueError, match=r"could take for ever: write"):
        Rule(match=Refusal, message=pattern, category="X")


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"a+b+", r"(a+)b", r"\(a+\)+", r"[(a+)+]", r"(abc)+", r"(a+)?b", r"(a{2})+"),
        *(r"(a|b)c+", r"a|b+", r"[a|b]*", r"(a\|b)+", r"(one|two){1,9}", r"(a|b)?", r"(a{40}b)+"),
    ],
)
def test_other_patterns_are_taken(pattern: str) -> None:
    """What repeats once is searched."""
    assert not may_take_forever(pattern)


def untranslated(_: BaseException) -> None:
    """Decline."""


@pytest.mark.parametrize(
    ("options", "objection"),
    [
        ({"category": "X"}, "needs a condition"),
        ({"match": Refusal}, "needs either"),
        ({"match": Refusal, "status": 200}, "between 400 and 599"),
        ({"match": Refusal, "code": "NOWHERE_DECLARED"}, "no code 'NOWHERE_DECLARED'"),
        ({"match": "Refusal", "category": "X"}, "needs its module"),
        ({"match": Refusal, "translate": untranslated, "category": "X"}, "translate returns"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_a_rule_that_makes_no_sense_is_refused(options: dict[str, object], objection: str) -> None:
    """A mistake in a rule is said where the rule is made."""
    with pytest.raises(ValueError, match=objection):
        Rule(**options)  # type: ignore[arg-type]  # which is the point


def test_a_partial_rule_is_completed_by_the_next() -> None:
    """A rule with fields alone leaves the meaning to what is asked after it."""
    rules = [Rule(match=ConnectionError, severity=Severity.CRITICAL, action="look at the switch")]

    said = Classifier(rules).classify(ConnectionRefusedError())

    assert (said.severity, said.action) == (Severity.CRITICAL, "look at the switch")
    assert (said.code, said.effect) == ("COMMUNICATION_ERROR", Effect.NOT_SENT)


def test_a_rule_without_a_class_is_asked_last() -> None:
    """It is the least specific; of one with a class and one without the former decides."""
    rules = [
        Rule(message="no", code=ErrorCode.RESOURCE_NOT_FOUND),
        Rule(match=Refusal, code=ErrorCode.STATE_CONFLICT),
    ]

    assert Classifier(rules).classify(Refusal("no")).status == 409
    assert Classifier(rules).classify(KeyError("no")).status == 404


def test_a_rule_for_codes_holds_for_what_an_error_says_itself() -> None:
    """A pattern of codes settles a field of errors that are raised on purpose."""
    rules = [Rule(codes="FOREIGN_*", category="INTEGRITY")]
    said = Classifier(rules).classify(DatabaseError(ErrorCode.FOREIGN_KEY_CONSTRAINT))

    assert (said.category, said.status) == ("INTEGRITY", 409)


def test_a_projects_rule_goes_before_a_more_specific_one_of_an_adapter() -> None:
    """Whose the rule is counts first, how specific it is second."""
    adapters = [Rule(match=FirmRefusal, code=ErrorCode.RESOURCE_NOT_FOUND)]
    own = [Rule(match=Exception, code=ErrorCode.STATE_CONFLICT)]

    assert Classifier(adapter_rules=adapters).classify(FirmRefusal()).status == 404
    assert Classifier(own, adapter_rules=adapters).classify(FirmRefusal()).status == 409
    assert Classifier(own).classify(TimeoutError()).status == 409


def test_an_adapters_rule_goes_before_a_built_in_one_of_the_same_class() -> None:
    """Of the rules that are not the project's, the adapter's are asked first."""
    adapters = [Rule(match=TimeoutError, code=ErrorCode.STATE_CONFLICT)]

    assert Classifier(adapter_rules=adapters).classify(TimeoutError()).status == 409


@given(
    specific=st.booleans(),
    order=st.permutations([FirmRefusal, Refusal, Exception, BaseException, None]),
)
def test_the_most_specific_rule_decides_in_whatever_order_they_stand(
    *, specific: bool, order: list[type[BaseException] | None]
) -> None:
    """Rules are asked by the exception's classes, from itself to `BaseException`, then the rest."""
    rules = [
        Rule(match=cls, when=lambda _: True, code=classification_of_class(cls)) for cls in order
    ]
    raised = FirmRefusal if specific else Refusal

    assert Classifier(rules).classify(raised()).code == str(classification_of_class(raised))


def classification_of_class(cls: type[BaseException] | None) -> ErrorCode:
    """Return a code for each class of the test above."""
    return {
        FirmRefusal: ErrorCode.STATE_CONFLICT,
        Refusal: ErrorCode.RESOURCE_NOT_FOUND,
        Exception: ErrorCode.RESOURCE_GONE,
        BaseException: ErrorCode.CSRF_FAILED,
        None: ErrorCode.TOKEN_EXPIRED,
    }[cls]


class TestSettings:
    """The setting `RULES`."""

    @staticmethod
    def runtime(*rules: dict[str, object]) -> Runtime:
        """Make a runtime with rules."""
        return configure(reporters=[], rules=[*rules])

    def status(self, error: BaseException, *rules: dict[str, object]) -> int:
        """Return the status of the answer under rules."""
        answer = self.runtime(*rules).handle(error, Origin(boundary="test")).answer
        assert answer is not None
        return answer.classification.status

    def test_rules_are_read_from_settings(self) -> None:
        """Each is a section with conditions and with what it says."""
        settings = load_settings(
            Settings,
            {
                "REPORTERS": [],
                "RULES": [
                    {"MATCH": f"{HERE}.Refusal", "CODE": "CACHE_IS_DOWN", "SEVERITY": "ERROR"},
                    {"CODES": "DB_*", "CATEGORY": "STORAGE", "TRANSIENT": False},
                    {"MATCH": "builtins.OSError", "ERRNO": [28], "STATUS": 507},
                ],
            },
        )
        classify = Runtime(settings).handler.classifier.classify

        cache, database = classify(FirmRefusal()), classify(DatabaseError("DB_LOST", "gone"))

        assert (cache.code, cache.status, cache.category) == ("CACHE_IS_DOWN", 503, "CACHE")
        assert cache.severity is Severity.ERROR
        assert (database.category, database.transient) == ("STORAGE", False)
        assert classify(OSError(28, "No space left on device")).status == 507

    def test_settings_go_before_rules_in_code_and_those_before_an_adapters(self) -> None:
        """Who deploys has the last word."""
        told = load_settings(Settings, {"RULES": [{"MATCH": f"{HERE}.Refusal", "STATUS": 410}]})
        in_code = [Rule(match=Refusal, status=409, category="CODE")]
        adapters = [Rule(match=Refusal, code=ErrorCode.RESOURCE_NOT_FOUND, action="wait")]

        runtime = Runtime(told, rules=in_code, adapter_rules=adapters)
        said = runtime.handler.classifier.classify(Refusal())

        assert (said.status, said.category, said.action) == (410, "CODE", "wait")

    def test_a_code_may_be_named_where_it_is_declared(self) -> None:
        """Its module is imported then, whether somebody else has done so or not."""
        path = f"{HERE}:CacheCode.CACHE_IS_DOWN"

        assert self.status(Refusal(), {"match": f"{HERE}.Refusal", "code": path}) == 503

    def test_a_condition_may_be_a_function_of_ones_own(self) -> None:
        """A dotted path names it."""
        rule: dict[str, object] = {"when": f"{HERE}:is_firm", "status": 410}

        assert self.status(FirmRefusal(), rule) == 410
        assert self.status(Refusal(), rule) == 500

    @pytest.mark.parametrize(
        ("rule", "path", "hint"),
        [
            ({"match": "a.B", "code": "CACHE_IS_DWN"}, "rules[0].code", "CACHE_IS_DOWN"),
            ({"match": f"{HERE}.Refusl", "status": 410}, "rules[0].match", "Refusal"),
            ({"match": "a.B", "severity": "EROR"}, "rules[0].severity", "ERROR"),
            (
                {"match": "a.B", "status": 410, "sverity": "ERROR"},
                "rules[0].sverity",
                "rules[0].severity",
            ),
            ({"match": "a.B", "status": 200}, "rules[0].status", ""),
            ({"match": "a B", "status": 410}, "rules[0].match", ""),
            ({"match": "a.B"}, "rules[0].code", ""),
            ({"status": 410}, "rules[0].match", ""),
            ({"message": "(a|aa)+", "status": 410}, "rules[0].message", ""),
            ({"message": "(a+)+", "status": 410}, "rules[0].message", ""),
            ({"message": "(", "status": 410}, "rules[0].message", ""),
            ({"match": "a.B", "code": "nowhere:Code.X"}, "rules[0].code", ""),
            ({"when": "nowhere:is_so", "status": 410}, "rules[0].when", ""),
            ({"errno": ["28"], "status": 410}, "rules[0].errno[0]", ""),
        ],
        ids=str,
    )
    def test_each_mistake_is_told_with_its_path(
        self, rule: dict[str, object], path: str, hint: str
    ) -> None:
        """What is wrong in a rule stops the start, and the nearest right name is offered."""
        with pytest.raises(SettingsError) as caught:
            self.runtime(rule)

        (problem,) = caught.value.problems
        assert (problem.path, problem.suggestion) == (path, hint)

    def test_an_asynchronous_function_among_the_classifiers_is_told_with_its_path(self) -> None:
        """It could not answer in time."""
        with pytest.raises(SettingsError) as caught:
            configure(reporters=[], classifiers=[f"{HERE}:is_firm", f"{HERE}:later"])

        (problem,) = caught.value.problems
        assert problem.path == "classifiers[1]"
        assert "must not be async" in problem.message


def is_firm(error: BaseException, _: object = None) -> bool | None:
    """Tell whether it is a firm refusal; as a classifier decline."""
    return isinstance(error, FirmRefusal) or None


async def later(*_: object) -> None:
    """Answer when waited for."""


def test_no_rule_makes_a_classification_that_no_answer_can_have() -> None:
    """A rule's own fields go before those of its code."""
    rule = Rule(match=Refusal, code="CACHE_IS_DOWN", status=599, category="", trusted=False)
    said = Classifier([rule]).classify(Refusal())

    assert (said.status, said.category, said.trusted) == (599, "", False)
    assert said.kind is ErrorKind.UNAVAILABLE
