"""Reporters that fail or hang change nothing for the caller."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask

from holdfast import Event
from holdfast_flask import Holdfast, runtime_of
from tests.flask_ext.bodies import about


class RaisingReporter:
    """Fails at everything."""

    name = "raising"

    def report(self, event: Event) -> None:
        """Fail."""
        raise ConnectionError("collector is down")


class HangingReporter:
    """Hangs until it is let go, at most half a minute."""

    name = "hanging"

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def report(self, event: Event) -> None:
        """Hang."""
        self.entered.set()
        self.released.wait(30)


@pytest.fixture
def hanging() -> Iterator[HangingReporter]:
    """A reporter that hangs until the test is over."""
    reporter = HangingReporter()
    yield reporter
    reporter.released.set()


def connected(reporter: RaisingReporter | HangingReporter, queue_size: int) -> Flask:
    """Make an application with one reporter, behind a queue as in production."""
    app = Flask("reporting")
    app.config["HOLDFAST_REPORTERS"] = []
    app.config["HOLDFAST_REPORTING"] = {"QUEUE_SIZE": queue_size, "FLUSH_TIMEOUT": 0.1}
    Holdfast(app, reporters=[reporter])

    @app.get("/")
    def view() -> str:
        raise ValueError("reported")

    return app


def test_a_reporter_that_raises_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is as ever, and each loss is counted."""
    app = connected(RaisingReporter(), queue_size=10)
    client = app.test_client()

    answers = [client.get("/") for _ in range(3)]
    runtime_of(app).dispatcher.flush(5)

    assert [about(answer)["code"] for answer in answers] == ["INTERNAL_ERROR"] * 3
    (delivery,) = runtime_of(app).dispatcher.deliveries()
    assert (delivery.delivered, delivery.failed) == (0, 3)
    assert "collector is down" not in capsys.readouterr().err


def test_a_reporter_that_hangs_holds_nobody_up(hanging: HangingReporter) -> None:
    """Requests are answered while it hangs; what its queue cannot take is counted."""
    app = connected(hanging, queue_size=2)
    client = app.test_client()

    answers = [client.get("/")]
    assert hanging.entered.wait(5)
    answers += [client.get("/") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {500}
    assert not hanging.released.is_set()
    (delivery,) = runtime_of(app).dispatcher.deliveries()
    assert (delivery.waiting, delivery.dropped) == (2, 3)
