"""`flask holdfast policies` and `breakers`, and what `check` says of their settings."""

import pytest

from holdfast.resilience import policy
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from tests.flask_ext.conftest import MakeApp

ORDERS = Policy("order-service", Retry(2), Breaker())


@pytest.fixture(autouse=True)
def _as_defined(_no_policies_of_others: None) -> None:
    """Know of the policy that these tests are about."""
    policy._declared[id(ORDERS)] = ORDERS


def test_policies_are_listed(make_app: MakeApp) -> None:
    """Those that the application's modules define; nothing else is imported."""
    runner = make_app().test_cli_runner()

    result = runner.invoke(args=["holdfast", "policies"])

    assert result.exit_code == 0
    (line,) = [line for line in result.output.splitlines() if line.startswith(ORDERS.name)]
    assert line.split() == [ORDERS.name, "Retry,", "Breaker"]


def test_a_policy_is_explained_with_the_settings(make_app: MakeApp) -> None:
    """Keys are in upper case, names as written."""
    app = make_app(HOLDFAST_POLICIES={ORDERS.name: {"RETRY": {"ATTEMPTS": 9}}})

    result = app.test_cli_runner().invoke(args=["holdfast", "policies", "show", ORDERS.name])

    assert result.exit_code == 0
    assert "attempts = 9 (settings)" in result.output


def test_breakers_are_forced_open_in_this_process(make_app: MakeApp) -> None:
    """And it is said that no other hears of it."""
    runner = make_app().test_cli_runner()

    forced = runner.invoke(args=["holdfast", "breakers", "force-open", ORDERS.name])
    listed = runner.invoke(args=["holdfast", "breakers"])
    runner.invoke(args=["holdfast", "breakers", "reset", ORDERS.name])
    shown = runner.invoke(args=["holdfast", "breakers", "show", ORDERS.name])

    assert "No other process hears of it" in forced.output
    assert "forced-open" in listed.output
    assert "forced-open" not in shown.output
    assert [each.exit_code for each in (forced, listed, shown)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("policies", "show", "order-servise"), 1, "did you mean 'order-service'"),
        (("breakers", "reset"), 1, "say of which"),
        (("breakers", "dance"), 2, "'dance' is not one of"),
    ],
)
def test_what_cannot_be_done_fails(
    make_app: MakeApp, words: tuple[str, ...], status: int, why: str
) -> None:
    """With what to write instead."""
    result = make_app().test_cli_runner().invoke(args=["holdfast", *words])

    assert result.exit_code == status
    assert why in result.output


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ({"order-servise": {"RETRY": "OFF"}}, "did you mean 'order-service'?"),
        ({ORDERS.name: {"TIMEOUT": {}}}, "Timeout cannot be made"),
    ],
)
def test_the_check_names_settings_that_fit_no_policy(
    make_app: MakeApp, policies: dict[str, object], why: str
) -> None:
    """Before anything is called."""
    result = (
        make_app(HOLDFAST_POLICIES=policies).test_cli_runner().invoke(args=["holdfast", "check"])
    )

    assert result.exit_code == 1
    assert why in result.output


def test_each_application_has_policies_of_its_own(make_app: MakeApp) -> None:
    """What one forces open, another does not know."""
    first, second = make_app().test_cli_runner(), make_app().test_cli_runner()

    first.invoke(args=["holdfast", "breakers", "force-open", ORDERS.name])

    assert "forced-open" not in second.invoke(args=["holdfast", "breakers"]).output
