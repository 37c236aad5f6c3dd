"""Where an application's errors would escape: read from what is registered, without a request."""

from collections.abc import Iterator, Mapping
from typing import cast

from flask import Flask
from werkzeug.exceptions import HTTPException, InternalServerError

from holdfast.catalog import clashes
from holdfast.errors import AppError
from holdfast.loading import misspelt_targets
from holdfast.runtime import Runtime
from holdfast_flask.commands import watch_commands
from holdfast_flask.handlers import Handlers
from holdfast_flask.wsgi import Boundary

_TRAPS = ("TRAP_HTTP_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS")


def findings(app: Flask, runtime: Runtime) -> Iterator[str]:
    """Yield one sentence for each place where errors escape, or are answered in another shape or by a doubtful code."""
    yield from _handlers(app)
    yield from _config(app)
    yield from _around(app)
    yield from _hooks(runtime)
    yield from _routes(app, runtime)
    yield from clashes()
    yield from misspelt_targets(runtime.settings)
    yield from runtime.policies.unnamed()
    yield from runtime.policies.problems()


def _handlers(app: Flask) -> Iterator[str]:
    for scope, by_code in app.error_handler_spec.items():
        for classes in by_code.values():
            handlers = cast("Mapping[type[Exception], object]", classes)
            for cls, handler in handlers.items():
                if not isinstance(getattr(handler, "__self__", None), Handlers):
                    yield from _judged(cls, _name(handler), f"blueprint {scope!r}" if scope else "")


def _judged(cls: type[Exception], handler: str, blueprint: str) -> Iterator[str]:
    where = f"{blueprint}: " if blueprint else ""
    if cls in (Exception, BaseException):
        yield (
            f"{where}errorhandler({cls.__name__}) {handler} answers everything itself: Flask then sends "
            "no signal and tells teardown functions of no error; handle narrower classes"
        )
    elif cls is InternalServerError:
        yield (
            f"{where}errorhandler(500) {handler} stands in the place of holdfast's: errors are "
            "recorded, but answered in its shape"
        )
    elif cls in (HTTPException, AppError):
        yield (
            f"{where}errorhandler({cls.__name__}) {handler} stands in the place of holdfast's: "
            "such errors are answered in its shape"
        )


def _config(app: Flask) -> Iterator[str]:
    for name in _TRAPS:
        if app.config[name]:
            yield f"{name} is on: HTTP errors take the path of unexpected ones; meant for debugging"
    if app.config["PROPAGATE_EXCEPTIONS"]:
        yield "PROPAGATE_EXCEPTIONS is on: unexpected errors reach the server, which answers them"
    elif app.testing and app.config["PROPAGATE_EXCEPTIONS"] is None:
        yield "TESTING is on: unexpected errors reach the server, which answers them"


def _around(app: Flask) -> Iterator[str]:
    """Yield what was put in a place that is ours, after the application was connected."""
    outermost = cast("object", app.wsgi_app)
    if not isinstance(outermost, Boundary):
        yield (
            f"{_name(outermost)} was put around wsgi_app after holdfast: what it raises itself "
            "reaches the server; call Holdfast(app) or init_app(app) after it"
        )
    if _module(app.cli.get_command) != watch_commands.__module__:
        yield (
            "app.cli was replaced after holdfast was connected: errors of its commands are recorded "
            "without their names; call Holdfast(app) or init_app(app) after that"
        )


def _hooks(runtime: Runtime) -> Iterator[str]:
    hooks = runtime.settings.hooks
    if not hooks.uncaught:
        yield "HOLDFAST_HOOKS.UNCAUGHT is off: errors of threads and of the start-up are not recorded"
    if not hooks.logging:
        yield "HOLDFAST_HOOKS.LOGGING is off: errors that are only logged are not recorded"


def _routes(app: Flask, runtime: Runtime) -> Iterator[str]:
    prefix = cast("object", getattr(runtime.settings.health, "prefix", None))
    for rule in app.url_map.iter_rules():
        ours = rule.endpoint.startswith("holdfast_health.")
        if isinstance(prefix, str) and not ours and _is_probed(rule.rule, prefix, runtime):
            yield (
                f"{rule.rule} is also the route of endpoint {rule.endpoint!r}; move the health "
                "endpoints with PREFIX in HOLDFAST_HEALTH"
            )


def _is_probed(rule: str, prefix: str, runtime: Runtime) -> bool:
    """Tell whether a route has the address of a health endpoint, or may have."""
    if not f"{rule}/".startswith(f"{prefix}/"):
        return False
    group = rule.removeprefix(prefix).strip("/")
    is_variable = group.startswith("<") and "/" not in group
    return is_variable or runtime.probes.knows(group)


def _name(handler: object) -> str:
    name = getattr(handler, "__qualname__", "")
    return f"{_module(handler)}.{name}" if name else type(handler).__qualname__


def _module(function: object) -> str:
    return str(getattr(function, "__module__", ""))
