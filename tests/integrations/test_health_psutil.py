"""Memory by psutil: of the machine, and of this process."""

import pytest

from tests.integrations.conftest import need

need("psutil")

import psutil  # noqa: E402  # not before it is known to be there

from holdfast.health import HealthRegistry  # noqa: E402
from holdfast.integrations.psutil_health import (  # noqa: E402
    MachineMemoryCheck,
    ProcessMemoryCheck,
)


def status_of(check: MachineMemoryCheck | ProcessMemoryCheck) -> tuple[str, str]:
    """Run a check as probes do, and return what it said."""
    registry = HealthRegistry()
    registry.register_check("memory", check)
    result = registry.check("memory")
    return result.status.value, result.output


def test_the_memory_of_the_machine_passes_warns_and_fails() -> None:
    """By its limits: some of it is used, and not all."""
    share = psutil.virtual_memory().percent / 100

    assert status_of(MachineMemoryCheck(warn=1.0)) == ("pass", "")
    assert status_of(MachineMemoryCheck(warn=share / 10))[0] == "warn"
    assert status_of(MachineMemoryCheck(warn=None, fail=share / 10))[0] == "fail"


def test_the_memory_of_the_machine_says_how_much_it_is() -> None:
    """In the words of the check that needs no library."""
    details = MachineMemoryCheck(warn=1.0)()

    assert isinstance(details, dict)
    assert (details["of"], details["limit_mb"]) == (
        "machine",
        round(psutil.virtual_memory().total / 1e6),
    )


def test_the_memory_of_this_process_passes_warns_and_fails() -> None:
    """An interpreter with these tests takes more than a megabyte, and less than a hundred thousand."""
    assert status_of(ProcessMemoryCheck(warn_mb=100_000)) == ("pass", "")
    assert status_of(ProcessMemoryCheck(warn_mb=1, fail_mb=100_000))[0] == "warn"
    assert status_of(ProcessMemoryCheck(warn_mb=1, fail_mb=1))[0] == "fail"


@pytest.mark.parametrize(
    ("warn", "fail", "said"),
    [
        (None, None, "either warn_mb or fail_mb"),
        (0, None, "warn_mb must be above 0 megabytes, or None, not 0"),
        (None, -1, "fail_mb must be above 0"),
        (2, 1, "warn_mb must not be above fail_mb, not 2 with 1"),
    ],
)
def test_impossible_limits_of_a_process_are_refused(
    warn: float | None, fail: float | None, said: str
) -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match=said):
        ProcessMemoryCheck(warn_mb=warn, fail_mb=fail)


def test_impossible_limits_of_the_machine_are_refused() -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match="warn must be a share"):
        MachineMemoryCheck(warn=90)
