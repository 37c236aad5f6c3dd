"""Numbers of policies at `/metrics`: read when it is scraped, of few labels whatever policies are called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integrations.conftest import need

need("prometheus_client")

from prometheus_client import CollectorRegistry  # noqa: E402  # not before it is known to be there
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from holdfast import CircuitOpenError, ServiceUnavailableError, environment  # noqa: E402
from holdfast.integrations.prometheus import MAX_POLICIES, PrometheusReporter, exposition  # noqa: E402
from holdfast.resilience.breaking import Breaker  # noqa: E402
from holdfast.resilience.bulkhead import Bulkhead  # noqa: E402
from holdfast.resilience.policy import Policy  # noqa: E402
from holdfast.resilience.retry import Retry  # noqa: E402
from holdfast.testing import RecordingRuntime, fail_times  # noqa: E402

SOURCE = Path(__file__).parents[2] / "packages" / "core" / "src"
Samples = dict[tuple[str, ...], float]


def samples(body: bytes) -> Samples:
    """Return the samples of policies, by name and labels but the service."""
    return {
        (
            sample.name,
            *(value for label, value in sorted(sample.labels.items()) if label != "service"),
        ): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if "policy" in sample.labels and not sample.name.endswith("_created")
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's."""
    return CollectorRegistry()


def test_a_scrape_shows_what_circuits_did(registry: CollectorRegistry) -> None:
    """Calls by outcome, the state, retries, the budget and the bulkhead, each scrape anew."""
    runtime = RecordingRuntime()
    reporter = PrometheusReporter(runtime, registry=registry)
    policy = Policy("stock", Retry(2), Breaker(failure_threshold=2), Bulkhead(3))
    with environment.activated(runtime):
        policy.call(len, "881")
        before = samples(exposition(registry))
        with fail_times(2, ServiceUnavailableError, policy="stock"):
            with pytest.raises(ServiceUnavailableError):
                policy.call(len, "881")
            with pytest.raises(CircuitOpenError):
                policy.call(len, "881")
        found = samples(exposition(registry))

    calls = "holdfast_calls_total"
    assert before[calls, "success", "stock"] == found[calls, "success", "stock"] == 1
    assert before[calls, "failure", "stock"] == 0
    assert found[calls, "failure", "stock"] == 2
    assert found[calls, "rejected", "stock"] == 1
    assert before["holdfast_circuit_state", "stock", "closed"] == 1
    assert found["holdfast_circuit_state", "stock", "closed"] == 0
    assert found["holdfast_circuit_state", "stock", "open"] == 1
    assert found["holdfast_retries_total", "stock"] == 1
    assert found["holdfast_bulkhead_calls", "stock", "in_progress"] == 0
    assert 0 < found["holdfast_retry_budget", "stock"] < 50
    reporter.close()


def test_counters_go_on_when_a_circuit_is_reset(registry: CollectorRegistry) -> None:
    """What it counted before stays counted."""
    runtime, policy = RecordingRuntime(), Policy("stock", Breaker())
    reporter = PrometheusReporter(runtime, registry=registry)
    with environment.activated(runtime):
        for _ in range(3):
            policy.call(len, "881")
        exposition(registry)
        runtime.policies.circuit("stock").reset()
        policy.call(len, "881")

    assert samples(exposition(registry))["holdfast_calls_total", "success", "stock"] == 4
    reporter.close()


def test_policies_beyond_the_bound_are_one(registry: CollectorRegistry) -> None:
    """However many a process makes."""
    runtime = RecordingRuntime()
    reporter = PrometheusReporter(runtime, registry=registry)
    policies = [Policy(f"shard-{number}", Breaker()) for number in range(MAX_POLICIES + 5)]
    with environment.activated(runtime):
        for policy in policies:
            policy.call(len, "881")

    found = samples(exposition(registry))

    told = {labels[2] for labels in found if labels[0] == "holdfast_calls_total"}
    assert len(told) == MAX_POLICIES + 1
    assert found["holdfast_calls_total", "success", "other"] == 5
    reporter.close()


WORKERS = """
import os
from holdfast import ServiceUnavailableError
from holdfast.integrations.prometheus import exposition
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.runtime import Runtime
from holdfast.settings import Settings

runtime = Runtime(Settings(reporters=("prometheus",))).install()
policy = Policy("stock", Breaker(failure_threshold=1))

def fail():
    raise ServiceUnavailableError("down")

policy.call(len, "881")
told, telling = os.pipe()
waiting, release = os.pipe()
child = os.fork()
if not child:
    policy.call(len, "881")
    try:
        policy.call(fail)
    except ServiceUnavailableError:
        pass
    runtime.dispatcher.flush(5)
    exposition()
    os.write(telling, b"x")
    os.read(waiting, 1)
    os._exit(0)
os.read(told, 1)
print(exposition().decode())
os.write(release, b"x")
os.waitpid(child, 0)
runtime.uninstall()
runtime.close()
"""


def test_workers_add_up(tmp_path: Path) -> None:
    """Calls of all of them are one number, and the state says in how many a circuit is open."""
    done = subprocess.run(
        [sys.executable, "-c", WORKERS],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    found = samples(done.stdout.encode())
    assert found, done.stderr
    assert found["holdfast_calls_total", "success", "stock"] == 2
    assert found["holdfast_calls_total", "failure", "stock"] == 1
    assert found["holdfast_circuit_state", "stock", "closed"] == 1
    assert found["holdfast_circuit_state", "stock", "open"] == 1
