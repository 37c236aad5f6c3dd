"""The example of the whole error system runs, and so does each part as its users first saw it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples import error_system_example as example
from holdfast import AppError, ErrorCode, environment, health_check
from holdfast.testing import RecordingRuntime

ROOT = Path(__file__).parents[2]

# As those who ask for this system wrote them; nothing but the lines of the imports is changed.
SNIPPETS = {
    "initialise": """
from holdfast import init_error_system

# Au démarrage de l'application
init_error_system()
""",
    "raise": """
from holdfast import AppError, ErrorCode

# Lever une exception standardisée
raise AppError(
    ErrorCode.DB_CONNECTION_ERROR,
    "Impossible de se connecter à la base de données",
    details={"host": "localhost", "port": 5432}
)
""",
    "protect": """
from holdfast import enhanced_error_handling
from examples.error_system_example import AnalysisCode as ErrorCode

@enhanced_error_handling(error_code=ErrorCode.ANALYSIS_PROCESSING_ERROR)
def process_data(data):
    # Traitement qui peut échouer
    pass
""",
    "circuit": """
from holdfast import with_circuit_breaker

@with_circuit_breaker(name="external-api")
def call_api():
    # Appel à un service externe
    pass
""",
    "retry": """
from holdfast import retry_with_circuit_breaker

@retry_with_circuit_breaker(name="database", max_retries=3)
def save_to_database(data):
    # Opération qui peut échouer temporairement
    pass
""",
    "boundary": """
from holdfast import error_boundary
from examples.error_system_example import AnalysisCode as ErrorCode

with error_boundary("processing-batch", error_code=ErrorCode.ANALYSIS_DATA_ERROR):
    # Code qui peut échouer
    pass
""",
    "transaction": """
from holdfast import transaction_boundary

def rollback_function(error):
    # Logique de rollback
    pass

with transaction_boundary("db-transaction", on_error_callback=rollback_function) as tx:
    # Opérations atomiques
    tx['data']['progress'] = 50  # Stockage de l'état
""",
    "health": """
from holdfast import health_check

# Enregistrer une vérification personnalisée
health_check.register_check("custom-service", lambda: check_service_status())

# Exécuter toutes les vérifications
results = health_check.run_all_checks()

# Obtenir le statut de santé global
status = health_check.get_health_status()
""",
}


@pytest.fixture
def runtime() -> Iterator[RecordingRuntime]:
    """Give a runtime that is current."""
    with environment.activated(made := RecordingRuntime()):
        yield made


def run(name: str, **known: object) -> dict[str, Any]:
    """Run a snippet and return its names."""
    names: dict[str, Any] = {"__name__": "snippet", **known}
    exec(compile(SNIPPETS[name], f"<{name}>", "exec"), names)  # noqa: S102  # written above
    return names


def test_the_example_runs_and_shows_every_part() -> None:
    """The script ends well and prints what each part is there for."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "error_system_example.py")],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for part in example.PARTS:
        assert f"\n{part.__name__.replace('_', ' ')}\n  " in done.stdout
    for line in (
        "DB_CONNECTION_ERROR: Cannot reach the database {'host': 'localhost', 'port': 5432}, HTTP 503",
        "ANALYSIS_PROCESSING_ERROR, because of ZeroDivisionError('division by zero')",
        "8 calls, and the service was asked 5 times",
        "saved 1 result at attempt 3",
        "undone by 1 callback, and handled: the database did not answer",
        "all together: warn",
        "2 errors handled",
        "opened: circuits",
        "opened: timeouts: DEADLINE_EXCEEDED",
    ):
        assert f"  {line}\n" in done.stdout


def test_the_system_is_initialised_by_one_call() -> None:
    """Without any settings, in a process of its own; a second call does no harm."""
    twice = SNIPPETS["initialise"] * 2
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", twice], check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_standardised_error_carries_what_it_was_raised_with() -> None:
    """Code, message and details are those given."""
    with pytest.raises(AppError, match="Impossible de se connecter") as raised:
        run("raise")

    assert raised.value.code == ErrorCode.DB_CONNECTION_ERROR
    assert raised.value.details == {"host": "localhost", "port": 5432}


@pytest.mark.parametrize("name", ["protect", "circuit", "retry"])
def test_decorated_functions_do_what_they_did(name: str, runtime: RecordingRuntime) -> None:
    """Their names stay, and a call that succeeds returns what the function returns."""
    names = run(name)
    (function,) = (
        names[each] for each in ("process_data", "call_api", "save_to_database") if each in names
    )
    arguments = () if name == "circuit" else ({"frames": 250},)

    assert function.__module__ == "snippet"
    assert function(*arguments) is None


def test_the_database_circuit_is_there_by_its_name(runtime: RecordingRuntime) -> None:
    """What the decorators name can be looked at."""
    run("circuit")["call_api"]()
    run("retry")["save_to_database"]({})

    assert runtime.policies.circuit("external-api").state == "closed"
    assert runtime.policies.circuit("database").state == "closed"


@pytest.mark.parametrize("name", ["boundary", "transaction"])
def test_blocks_that_succeed_go_through(name: str, runtime: RecordingRuntime) -> None:
    """Nothing is raised, and nothing is reported."""
    names = run(name)

    assert runtime.recorded.records == []
    assert name != "transaction" or names["tx"]["data"] == {"progress": 50}


@pytest.mark.parametrize(("said", "status"), [(True, "pass"), (False, "fail")])
def test_a_check_of_ones_own_decides_about_the_whole(
    said: bool,  # noqa: FBT001  # what the check says
    status: str,
    runtime: RecordingRuntime,
) -> None:
    """A check that is registered is asked, and counts."""
    names = run("health", check_service_status=lambda: said)

    assert names["results"]["custom-service"].status == status
    assert names["status"].status == status
    assert health_check.get_health_status().status == status
