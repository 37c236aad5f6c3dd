"""The live policies of a runtime: reloading, explaining, finding by name."""

import threading
from collections.abc import Callable, Iterator

import pytest

from holdfast import CircuitOpenError, ServiceUnavailableError, environment
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead
from holdfast.resilience.chaos import Chaos
from holdfast.resilience.circuit.period import State
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Timeout
from holdfast.runtime import Runtime
from holdfast.settings import Settings, SettingsError, load_settings
from holdfast.testing import RecordingReporter, RecordingRuntime
from tests.core.ways import Way


class Failing:
    """Fails at every call, and counts them."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> str:
        """Fail."""
        self.calls += 1
        raise ServiceUnavailableError("down")


class Switched(Failing):
    """Works until it is switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.works = True

    def __call__(self) -> str:
        """Answer, or fail."""
        return "fine" if self.works else super().__call__()


@pytest.fixture
def alone() -> Iterator[RecordingRuntime]:
    """A runtime to which all calls of the process belong."""
    for known in tuple(environment._known):  # those of other tests that nobody closed
        environment.dismiss(known)
    made = RecordingRuntime()
    with made.current():
        yield made
    made.close()


def called(functions: list[Callable[[], object]], times: int) -> None:
    """Call each so many times."""
    for _ in range(times):
        for function in functions:
            function()


def attempts_of(call: Callable[[], object], failing: Failing) -> int:
    """Return how many attempts one call makes."""
    before = failing.calls
    with pytest.raises((ServiceUnavailableError, CircuitOpenError)):
        call()
    return failing.calls - before


class TestReload:
    def test_functions_decorated_before_take_the_new_settings(
        self, way: Way, runtime: RecordingRuntime
    ) -> None:
        """A reload holds from the next call on, and one without anything gives the code its way."""
        failing = Failing()
        decorated = way.decorate(Policy("stock", Retry(4)), failing)

        assert attempts_of(decorated, failing) == 4
        runtime.policies.reload({"stock": {"RETRY": {"ATTEMPTS": 2}}})
        assert attempts_of(decorated, failing) == 2
        runtime.policies.reload({})
        assert attempts_of(decorated, failing) == 4

    def test_the_short_way_of_a_lone_runtime_takes_them_too(self, alone: RecordingRuntime) -> None:
        """Where calls look for no runtime, the gates of functions are opened anew."""
        service = Switched()
        decorated = Policy("alone", Retry(4))(service)

        assert decorated() == decorated() == "fine"
        alone.policies.reload({"alone": {"RETRY": {"ATTEMPTS": 2}}})
        assert decorated() == decorated() == "fine"
        service.works = False

        assert attempts_of(decorated, service) == 2
        alone.policies.reload({"alone": {"RETRY": "OFF", "TIMEOUT": {"SECONDS": 9}}})
        assert attempts_of(decorated, service) == 1

    def test_reloads_beside_calls_on_the_short_way_leave_the_last_settings(
        self, alone: RecordingRuntime
    ) -> None:
        """A gate that was opened as settings changed is shut again."""
        policies = [Policy(f"busy-{number}", Retry(1)) for number in range(8)]
        service = Switched()
        decorated = [policy(service) for policy in policies]

        callers = [threading.Thread(target=called, args=(decorated, 300)) for _ in range(3)]
        for caller in callers:
            caller.start()
        for number in range(60):
            retry = {"RETRY": {"ATTEMPTS": number % 4 + 1}}
            alone.policies.reload({policy.name: retry for policy in policies})
        for caller in callers:
            caller.join()

        service.works = False
        assert [attempts_of(each, service) for each in decorated] == [4] * len(policies)

    def test_layers_that_stay_the_same_keep_their_state(self, runtime: RecordingRuntime) -> None:
        """A bulkhead goes on with who is in it, a budget with what is left of it."""
        policy = Policy("stock", Retry(3), Bulkhead(2), Timeout(1.0))
        before = runtime.policies.of(policy)

        runtime.policies.reload({"stock": {"TIMEOUT": {"SECONDS": 5}}})

        after = runtime.policies.of(policy)
        assert after is not before
        assert after.layers[:2] == before.layers[:2]
        assert after.layers[2] is not before.layers[2]

    def test_a_circuit_goes_on_under_other_options(self, runtime: RecordingRuntime) -> None:
        """Who reloads in the middle of an outage does not close what is open."""
        policy = Policy("stock", Breaker(failure_threshold=1, recovery_timeout=60))
        with pytest.raises(ServiceUnavailableError):
            policy.call(Failing())
        circuit = runtime.policies.circuit("stock")

        runtime.policies.reload({"stock": {"BREAKER": {"FAILURE_THRESHOLD": 3}}})

        assert runtime.policies.circuit("stock") is circuit
        assert circuit.state is State.OPEN
        assert runtime.policies.explain("stock").layers[0].options[0].value == "3"

    def test_a_policy_that_nothing_changes_is_left_alone(self, runtime: RecordingRuntime) -> None:
        """The same settings once more change nothing, and it is told what was changed."""
        policy, other = Policy("stock", Retry(3)), Policy("other", Retry(3))
        runtime.policies.of(other)
        live = runtime.policies.of(policy)

        runtime.policies.reload({"other": {"RETRY": {"ATTEMPTS": 2}}})

        assert runtime.policies.of(policy) is live
        (event,) = runtime.recorded.events
        assert (event.name, event.attributes) == ("policies.reloaded", {"changed": "other"})

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"stock": {"RETRY": {"ATTEMPTS": 0}, "TIME_OUT": {}}}, "TIMEOUT"),
            ({"stock": {"TIMEOUT": {}}}, "Timeout cannot be made"),
            ({"not yet called": {"TIMEOUT": {}}}, "Timeout cannot be made"),
            ("stock", "must be a mapping"),
        ],
    )
    def test_what_is_wrong_changes_nothing_and_is_told(
        self, runtime: RecordingRuntime, wrong: dict[str, object], why: str
    ) -> None:
        """All old settings stay; an event says what was wrong."""
        policy, waiting = Policy("stock", Retry(4)), Policy("not yet called")
        runtime.policies.reload({"stock": {"RETRY": {"ATTEMPTS": 2}}})
        live = runtime.policies.of(policy)

        with pytest.raises(ValueError, match=why):
            runtime.policies.reload(wrong)

        assert runtime.policies.of(policy) is live
        assert live.specs == (Retry(2),)
        event = runtime.recorded.events[-1]
        assert event.name == "policies.reload_failed"
        assert why in str(event.attributes["reason"])
        assert "\n" not in str(event.attributes["reason"])
        assert waiting.layers == ()

    def test_what_cannot_be_made_of_one_policy_leaves_the_circuits_of_others_alone(
        self, runtime: RecordingRuntime
    ) -> None:
        """All is found out before the first circuit goes by other options."""
        policies = [Policy("first", Breaker(failure_threshold=4)), Policy("second", Retry(2))]
        for policy in policies:
            policy.call(int)
        terms = runtime.policies.circuit("first").terms

        with pytest.raises(ValueError, match="Timeout cannot be made"):
            runtime.policies.reload(
                {"first": {"BREAKER": {"FAILURE_THRESHOLD": 9}}, "second": {"TIMEOUT": {}}}
            )

        assert runtime.policies.circuit("first").terms is terms

    def test_paths_are_written_as_the_settings_were(self) -> None:
        """A script's keywords are in lower case, at start-up and afterwards."""
        runtime = Runtime(Settings(reporters=()))
        runtime.notation = type(runtime.notation)(root="", case="lower")

        with pytest.raises(SettingsError, match=r"policies\.stock\.retry\.attempt"):
            runtime.policies.reload({"stock": {"retry": {"attempt": 2}}})
        runtime.close()

    def test_calls_in_progress_end_as_they_began(self, runtime: RecordingRuntime) -> None:
        """A call that is under way makes the attempts that it was promised."""
        policy, attempts = Policy("stock", Retry(3)), list[int]()

        def call() -> None:
            attempts.append(1)
            if len(attempts) == 1:
                runtime.policies.reload({"stock": {"RETRY": "OFF"}})
            raise ServiceUnavailableError("down")

        with pytest.raises(ServiceUnavailableError):
            policy.call(call)

        assert len(attempts) == 3

    def test_reloads_and_calls_at_once_leave_the_last_settings(
        self, runtime: RecordingRuntime
    ) -> None:
        """However threads come together, what was reloaded last holds in the end."""
        policy, failing = Policy("stock", Retry(1)), Failing()
        decorated = policy(failing)

        def reload() -> None:
            with environment.activated(runtime):
                for number in range(50):
                    runtime.policies.reload({"stock": {"RETRY": {"ATTEMPTS": number % 5 + 1}}})

        threads = [threading.Thread(target=each) for each in (reload, reload)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            attempts_of(decorated, failing)
        for thread in threads:
            thread.join()

        assert attempts_of(decorated, failing) == 5


class TestExplain:
    def test_each_option_says_where_it_comes_from(self) -> None:
        """Code, settings or default; layers of the settings and those switched off are named."""
        policy = Policy("stock", Retry(attempts=5), Timeout(2.0), Fallback(len))
        told = load_settings(
            Settings,
            {
                "POLICIES": {
                    "stock": {
                        "RETRY": {"RETRY_AFTER_LIMIT": 5},
                        "TIMEOUT": "OFF",
                        "DEADLINE": {"SECONDS": 9},
                    }
                }
            },
        )
        runtime = RecordingRuntime(told)
        runtime.policies.of(policy)

        found = runtime.policies.explain("stock")

        assert [(each.kind, each.source) for each in found.layers] == [
            ("Deadline", "settings"),
            ("Fallback", "code"),
            ("Retry", "code"),
        ]
        assert found.off == ("Timeout",)
        retry = {each.name: (each.value, each.source) for each in found.layers[2].options}
        assert retry["attempts"] == ("5", "code")
        assert retry["retry_after_limit"] == ("5.0", "settings")
        assert retry["idempotent"] == ("True", "default")
        assert policy.name == found.name

    def test_it_reads_well(self) -> None:
        """As text it names the layers, outermost first, with live state."""
        policy = Policy("stock", Timeout(2.0), Breaker(failure_threshold=1))
        runtime = RecordingRuntime()
        with environment.activated(runtime), pytest.raises(ServiceUnavailableError):
            policy.call(Failing())

        lines = str(runtime.policies.explain("stock")).splitlines()

        assert lines[:3] == [
            "policy stock, outermost layer first",
            "  Breaker",
            "    failure_threshold = 1 (code)",
        ]
        assert "    now: state open" in lines
        assert "    now: totals.failure 1" in lines
        assert lines[-2:] == ["  Timeout", "    seconds = 2.0 (code)"]

    def test_a_policy_without_layers_says_so(self) -> None:
        """Nothing protects such a call."""
        policy = Policy("bare without layers")

        assert str(RecordingRuntime().policies.explain(policy.name)).endswith(
            "no layers: calls are made as they are"
        )

    def test_who_misspells_a_name_is_told_the_nearest(self) -> None:
        """Of all that is defined, called or not."""
        policy = Policy("warehouse-stock")

        with pytest.raises(LookupError, match=f"did you mean {policy.name!r}"):
            RecordingRuntime().policies.explain("warehouse-stok")

    def test_a_policy_without_a_circuit_has_none(self) -> None:
        """It is said why."""
        policy = Policy("bare of circuits", Retry())

        with pytest.raises(LookupError, match="no Breaker is among its layers"):
            RecordingRuntime().policies.circuit(policy.name)

    def test_policies_are_known_as_long_as_code_keeps_them(self) -> None:
        """One that was thrown away is nobody's."""
        policies = RecordingRuntime().policies
        policy: Policy | None = Policy("thrown-away")

        assert "thrown-away" in policies.names()
        policy = None

        assert "thrown-away" not in policies.names()
        assert policy is None


class TestChaosInProduction:
    CHAOS = Policy("disturbed", Chaos(fault=TimeoutError))

    @pytest.mark.parametrize(
        ("settings", "allowed"),
        [
            ({}, False),
            ({"environment": "production"}, False),
            ({"environment": "staging"}, False),
            ({"environment": "test"}, True),
            ({"environment": "staging", "chaos": {"environments": ["staging"]}}, True),
            ({"environment": "production", "chaos": {"enabled": True}}, True),
        ],
    )
    def test_it_needs_a_place_without_users_or_a_switch(
        self, settings: dict[str, object], *, allowed: bool
    ) -> None:
        """A policy that fails on purpose refuses to be made elsewhere, in code and by settings alike."""
        told = load_settings(Settings, {"reporters": [], **settings}, case="lower")
        recorded = RecordingReporter()
        runtime = Runtime(told, reporters=[recorded])
        tuned = {**settings, "policies": {"stock": {"chaos": {"rate": 0.5}}}}

        with environment.activated(runtime):
            if allowed:
                with pytest.raises(TimeoutError):
                    self.CHAOS.call(len, "881")
                load_settings(Settings, tuned, case="lower")
                runtime.policies.reload({"stock": {"CHAOS": {"RATE": 0.5}}})
            else:
                with pytest.raises(RuntimeError, match=r"set HOLDFAST\.ENVIRONMENT"):
                    self.CHAOS.call(len, "881")
                with pytest.raises(SettingsError, match="must not hold CHAOS"):
                    load_settings(Settings, tuned, case="lower")
                assert any("disturbed" in line for line in runtime.policies.problems())
        runtime.close()

    def test_a_reload_cannot_bring_it_in(self) -> None:
        """Production stays as it was."""
        runtime, policy = Runtime(Settings(reporters=())), Policy("stock", Retry())
        live = runtime.policies.of(policy)

        with pytest.raises(RuntimeError, match="fails on purpose"):
            runtime.policies.reload({"stock": {"CHAOS": {"RATE": 1.0}}})

        assert runtime.policies.of(policy) is live
        runtime.close()
