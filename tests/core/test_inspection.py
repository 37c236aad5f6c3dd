"""What commands say of policies and circuits, and what they change; the same for both frameworks."""

from itertools import product

import pytest

from holdfast import CircuitOpenError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.chaos import Chaos
from holdfast.resilience.circuit.period import Override
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.inspection import AREAS, answer
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.runtime import Runtime
from holdfast.settings import Settings, load_settings
from holdfast.testing import RecordingRuntime

PAYMENTS = Policy("inspected payments", Retry(2), Breaker())
PLAIN = Policy("inspected plain", Retry(2))


def line_of(text: str, name: str) -> str:
    """Return the one line that begins with a name."""
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return " ".join(line.removeprefix(name).split())


def test_policies_are_listed_with_their_layers(runtime: RecordingRuntime) -> None:
    """Those switched off by the settings too."""
    runtime.policies.reload({PLAIN.name: {"RETRY": "OFF"}})

    told = answer(runtime.policies, "policies", "list")

    assert told.status == 0
    assert line_of(told.text, PAYMENTS.name) == "Retry, Breaker"
    assert line_of(told.text, PLAIN.name) == "Retry (off)"


def test_a_policy_that_refuses_to_be_made_does_not_hide_the_others() -> None:
    """What is wrong with it is said below the others, and the status tells."""
    policy = Policy("inspected chaos", Chaos())
    runtime = Runtime(Settings(reporters=()))

    for area in AREAS:
        told = answer(runtime.policies, area, "list")

        assert told.status == 1
        assert PAYMENTS.name in told.text
        assert f"policy {policy.name!r} has a layer Chaos" in told.text
    runtime.close()


def test_a_policy_that_is_thrown_away_meanwhile_is_passed_over(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being named and being asked about: there is nothing to be said of it."""
    names = runtime.policies.names()
    monkeypatch.setattr(runtime.policies, "names", lambda: [*names, "inspected and gone"])

    told = answer(runtime.policies, "policies", "list")

    assert told.status == 0
    assert "inspected and gone" not in told.text


def test_a_policy_is_shown_as_it_is_explained(runtime: RecordingRuntime) -> None:
    """And that the state is one process's is said."""
    told = answer(runtime.policies, "policies", "show", PAYMENTS.name)

    assert told.text.startswith(str(runtime.policies.explain(PAYMENTS.name)))
    assert "this command's process alone" in told.text


def test_breakers_are_listed_with_state_and_override(runtime: RecordingRuntime) -> None:
    """Policies without one are not."""
    runtime.policies.circuit(PAYMENTS.name).disable()

    told = answer(runtime.policies, "breakers", "list")

    assert line_of(told.text, PAYMENTS.name) == "closed disabled"
    assert PLAIN.name not in told.text
    assert "this command's process alone" in told.text


def test_a_breaker_is_shown_with_all_that_it_counts(runtime: RecordingRuntime) -> None:
    """Its state, why, and what happened lately."""
    told = answer(runtime.policies, "breakers", "show", PAYMENTS.name)

    assert line_of(told.text, "state") == "closed"
    assert line_of(told.text, "totals.success") == "0"


def test_forcing_open_says_whom_it_reaches(runtime: RecordingRuntime) -> None:
    """This process, which ends: nothing is pretended."""
    told = answer(runtime.policies, "breakers", "force-open", PAYMENTS.name)

    assert runtime.policies.circuit(PAYMENTS.name).override is Override.FORCED_OPEN
    with pytest.raises(CircuitOpenError):
        PAYMENTS.call(len, "881")
    assert told.status == 0
    assert "No other process hears of it" in told.text


def test_a_reset_undoes_it(runtime: RecordingRuntime) -> None:
    """Within one process, such as a test's."""
    answer(runtime.policies, "breakers", "force-open", PAYMENTS.name)

    told = answer(runtime.policies, "breakers", "reset", PAYMENTS.name)

    assert told.status == 0
    assert PAYMENTS.call(len, "881") == 3


@pytest.mark.parametrize(
    ("area", "action", "name", "said"),
    [
        ("policies", "show", "", "say of which: "),
        ("breakers", "reset", "", "say of which: "),
        ("policies", "list", "payments", "takes no name"),
        ("policies", "show", "inspected payment", "did you mean 'inspected payments'?"),
        ("breakers", "show", PLAIN.name, "no Breaker is among its layers"),
        ("breakers", "force-open", PLAIN.name, "no Breaker is among its layers"),
    ],
)
def test_what_cannot_be_done_is_said(
    runtime: RecordingRuntime, area: str, action: str, name: str, said: str
) -> None:
    """With a status that tells scripts."""
    told = answer(runtime.policies, area, action, name)

    assert told.status == 1
    assert said in told.text


def test_the_check_names_what_does_not_go_together() -> None:
    """A name that nobody has, and a layer that cannot be made; without them it says so."""
    told = load_settings(
        Settings,
        {"POLICIES": {"inspected plane": {"RETRY": "OFF"}, PLAIN.name: {"TIMEOUT": {}}}},
    )

    found = answer(RecordingRuntime(told).policies, "policies", "check")

    assert found.status == 1
    assert (
        f"POLICIES: no policy is named 'inspected plane'; did you mean {PLAIN.name!r}?"
        in found.text
    )
    assert f"policy {PLAIN.name!r}: Timeout cannot be made" in found.text


def test_every_action_answers(runtime: RecordingRuntime) -> None:
    """None that a command offers is missing, with a name and without."""
    for area, actions in AREAS.items():
        for action, name in product(actions, ("", PAYMENTS.name)):
            assert answer(runtime.policies, area, action, name).text


def test_what_is_shown_of_a_policy_holds_no_secret(runtime: RecordingRuntime) -> None:
    """An answer in the place of a call may be anything, such as a connection string."""
    guess = {"token": "s3cr3t-value", "url": "postgres://shop:s3cr3t-word@db/shop"}
    policy = Policy("inspected secret", Fallback(value=guess))

    shown = answer(runtime.policies, "policies", "show", policy.name).text

    assert "s3cr3t" not in shown
    assert "'token': '[redacted]'" in shown


def test_options_that_the_code_leaves_out_are_told_as_defaults(runtime: RecordingRuntime) -> None:
    """Those of a class with a constructor of its own too."""
    policy = Policy("inspected fallback", Fallback(len))

    (layer,) = runtime.policies.explain(policy.name).layers

    assert [(each.name, each.source) for each in layer.options] == [
        ("alternatives", "code"),
        ("by_key", "default"),
        ("key", "default"),
        ("value", "default"),
        ("on", "default"),
    ]
    assert layer.options[3].value == "not given"
