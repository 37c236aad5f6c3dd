"""Every error of a plain Python process, raised for real: one record each."""

from pathlib import Path

import pytest

from tests.paths.python_runs import ran, run
from tests.paths.python_script.__main__ import MODULES
from tests.paths.python_script.kinds import SCENARIOS
from tests.paths.row import Row, assert_captured
from tests.paths.rows.python_rows import ENDS, ROWS

AGAIN = [row for row in ENDS if row.records]
ONCE = [row for row in ROWS if row not in AGAIN]


@pytest.mark.parametrize("row", ONCE, ids=lambda row: str(row.key))
def test_an_error_of_a_process_is_captured_once(row: Row) -> None:
    """Each leaves its one record, with the id of the work it was of, or none for a reason."""
    done = ran(row.key)

    assert_captured(row, done.records, f"row-{row.key}")
    assert "holdfast: " not in done.errors


@pytest.mark.parametrize("row", AGAIN, ids=lambda row: str(row.key))
def test_a_fatal_signal_is_captured_at_the_next_start(row: Row, tmp_path: Path) -> None:
    """What Python wrote as it died becomes one record, with the signal and where it came."""
    crashed = run(row.key, tmp_path)
    again, third = run("restart", tmp_path), run("restart", tmp_path)

    assert crashed.status < 0
    assert crashed.records == ()
    assert_captured(row, again.records)
    assert third.records == again.records


def test_every_scenario_has_a_row() -> None:
    """None is forgotten in the table."""
    modules = {module.__name__ for module in MODULES}

    assert {scenario.run.__module__ for scenario in SCENARIOS.values()} == modules
    assert set(SCENARIOS) == {row.key for row in ROWS} | {"restart"}
