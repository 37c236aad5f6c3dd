"""Every request of an application counts once, however it ends."""

from holdfast_flask import runtime_of
from tests.flask_ext.conftest import MakeApp


def test_requests_are_counted(make_app: MakeApp) -> None:
    """Those that succeed, those that fail and those to nowhere: what the rate of errors is out of."""
    app = make_app()

    @app.get("/crash")
    def crash() -> str:
        raise KeyError("sku")

    client = app.test_client()
    for path in ("/health/live", "/health/live", "/crash", "/nowhere"):
        client.get(path)

    seen = runtime_of(app).statistics.snapshot()
    assert (seen.requests, seen.total_errors, seen.error_rate) == (4, 2, 0.5)
    assert seen.by_boundary.totals() == {"flask.request": 2}
