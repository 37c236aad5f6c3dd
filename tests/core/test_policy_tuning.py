"""Policies tuned by settings: what may be said, what then holds, and what is told of mistakes."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import ServiceUnavailableError, environment
from holdfast.resilience.backoff import Constant, Exponential
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.rules import AnyOf, Consecutive
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.options import hints_of, key_of, options_of, tuned
from holdfast.resilience.policy import ORDER, Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Timeout
from holdfast.resilience.tuning import Tuning
from holdfast.settings import Settings, SettingsError, load_settings
from holdfast.testing import RecordingRuntime
from tests.core.ways import Way


def settings_of(name: str, layers: Mapping[str, object]) -> Settings:
    """Return settings that say something of one policy."""
    return load_settings(Settings, {"POLICIES": {name: layers}})


def told(layers: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return what is wrong with the settings of `payments`: message and suggestion by path."""
    with pytest.raises(SettingsError) as caught:
        settings_of("payments", layers)
    prefix = "HOLDFAST.POLICIES.payments"
    return {
        problem.path.removeprefix(prefix): (
            problem.message,
            problem.suggestion.removeprefix(prefix),
        )
        for problem in caught.value.problems
    }


def layers_of(policy: Policy, layers: Mapping[str, object]) -> tuple[object, ...]:
    """Return the layers of a policy under settings."""
    return tuned(policy, settings_of(policy.name, layers).policies[policy.name])


class TestReading:
    def test_options_hold_in_the_place_of_those_in_the_code(self) -> None:
        """What the settings do not name stays as the code has it."""
        policy = Policy("payments", Retry(5, on=(KeyError,)), Timeout(3.0))

        found = layers_of(policy, {"RETRY": {"ATTEMPTS": 2}})

        assert found == (Retry(2, on=(KeyError,)), Timeout(3.0))

    def test_a_layer_may_be_added_at_its_place(self) -> None:
        """A layer that the code does not have comes where its kind belongs."""
        policy = Policy("payments", Timeout(3.0))

        found = layers_of(policy, {"RETRY": {"ATTEMPTS": 2}, "DEADLINE": {"SECONDS": 9}})

        assert [type(layer).__name__ for layer in found] == ["Deadline", "Retry", "Timeout"]

    @pytest.mark.parametrize("off", ["OFF", "off", None])
    def test_a_layer_may_be_switched_off(self, off: object) -> None:
        """It is left out; the others stay."""
        policy = Policy("payments", Retry(5), Timeout(3.0))

        assert layers_of(policy, {"RETRY": off}) == (Timeout(3.0),)

    def test_nothing_said_of_a_layer_changes_nothing(self) -> None:
        """An empty mapping leaves functions of the code, which settings cannot hold, in place."""
        policy = Policy("payments", Fallback(len))

        assert layers_of(policy, {"FALLBACK": {}}) == (Fallback(len),)

    def test_values_among_the_options_are_chosen_by_kind(self) -> None:
        """A backoff or a rule is a mapping, whose kind may be left out where the code has a default."""
        policy = Policy("payments")

        found = layers_of(
            policy,
            {
                "RETRY": {"BACKOFF": {"BASE": 0.2}},
                "BREAKER": {
                    "RULE": {"KIND": "any_of", "RULES": [{"KIND": "consecutive", "FAILURES": 7}]}
                },
            },
        )

        assert found == (
            Retry(backoff=Exponential(base=0.2)),
            Breaker(rule=AnyOf(Consecutive(7))),
        )
        assert layers_of(policy, {"RETRY": {"BACKOFF": {"KIND": "constant"}}}) == (
            Retry(backoff=Constant()),
        )

    def test_every_mistake_is_told_at_once(self) -> None:
        """Each with its path and the nearest valid name, beside those of other settings."""
        wrong = {
            "RETRY": {"ATTEMPT": 2, "BACKOFF": {"KIND": "exponential", "BASIS": 1.0}},
            "BREKER": {},
            "TIMEOUT": {"SECONDS": "soon"},
        }

        found = told(wrong)

        assert found[".RETRY.ATTEMPT"] == ("is not an option", ".RETRY.ATTEMPTS")
        assert found[".RETRY.BACKOFF.BASIS"] == ("is not an option", ".RETRY.BACKOFF.BASE")
        assert found[".BREKER"][0].startswith("is no layer; there are ")
        assert found[".BREKER"][1] == ".BREAKER"
        assert found[".TIMEOUT.SECONDS"] == ("must be a finite number, not 'soon' (str)", "")
        with pytest.raises(SettingsError) as caught:
            load_settings(Settings, {"POLICIES": {"payments": wrong}, "SERVICE": 3})
        assert len(caught.value.problems) == 5

    def test_impossible_values_are_told_where_they_stand(self) -> None:
        """The layer says what is wrong; all values of it that are wrong are told."""
        found = told({"RETRY": {"ATTEMPTS": 0, "RETRY_AFTER_LIMIT": -1}, "TIMEOUT": {"SECONDS": 0}})

        assert list(found) == [
            ".RETRY.ATTEMPTS",
            ".RETRY.RETRY_AFTER_LIMIT",
            ".TIMEOUT.SECONDS",
        ]
        assert all(message.startswith("must be") for message, _ in found.values())

    def test_a_rule_between_options_is_left_to_the_code(self) -> None:
        """What the code has may make it right: it is judged when the policy is known."""
        layers = {"BREAKER": {"MAX_RECOVERY_TIMEOUT": 30}}

        found = layers_of(Policy("payments", Breaker(recovery_timeout=5)), layers)

        assert found == (Breaker(recovery_timeout=5, max_recovery_timeout=30),)
        with pytest.raises(ValueError, match="max_recovery_timeout must be"):
            layers_of(Policy("payments", Breaker(recovery_timeout=60)), layers)

    @pytest.mark.parametrize(
        ("layers", "path"),
        [
            ({"RETRY": {"ON": ["KeyError"]}}, ".RETRY.ON"),
            ({"FALLBACK": {"ALTERNATIVES": []}}, ".FALLBACK.ALTERNATIVES"),
        ],
    )
    def test_what_settings_cannot_hold_stays_the_codes(
        self, layers: Mapping[str, object], path: str
    ) -> None:
        """Functions and classes are refused, and it is said why."""
        assert told(layers) == {path: ("is the code's to say: settings cannot hold it", "")}

    @pytest.mark.parametrize("wrong", [3, "on", True, []])
    def test_a_layer_is_a_mapping_or_off(self, wrong: object) -> None:
        """Nothing else is taken."""
        assert told({"RETRY": wrong}) == {".RETRY": ("must be a mapping of options, or 'OFF'", "")}

    def test_a_kind_that_is_needed_is_asked_for(self) -> None:
        """Where nothing stands by default, somebody has to choose."""
        (message,) = told({"BREAKER": {"RULE": {"FAILURES": 3}}}).values()

        assert message[0].startswith("must be one of 'consecutive'")

    def test_every_rule_that_ships_can_be_chosen(self) -> None:
        """Wherever its class is."""
        (message,) = told({"BREAKER": {"RULE": {"KIND": "none of them"}}}).values()

        for kind in ("consecutive", "count_window", "time_window", "slow_rate", "any_of"):
            assert f"{kind!r}" in message[0]

    def test_every_option_of_every_layer_is_read_or_refused(self) -> None:
        """There is no list of options to forget one in."""
        for kind in ORDER:
            for option in options_of(kind):
                if hints_of(kind).get(option.name) is object:
                    continue  # takes anything
                layer = {option.name.upper(): object()}
                found = told({key_of(kind).upper(): layer})
                assert list(found) == [f".{key_of(kind).upper()}.{option.name.upper()}"]

    @given(
        st.dictionaries(
            st.sampled_from(["RETRY", "TIMEOUT", "BREAKER", "OTHER"]) | st.text(max_size=9),
            st.none()
            | st.text(max_size=9)
            | st.dictionaries(
                st.sampled_from(["ATTEMPTS", "SECONDS", "BACKOFF", "RULE"]) | st.text(max_size=9),
                st.none()
                | st.integers()
                | st.text(max_size=9)
                | st.dictionaries(st.text(), st.integers()),
            ),
        )
    )
    def test_junk_is_refused_or_makes_layers(self, junk: dict[str, Any]) -> None:
        """Whatever is written comes out as layers that can be made, or as one SettingsError."""
        try:
            found = settings_of("payments", junk).policies["payments"]
        except SettingsError:
            return
        else:
            assert all(fields(layer) for layer in tuned(Policy("payments", Timeout(1.0)), found))  # type: ignore[arg-type]  # a dataclass


class TestTheRuntime:
    def test_calls_are_made_as_the_settings_say(self, way: Way) -> None:
        """Two attempts and no more, on threads and on loops; of the decorated function too."""
        policy = Policy("payments", Retry(5))
        runtime = RecordingRuntime(settings_of("payments", {"RETRY": {"ATTEMPTS": 2}}))
        made: list[int] = []

        def fail() -> None:
            made.append(1)
            raise ServiceUnavailableError("no")

        with environment.activated(runtime):
            with pytest.raises(ServiceUnavailableError):
                way.call(policy, fail)
            with pytest.raises(ServiceUnavailableError):
                way.decorate(policy, fail)()

        assert len(made) == 4

    def test_equal_definitions_are_one_policy_although_tuned(self) -> None:
        """What is compared is what the code says, not what the settings made of it."""
        runtime = RecordingRuntime(settings_of("payments", {"RETRY": {"ATTEMPTS": 2}}))

        assert runtime.policies.of(Policy("payments", Retry(5))) is runtime.policies.of(
            Policy("payments", Retry(5))
        )
        with pytest.raises(ValueError, match="two policies are named 'payments'"):
            runtime.policies.of(Policy("payments", Retry(2)))

    def test_what_cannot_be_made_is_told_and_the_code_holds(self) -> None:
        """A time-out without seconds cannot be added: the call is made as the code has it."""
        policy = Policy("payments", Retry(2))
        runtime = RecordingRuntime(settings_of("payments", {"TIMEOUT": {}}))

        assert runtime.policies.of(policy).specs == (Retry(2),)
        assert runtime.recorded.names() == ["policies.tuning_failed"]
        (event,) = runtime.recorded.events
        assert event.attributes["policy"] == "payments"
        assert "Timeout cannot be made" in str(event.attributes["reason"])
        assert [line for line in runtime.policies.problems() if "payments" in line]

    def test_names_nobody_has_are_told_with_the_nearest(self) -> None:
        """Once all is imported it is known what exists."""
        policy = Policy("warehouse-orders", Retry(2))
        runtime = RecordingRuntime(settings_of("warehouse-order", {"RETRY": "OFF"}))

        assert runtime.policies.unnamed() == [
            f"POLICIES: no policy is named 'warehouse-order'; did you mean {policy.name!r}?"
        ]

    def test_two_definitions_of_a_name_are_told(self) -> None:
        """Which of them holds depends on who calls first, and the other fails."""
        first, second = Policy("twin", Retry(2)), Policy("twin", Retry(3))

        assert "two policies are named 'twin', with different layers" in (
            RecordingRuntime().policies.problems()
        )
        assert first != second

    def test_settings_in_lower_case_are_the_keywords_of_a_script(self) -> None:
        """`configure(policies=…)` writes names as Python does."""
        settings = load_settings(
            Settings, {"policies": {"payments": {"retry": {"attempts": 2}}}}, case="lower"
        )

        assert settings.policies == {"payments": Tuning({"Retry": {"attempts": 2}})}
