"""The composition root: what settings make, what start-up refuses, and one runtime per process."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import environment
from holdfast.classify import Classification, Rule, classification_of
from holdfast.codes import ErrorCode, Severity
from holdfast.context import work_context
from holdfast.errors import DatabaseError, ResourceNotFoundError, ValidationError
from holdfast.events import Event
from holdfast.handler import Next, Verdict
from holdfast.origin import ErrorContext, Origin
from holdfast.reporting.dispatcher import Reporter
from holdfast.runtime import Runtime, current_runtime
from holdfast.settings import RedactSettings, ReportingSettings, Settings, SettingsError
from holdfast.starting import configure, init_error_system
from holdfast.testing import FakeClock, RecordingReporter, RecordingRuntime

HERE = Origin(boundary="test")
NOT_CALLABLE = "no function"


class Shelf:
    """Holds what settings may name by a longer path."""

    @staticmethod
    def classify(error: BaseException, _: ErrorContext) -> Classification | None:
        """Know lookup errors only."""
        if isinstance(error, LookupError):
            return classification_of(ErrorCode.RESOURCE_NOT_FOUND)
        return None


def fails(*_: object) -> Classification | None:
    """Fail, as a project's classifier may."""
    raise OSError("words of a stranger")


def needs_a_library(_: Runtime) -> Reporter:
    """Fail, as a reporter whose library is not installed."""
    raise ImportError("install the extra")


def refuses(_: Runtime) -> Reporter:
    """Fail, as a reporter that is told nonsense."""
    raise ValueError("no such host in\nhttps://shop:hunter2@reports.test/7")


def exits(_: Runtime) -> Reporter:
    """Fail without a word."""
    raise LookupError


def makes_nothing(_: Runtime) -> object:
    """Forget to return the reporter."""


def counts(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
    """Note on the error that the middleware ran."""
    error.add_note("counted")
    return step(error, context)


def reporter(runtime: Runtime) -> Reporter:
    """Make a reporter that knows its runtime's settings."""
    made = RecordingReporter()
    made.name = f"recording for {runtime.settings.service}"
    return made


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin and end each test with neither default, nor stand-in, nor resolvers."""
    for name in ("_default", "_stand_in", "_resolvers"):
        monkeypatch.setattr(environment, name, [])
    yield
    installed = environment.default()
    if isinstance(installed, Runtime):
        installed.uninstall()
        installed.close()


def quiet(**settings: object) -> Runtime:
    """Configure a runtime without reporters."""
    return configure(reporters=(), **settings)


def test_settings_reach_every_part() -> None:
    """Rules, classifiers, middleware, reporters, clock and exposure are what was asked for."""
    told = RecordingReporter()
    clock = FakeClock()
    runtime = Runtime(
        Settings(
            service="shop",
            reporters=(f"{__name__}:reporter",),
            classifiers=(f"{__name__}:Shelf.classify",),
            middleware=(f"{__name__}.counts",),
            expose_details=True,
            reporting=ReportingSettings(inline=True),
        ),
        rules=[Rule(match=ZeroDivisionError, code=ErrorCode.BUSINESS_RULE_VIOLATION)],
        clock=clock,
        reporters=[told],
    )
    error = DatabaseError("no")
    error.learned = {"table": "shop_order"}

    by_function = runtime.handle(KeyError("k"), HERE)
    by_rule = runtime.handle(ZeroDivisionError(), HERE)
    exposed = runtime.handle(error, HERE)

    assert [r.name for r in runtime.dispatcher.reporters] == ["recording for shop", "recording"]
    assert [r.classification.status for r in told.records] == [404, 422, 500]
    assert by_function.record is not None
    assert by_function.record.notes == ("counted",)
    assert by_function.record.time == clock.now()
    assert by_rule.answer is not None
    assert by_rule.answer.status == 422
    assert exposed.answer is not None
    assert exposed.answer.details == {"table": "shop_order"}


def test_redaction_is_as_the_settings_say() -> None:
    """Names and patterns of the settings are taken out of records and answers."""
    runtime = RecordingRuntime(
        Settings(
            reporters=(),
            redact=RedactSettings(keys=frozenset({"berth"}), patterns=("Z9-[0-9]+",), mask="###"),
        )
    )

    verdict = runtime.handle(ValidationError("Z9-77 is gone", details={"berth": "north"}), HERE)

    assert verdict.answer is not None
    assert verdict.record is not None
    assert (verdict.answer.message, verdict.answer.details) == ("### is gone", {"berth": "###"})
    assert (verdict.record.message, verdict.record.details) == ("### is gone", {"berth": "###"})


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/html"])
@pytest.mark.parametrize(
    "odd",
    [float("nan"), float("-inf"), "\ud800", b"\xff", {1: {2}}, object(), [[[[[[[[[[1]]]]]]]]]]],
)
def test_any_detail_can_be_answered_with(accept: str, odd: object) -> None:
    """What is no JSON, in details of a raiser's, is made so before it comes out."""
    runtime = RecordingRuntime()
    answer = runtime.handle(ValidationError("m", details={"odd": odd, "even": 2}), HERE).answer
    assert answer is not None

    body = runtime.render(answer, accept=accept).body.decode()

    assert '"even":2' in body or accept == "text/html"
    assert "NaN" not in body
    assert "Infinity" not in body


def test_a_runtime_renders_as_its_settings_say() -> None:
    """Default format, pages, language and problem type are the settings'."""
    runtime = quiet(
        response_format="problem",
        html=False,
        language="fr",
        problem_type="https://x.test/{code}",
    )
    answer = runtime.handle(ResourceNotFoundError(), HERE).answer
    assert answer is not None

    problem = runtime.render(answer, accept="text/html")
    page = quiet().render(answer, accept="text/html", language="fr")

    assert problem.content_type == "application/problem+json"
    assert b"https://x.test/RESOURCE_NOT_FOUND" in problem.body
    assert ("Content-Language", "fr") in problem.headers
    assert page.content_type.startswith("text/html")
    assert ("Content-Language", "fr") in page.headers
    assert quiet().render(answer).content_type == "application/json"


def test_a_classifier_that_fails_is_told_of() -> None:
    """The error is answered by the next who knows, and an event says what failed and where."""
    runtime = RecordingRuntime(Settings(reporters=(), classifiers=(f"{__name__}:fails",)))

    verdict = runtime.handle(ResourceNotFoundError(), HERE)
    failed, handled = runtime.recorded.events

    assert verdict.answer is not None
    assert verdict.answer.status == 404
    assert handled.name == "error.handled"
    assert (failed.name, failed.severity) == ("classifier.failed", Severity.ERROR)
    assert failed.attributes["error_type"] == "OSError"
    assert failed.attributes["message"] == "words of a stranger"
    assert str(failed.attributes["place"]).startswith(f"{__name__}.fails:")


@pytest.mark.parametrize(
    ("given", "path", "part"),
    [
        ({"reporters": ["promtheus"]}, "reporters[0]", "prometheus"),
        ({"reporters": ["logging", "nowhere.at:all"]}, "reporters[1]", "cannot load"),
        ({"classifiers": ["holdfast.nowhere:all"]}, "classifiers[0]", "holdfast.nowhere"),
        ({"classifiers": ["holdfast.errors:nothing"]}, "classifiers[0]", "nothing"),
        ({"middleware": [f"{__name__}:NOT_CALLABLE"]}, "middleware[0]", "cannot be called"),
        ({"reporters": [f"{__name__}:NOT_CALLABLE"]}, "reporters[0]", "cannot be called"),
        ({"reporters": [f"{__name__}:needs_a_library"]}, "reporters[0]", "install the extra"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_its_place(
    given: dict[str, object], path: str, part: str
) -> None:
    """A name that leads nowhere is a mistake at start-up, told by its path."""
    with pytest.raises(SettingsError) as caught:
        configure(**given)

    (problem,) = caught.value.problems
    assert problem.path == path
    assert part in str(caught.value)


def test_mistakes_are_told_together() -> None:
    """Several names that lead nowhere are one complaint that has them all."""
    with pytest.raises(SettingsError) as caught:
        configure(
            reporters=["sentri", "a.b:c"],
            classifiers=["d.e:f"],
            middleware=["g.h:i"],
        )

    assert [problem.path for problem in caught.value.problems] == [
        "classifiers[0]",
        "middleware[0]",
        "reporters[0]",
        "reporters[1]",
    ]
    assert "sentry" in str(caught.value)


def test_whatever_a_reporters_factory_raises_is_told_with_the_rest() -> None:
    """Class and text of the error, on one line and without secrets, stand beside the path."""
    here = __name__

    with pytest.raises(SettingsError) as caught:
        configure(reporters=[f"{here}:{name}" for name in ("refuses", "exits", "makes_nothing")])

    refused = "ValueError: no such host in https://shop:[redacted]@reports.test/7"
    assert [str(problem) for problem in caught.value.problems] == [
        f"reporters[0]: cannot make '{here}:refuses': {refused}",
        f"reporters[1]: cannot make '{here}:exits': LookupError",
        f"reporters[2]: '{here}:makes_nothing' makes no reporter, but NoneType",
    ]


def test_whatever_a_module_raises_when_it_is_loaded_is_told_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in a project's module is told by the path of the setting that names the module."""
    (tmp_path / "broken_reporters.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    with pytest.raises(SettingsError) as caught:
        configure(reporters=["broken_reporters:make", f"{__name__}:NOT_CALLABLE"])

    assert [str(problem) for problem in caught.value.problems] == [
        "reporters[0]: cannot load 'broken_reporters:make': ZeroDivisionError: division by zero",
        f"reporters[1]: '{__name__}:NOT_CALLABLE' cannot be called",
    ]


def test_two_runtimes_do_not_see_each_other() -> None:
    """Reporters, marks, checks and settings belong to their runtime."""
    one = RecordingRuntime(Settings(reporters=(), expose_details=True))
    other = RecordingRuntime()
    error = DatabaseError("no")
    error.learned = {"table": "shop_order"}
    one.health.register_check("db", lambda: True)

    first, second = one.handle(error, HERE), other.handle(error, HERE)

    assert first.answer is not None
    assert second.answer is not None
    assert (first.answer.details, second.answer.details) == ({"table": "shop_order"}, {})
    assert len(one.recorded.records) == len(other.recorded.records) == 1
    assert one.handle(error, HERE) is first
    assert other.health.run_all_checks() == {}


def test_an_installed_runtime_is_the_processs_until_it_is_uninstalled() -> None:
    """Installing makes a runtime the default, uninstalling undoes it, twice does no harm."""
    runtime = quiet()

    assert runtime.install() is runtime
    assert runtime.install() is runtime
    assert current_runtime() is runtime
    runtime.uninstall()
    runtime.uninstall()

    assert environment.default() is None


def test_a_second_runtime_is_not_installed_over_the_first() -> None:
    """Another runtime is refused while one is installed, and uninstalling it changes nothing."""
    first, second = quiet().install(), quiet()

    with pytest.raises(RuntimeError, match="uninstall"):
        second.install()
    second.uninstall()

    assert current_runtime() is first


def test_initialising_makes_and_installs() -> None:
    """One call is all a process needs to be set up."""
    runtime = init_error_system(service="importer", reporters=[])

    assert current_runtime() is runtime
    assert runtime.settings.service == "importer"


def test_initialising_again_with_the_same_settings_gives_the_same_runtime() -> None:
    """A second call that asks for the same changes nothing."""
    runtime = init_error_system(service="importer", reporters=[])

    assert init_error_system(reporters=(), service="importer") is runtime


def test_initialising_again_with_other_settings_is_refused() -> None:
    """A second call that asks for something else fails, and says how to go about it."""
    runtime = init_error_system(service="importer", reporters=[])

    with pytest.raises(RuntimeError, match=r"other settings.*uninstall"):
        init_error_system(service="exporter", reporters=[])

    assert current_runtime() is runtime


def test_initialising_after_somebody_needed_a_runtime_works() -> None:
    """A runtime made in passing, by a check registered early, does not stand in the way."""
    passing = current_runtime()

    runtime = init_error_system(service="importer", reporters=[])

    assert current_runtime() is runtime is not passing
    passing.handle(ValueError(), HERE)
    assert [delivery.dropped for delivery in passing.dispatcher.deliveries()] == [1]


def test_a_wrong_setting_is_refused_by_name() -> None:
    """A mistake in a keyword is told with the nearest right one."""
    with pytest.raises(SettingsError, match="service"):
        init_error_system(serwice="importer")

    assert environment.default() is None


class Slow:
    """A reporter that waits until it is told to go on."""

    name = "slow"

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.closed = False

    def report(self, event: Event) -> None:
        """Take an event."""
        self.seen.append(event)

    def close(self) -> None:
        """Finish."""
        self.closed = True


def test_flushing_waits_for_what_was_handled() -> None:
    """After a flush every reporter has heard of every error so far."""
    slow = Slow()
    runtime = Runtime(Settings(reporters=()), reporters=[slow])

    runtime.handle(ValueError(), HERE)

    assert runtime.flush() is True
    assert [event.name for event in slow.seen] == ["error.handled"]
    runtime.close()
    assert slow.closed


@pytest.mark.parametrize("start", ["", "import holdfast; holdfast.init_error_system()\n"])
def test_a_process_that_ends_delivers_what_waits(start: str) -> None:
    """The last error of a script is logged, without an explicit close, set up or not."""
    script = (
        f"import logging; logging.basicConfig(format='%(message)s')\n{start}"
        "from holdfast import error_boundary, ErrorCode\n"
        "with error_boundary('last', error_code=ErrorCode.DATABASE_ERROR, reraise=False):\n"
        "    raise ValueError('x')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )

    assert "DATABASE_ERROR at last" in done.stderr


def test_handling_happens_in_the_current_work() -> None:
    """What a runtime handles has the id of the piece of work it happened in."""
    runtime = RecordingRuntime()

    with work_context("req-1"):
        runtime.handle(ValueError(), HERE)

    assert [record.trace_id for record in runtime.recorded.records] == ["req-1"]
