"""After the walk: wrong statistics and wrong alerts are noticed."""

from dataclasses import replace

import pytest

from examples.walk import alerts, statistics
from examples.walk.alerts import ALERTS, Told
from examples.walk.answers import ask
from examples.walk.processes import Server
from examples.walk.statistics import Counted

METRICS = """\
holdfast_errors_total{boundary="django.request",code="TOKEN_EXPIRED",service="shop"} 2.0
holdfast_errors_total{boundary="celery.task",code="TOKEN_EXPIRED",service="shop"} 1.0
holdfast_errors_total{boundary="django.request",code="INTERNAL_ERROR",service="shop"} 1.0
holdfast_requests_total{service="shop"} 9.0
"""
RIGHT = Counted(10, 4, 0, {"TOKEN_EXPIRED": 3, "INTERNAL_ERROR": 1}, 0.4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(RIGHT, requests=9), "statistics, requests: expected 10, got 9"),
        (replace(RIGHT, errors=5), "statistics, errors: expected 4, got 5"),
        (
            replace(RIGHT, by_code={"TOKEN_EXPIRED": 4}),
            f"statistics, by code: expected {RIGHT.by_code}, got {{'TOKEN_EXPIRED': 4}}",
        ),
    ],
)
def test_statistics_that_differ_from_the_metrics_are_noticed(wrong: Counted, said: str) -> None:
    """Requests, errors and errors by code are compared."""
    assert [*statistics.objections(wrong, METRICS)] == [said]
    assert [*statistics.objections(RIGHT, METRICS)] == []


def test_a_shops_statistics_are_those_of_its_metrics(shop: Server) -> None:
    """Having raised something, every server says the same in both."""
    ask(shop, "GET", "/errors/workflow")

    metrics = ask(shop, "GET", "/metrics").text
    counted = statistics.read(shop)

    assert [*statistics.objections(counted, metrics)] == []
    assert counted.errors > 0
    assert 0 < counted.error_rate < 1


TOLD = [
    Told(rule="payments", key="", stage="opened", count=3),
    Told(rule="bug", key="INTERNAL_ERROR", stage="opened", count=1),
    Told(rule="bug", key="INTERNAL_ERROR", stage="continues", count=1),
    Told(rule="deployment", key="SERVICE_UNAVAILABLE", stage="opened", count=1),
    Told(rule="monitor", key="payment-gateway", stage="opened", count=2),
    Told(rule="monitor", key="payment-gateway", stage="recovered", count=0),
    Told(rule="deployment", key="SERVICE_UNAVAILABLE", stage="recovered", count=0),
]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (TOLD[1:], "alert payments: expected ['opened'], got []"),
        (TOLD[1:], "alert payments: expected 3 errors, got 0"),
        (
            [*TOLD, TOLD[1]],
            "alert bug INTERNAL_ERROR: expected ['opened'], got ['opened', 'opened']",
        ),
        ([*TOLD[:2], *TOLD[3:]], "alert bug INTERNAL_ERROR: expected 2 errors, got 1"),
        (
            TOLD[:-1],
            "alert deployment SERVICE_UNAVAILABLE: expected ['opened', 'recovered'], got ['opened']",
        ),
        ([*TOLD, replace(TOLD[1], key="TASK_LOST")], "alert bug TASK_LOST: expected none"),
    ],
)
def test_wrong_alerts_are_noticed(told: list[Told], said: str) -> None:
    """Each alert has to open once, to tell of every error, and to be over where it should be."""
    assert said in [*alerts.objections(told)]
    assert [*alerts.objections(TOLD)] == []
    assert {message.alert for message in TOLD} == {alert.name for alert in ALERTS}
