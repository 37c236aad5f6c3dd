"""An application with four dependencies, some of which it can do without, and a monitor.

Where they are stands in the environment, as JSON.
"""

import json
import os

from flask import Flask, Response
from flask.typing import ResponseReturnValue
from sqlalchemy import create_engine

from holdfast.health.checks.http import HttpCheck
from holdfast.integrations.kombu_health import RabbitCheck
from holdfast.integrations.redis_health import RedisCheck
from holdfast.integrations.sqlalchemy_health import DatabaseCheck
from holdfast_flask import Holdfast

TTL = 0.1
"""Seconds that answers are kept: what a probe says is of now."""
IMPATIENT = 1.0
"""Seconds that a dependency gets which is going to hang; the others, which are not, get more."""

_places: dict[str, str] = json.loads(os.environ["HOLDFAST_TEST_SITE"])

app = Flask("outages")
app.config.from_mapping(
    HOLDFAST_SERVICE="outages",
    HOLDFAST_REPORTERS=[],
    HOLDFAST_HEALTH={
        "DETAILS": "always",
        "TTL": {"PASSING": TTL, "WARNING": TTL, "FAILING": TTL},
        "MONITOR": {
            "ENABLED": True,
            "INTERVAL": 0.2,
            "FAILURES": 2,
            "SUCCESSES": 2,
            "STATE": _places["state"],
        },
    },
    HOLDFAST_ALERTS={"CHANNELS": {"on-call": {"KIND": "webhook", "URL": _places["receiver"]}}},
)
_runtime = Holdfast(app).runtime
_engine = create_engine(_places["database"], connect_args={"connect_timeout": 2})
_engine.connect().close()  # a connection waits in the pool, as after any request

_register = _runtime.health.register_check
_register("database", DatabaseCheck(_engine, timeout=2.0), groups=["ready", "startup"])
_register("sessions", RedisCheck(_places["redis"]))
_register("orders-queue", RabbitCheck(_places["rabbitmq"], timeout=IMPATIENT), critical=False)
_register("payment-gateway", HttpCheck(_places["gateway"]), critical=False)


@app.after_request
def sign(answer: Response) -> Response:
    """Tell which process answers."""
    answer.headers["X-Process"] = str(os.getpid())
    return answer


@app.get("/report")
def report() -> ResponseReturnValue:
    """Tell what the monitor knows."""
    return _runtime.monitor.get_report().as_json()
