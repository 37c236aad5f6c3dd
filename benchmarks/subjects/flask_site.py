"""Flask, called as a WSGI server calls it."""

from case import Case
from flask import Flask, abort

from subjects import shop, sinks
from subjects.wsgi import get

_STATUS = {"ok": 200, "404": 404, "500": 500, "deep": 500}


def cases(flavour: str) -> dict[str, Case]:
    """Return the requests of one flavour; the parts of its name say what is on."""
    library, _, delivery = flavour.partition("-")
    if library == "sentry":
        sinks.start_sentry()
    app = _application()
    if library == "log":
        sinks.text_log(app.name)
    else:
        sinks.no_log(app.name)
    if library != "holdfast":
        return {name: Case(get(app, f"/{name}", status=_STATUS[name])) for name in _STATUS}
    from holdfast_flask import Holdfast  # noqa: PLC0415  # only this flavour pays for it

    app.config["HOLDFAST_REPORTERS"] = ["logging", *sinks.REPORTERS.get(delivery, ())]
    app.config["HOLDFAST_REPORTING"] = {"INLINE": delivery == "inline"}
    runtime = Holdfast(app).runtime
    sinks.json_log("holdfast")
    between = runtime.flush if delivery == "queued" else None
    found = {name: Case(get(app, f"/{name}", status=_STATUS[name]), between) for name in _STATUS}
    # The same process without the extension: what it adds, within one process.
    found["ok without"] = Case(get(_application(), "/ok", status=200), between)
    return found


def _application() -> Flask:
    app = Flask("benchmark")

    @app.get("/ok")
    def ok() -> str:
        return "ok"

    @app.get("/404")
    def missing() -> str:
        abort(404)

    @app.get("/500")
    def failing() -> str:
        raise ValueError("-2 of SKU 881 would be left")

    @app.get("/deep")
    def failing_deep() -> str:
        return str(shop.checkout.place({"881": 3}, express=True))

    return app
