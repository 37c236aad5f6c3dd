"""A Flask application with holdfast: `/health/live`, `/health/ready`, and an empty view."""

import psycopg
from flask import Flask

from benchmarks.probes import trouble
from holdfast_flask import Holdfast
from holdfast_flask.extension import runtime_of

app = Flask("probes")
app.config["HOLDFAST_HEALTH"] = {"TIME_LIMIT": trouble.TIME_LIMIT, "TIMEOUT": trouble.TIMEOUT}
Holdfast(app)


def database() -> None:
    """Ask for a row, on a connection that is closed afterwards."""
    address = f"host=127.0.0.1 port={trouble.database_port()} dbname=test user=root"
    with psycopg.connect(address) as connection:
        connection.execute("SELECT 1")


for name, check in {
    "warehouse-lock": trouble.hang,
    "warehouse": trouble.fail,
    "search": trouble.dawdle,
    "database": database,
}.items():
    runtime_of(app).health.register_check(name, check, every=trouble.period(), replace=True)


@app.get("/empty")
def empty() -> str:
    """Answer."""
    return "ok"
