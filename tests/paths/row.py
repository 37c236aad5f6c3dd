"""One row of the matrix: an error that can happen somewhere, and what has to become of it.

`rows/` holds the rows by boundary, as data; the tests beside it raise every one for real, and
`docs/generated.py` makes a page of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What happens, where it is raised, and the one record it leaves."""

    key: str
    """Short name, unique within its table: also the name of the scenario that raises it."""
    event: str
    """What happens, as a reader of the documentation would say it."""
    hosts: tuple[str, ...]
    """In which real processes it is raised: `gunicorn`, `uvicorn`, `celery on Redis`, `script`, …"""
    seen_by: str
    """Which of our hooks sees it."""
    boundary: str = ""
    """`origin` of the record; empty when there is none."""
    code: str = ""
    """Code of its classification; empty when there is no record."""
    records: int = 1
    """1, or 0 for what is no error or truly cannot be seen."""
    why: str = ""
    """For a row without a record: the reason, and the nearest thing that shows it."""

    def __post_init__(self) -> None:
        if (self.records == 0) != bool(self.why):
            raise ValueError(f"row {self.key!r}: without a record it needs its reason, else none")
        if self.records and not (self.boundary and self.code):
            raise ValueError(f"row {self.key!r} needs the boundary and the code of its record")


def assert_captured(
    row: Row, records: Sequence[dict[str, object]], trace_id: str | None = None
) -> None:
    """Fail unless the records are what the row says: that many, from there, with that code and id."""
    told = [(record["origin"], record["code"]) for record in records]
    assert told == [(row.boundary, row.code)] * row.records, records
    for record in records:
        assert record["trace_id"], record
        if trace_id is not None:
            assert record["trace_id"] == trace_id, record
