"""Every part of the error system in one small program: the analysis of a few recordings.

python examples/error_system_example.py

It needs nothing but holdfast itself: no framework, no server, no network.
"""

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from holdfast import (
    AppError,
    CodeSpec,
    ErrorCode,
    ErrorCodes,
    ErrorKind,
    Origin,
    current_runtime,
    determine_http_status,
    enhanced_error_handling,
    error_boundary,
    health_check,
    init_error_system,
    retry_with_circuit_breaker,
    transaction_boundary,
    with_circuit_breaker,
)
from holdfast.reporting.alerts.message import AlertMessage

# ------------------------------------------------------------------------------------------------
# Codes of one's own: what each means is said here, and nowhere else.


class AnalysisCode(ErrorCodes):
    """What can go wrong with an analysis."""

    ANALYSIS_PROCESSING_ERROR = CodeSpec(ErrorKind.INTERNAL, "The analysis failed")
    ANALYSIS_DATA_ERROR = CodeSpec(ErrorKind.UNPROCESSABLE, "The data cannot be analysed")


# ------------------------------------------------------------------------------------------------
# Functions that may fail.


@enhanced_error_handling(error_code=AnalysisCode.ANALYSIS_PROCESSING_ERROR)
def process_data(data: dict[str, int]) -> float:
    """Divide; whatever goes wrong comes out as an error with our code."""
    return data["frames"] / data["seconds"]


class TranscriptionService:
    """An external service that is away, and counts who asked."""

    def __init__(self) -> None:
        self.asked = 0

    def transcribe(self, recording: str) -> str:
        """Fail."""
        self.asked += 1
        raise ConnectionError(f"no route to the transcription of {recording}")


service = TranscriptionService()


@with_circuit_breaker(name="external-api")
def call_api(recording: str) -> str:
    """Ask the service, unless it has failed too often just now."""
    return service.transcribe(recording)


_saves = count(1)


@retry_with_circuit_breaker(name="database", max_retries=3)
def save_to_database(data: dict[str, float]) -> str:
    """Save; the database is busy twice, and then it is not."""
    attempt = next(_saves)
    if attempt < 3:
        raise ConnectionError("the database is busy")
    return f"saved {len(data)} result at attempt {attempt}"


# ------------------------------------------------------------------------------------------------
# What is done with them.


def connect() -> None:
    """Find no database."""
    raise AppError(
        ErrorCode.DB_CONNECTION_ERROR,
        "Cannot reach the database",
        details={"host": "localhost", "port": 5432},
    )


def standardised_errors() -> Iterator[str]:
    """Raise an error with a code and details; what a caller would see of it comes from the code."""
    try:
        connect()
    except AppError as error:
        yield f"{error.code}: {error.message} {error.details}, HTTP {determine_http_status(error)}"


def protected_function() -> Iterator[str]:
    """Call what is decorated, well and badly."""
    yield f"{process_data({'frames': 250, 'seconds': 10}):g} frames a second"
    try:
        process_data({"frames": 250, "seconds": 0})
    except AppError as error:
        yield f"{error.code}, because of {error.__cause__!r}"


def circuit_breaker() -> Iterator[str]:
    """Call a service that is away, until the circuit opens and spares it."""
    for number in range(1, 9):
        try:
            call_api("interview.wav")
        except AppError as refused:
            yield f"call {number} refused: {refused.code}, HTTP {determine_http_status(refused)}"
        except ConnectionError:
            continue
    yield f"8 calls, and the service was asked {service.asked} times"


def retries() -> Iterator[str]:
    """Save where that fails twice."""
    yield save_to_database({"loudness": 0.7})


def commit() -> None:
    """Get no answer."""
    raise TimeoutError("the database did not answer")


def boundaries() -> Iterator[str]:
    """Keep an error within a block, and undo what a block had begun."""
    runtime = current_runtime()
    with error_boundary(
        "processing-batch", error_code=AnalysisCode.ANALYSIS_DATA_ERROR, reraise=False
    ) as batch:
        raise ValueError("recording 7 has no sound")
    assert isinstance(batch.error, AppError)  # noqa: S101  # what the block left behind
    yield f"the batch went on after {batch.error.code}"

    undone: list[BaseException] = []
    transaction = transaction_boundary("db-transaction", on_error_callback=undone.append)
    try:
        with transaction as tx:
            tx["data"]["progress"] = 50
            commit()
    except TimeoutError as error:
        runtime.handle(error, Origin(boundary="script", operation="save"))
        yield f"undone by {len(undone)} callback, and handled: {error}"


def health() -> Iterator[str]:
    """Ask two parts how they are; one that is not critical only warns."""
    health_check.register_check("storage", lambda: {"free": Path.cwd().exists()})
    health_check.register_check("transcription", lambda: service.asked == 0, critical=False)
    for name, result in health_check.run_all_checks().items():
        yield f"{name}: {result.status}"
    yield f"all together: {health_check.get_health_status().status}"


def statistics() -> Iterator[str]:
    """Look at what was handled so far."""
    seen = current_runtime().statistics.snapshot()
    yield f"{seen.total_errors} errors handled"
    yield from (f"{code}: {tally.total}" for code, tally in sorted(seen.by_code.items()))


# ------------------------------------------------------------------------------------------------
# Alerts: who is told of what is settings, and this is the action that they name.

messages: list[AlertMessage] = []


def notify(message: AlertMessage) -> None:
    """Keep what an on-call person would be told; called on a thread of its own."""
    messages.append(message)


ALERTS = {
    "rules": {
        "timeouts": {"where": {"kind": "TIMED_OUT"}, "action": f"{__name__}:notify"},
        "circuits": {"on": "circuit.opened", "by": "none", "action": f"{__name__}:notify"},
    }
}


def alerts() -> Iterator[str]:
    """Wait until all messages are sent, and show them."""
    current_runtime().flush()
    yield from sorted(f"{message.stage}: {message.title}" for message in messages)


PARTS = (
    standardised_errors,
    protected_function,
    circuit_breaker,
    retries,
    boundaries,
    health,
    statistics,
    alerts,
)


def main() -> None:
    """Begin, show every part, and leave the process as it was."""
    logging.getLogger("holdfast").setLevel(logging.CRITICAL)  # what is shown is what is printed
    runtime = init_error_system(service="analysis", reporters=(), alerts=ALERTS)
    try:
        for part in PARTS:
            print(f"\n{part.__name__.replace('_', ' ')}")
            for line in part():
                print(f"  {line}")
    finally:
        runtime.uninstall()


if __name__ == "__main__":
    main()
