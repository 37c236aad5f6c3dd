"""`manage.py holdfast`: policies and circuits of the project, and checks of their settings."""

from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command, execute_from_command_line
from django.core.management.base import CommandError
from django.test import override_settings

from holdfast import CircuitOpenError
from holdfast.resilience import policy
from holdfast.resilience.circuit.period import Override
from holdfast_django import current
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.policies import PAYMENTS


@pytest.fixture(autouse=True)
def _as_defined(_no_policies_of_others: None) -> None:
    """Know of the policy that these tests are about."""
    policy._declared[id(PAYMENTS)] = PAYMENTS


def said(*words: str) -> str:
    """Return what a command writes."""
    out = StringIO()
    call_command("holdfast", *words, stdout=out)
    return out.getvalue()


def test_policies_of_all_apps_are_listed(project: RecordingProject) -> None:
    """Modules `policies` of apps are imported before, and what the addresses import."""
    (line,) = [line for line in said("policies").splitlines() if line.startswith(PAYMENTS.name)]

    assert line.split() == [PAYMENTS.name, "Retry,", "Breaker"]
    assert said("policies") == said("policies", "list")


def test_a_policy_is_explained(project: RecordingProject) -> None:
    """With where each option comes from."""
    shown = said("policies", "show", PAYMENTS.name)

    assert "    attempts = 2 (code)" in shown
    assert "this command's process alone" in shown


def test_breakers_are_listed_shown_forced_and_reset(project: RecordingProject) -> None:
    """In the command's process, and it is said that no other hears of it."""
    circuit = current.project_runtime().policies.circuit(PAYMENTS.name)

    assert PAYMENTS.name in said("breakers")
    assert "No other process hears of it" in said("breakers", "force-open", PAYMENTS.name)
    assert circuit.override is Override.FORCED_OPEN
    assert "forced-open" in said("breakers", "show", PAYMENTS.name)
    said("breakers", "reset", PAYMENTS.name)
    assert circuit.override is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("policies", "show", "payment-gatewai"), "did you mean 'payment-gateway'"),
        (("policies", "show"), "say of which"),
        (("policies", "dance"), "invalid choice"),
        ((), "policies|breakers"),
    ],
)
def test_what_cannot_be_done_fails(
    project: RecordingProject, words: tuple[str, ...], why: str
) -> None:
    """With what to write instead."""
    with pytest.raises(CommandError, match=why.replace("|", r"\|")):
        said(*words)


def test_what_cannot_be_done_is_an_answer_and_no_error_of_the_project(
    project: RecordingProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who typed it reads so; nobody is alerted."""
    with pytest.raises(SystemExit) as left:
        execute_from_command_line(["manage.py", "holdfast", "policies", "show", "no such"])

    assert left.value.code == 1
    assert "there is no policy 'no such'" in capsys.readouterr().err
    assert project.recorded.records == []


def test_settings_tune_the_policies_of_the_project(project: RecordingProject) -> None:
    """Keys are in upper case, names as written."""
    tuned = {PAYMENTS.name: {"RETRY": {"ATTEMPTS": 9}}}
    with override_settings(HOLDFAST={"REPORTERS": [], "POLICIES": tuned}):
        assert "attempts = 9 (settings)" in said("policies", "show", PAYMENTS.name)


@pytest.mark.parametrize(
    ("policies", "ids", "why"),
    [
        (
            {"payment-gatewai": {"RETRY": "OFF"}},
            ["holdfast.W012"],
            "did you mean 'payment-gateway'?",
        ),
        ({PAYMENTS.name: {"TIMEOUT": {}}}, ["holdfast.E003"], "Timeout cannot be made"),
        ({PAYMENTS.name: {"RETRY": "OFF"}}, [], ""),
    ],
)
def test_checks_tell_of_settings_that_fit_no_policy(
    project: RecordingProject, policies: dict[str, object], ids: list[str], why: str
) -> None:
    """Before anything is called."""
    with override_settings(HOLDFAST={"REPORTERS": [], "POLICIES": policies}):
        found = [m for m in run_checks() if (m.id or "") in {"holdfast.W012", "holdfast.E003"}]

    assert [message.id for message in found] == ids
    assert all(why in message.msg for message in found)


def test_the_project_may_reload_without_a_command(project: RecordingProject) -> None:
    """New options are a mapping; the policy takes them at its next call."""
    policies = current.project_runtime().policies
    policies.reload({PAYMENTS.name: {"RETRY": "OFF"}})

    assert [layer.kind for layer in policies.explain(PAYMENTS.name).layers] == ["Breaker"]
    policies.circuit(PAYMENTS.name).force_open()
    with pytest.raises(CircuitOpenError):
        policies.circuit(PAYMENTS.name).acquire()
