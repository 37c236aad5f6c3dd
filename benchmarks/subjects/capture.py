"""Catching an exception raised eleven frames below, and what it costs to record it."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import sentry_sdk
from case import Case

from holdfast import AppError, ErrorKind, Runtime
from holdfast.context import begin, bind_request, current_context
from holdfast.envelope import answer_to
from holdfast.handler.recording import Recording, event_of
from holdfast.origin import ErrorContext, Origin
from holdfast.record import chain
from holdfast.redact import JsonValue
from holdfast.settings import AlertsSettings, ReportingSettings, Settings
from holdfast.settings.alerts import AlertRuleSettings
from holdfast.settings.channels import ChannelSettings
from subjects import shop, sinks

_Order: TypeAlias = Callable[[dict[str, int]], object]

_REQUEST = {"881": 3}
_ORIGIN = Origin(boundary="benchmark", operation="POST /orders", path="/orders")
_FRAMES = 11
_THREE_RULES = AlertsSettings(
    rules={
        "grave": AlertRuleSettings(severity="CRITICAL"),
        "storm": AlertRuleSettings(count=1_000_000, window=60),
        "new": AlertRuleSettings(when="first_seen", by="fingerprint"),
    },
    channels={"log": ChannelSettings(kind="log")},
)
_SHOP = Path(shop.__file__).read_text()


def cases(flavour: str) -> dict[str, Case]:
    """Return the cases of one way to record; each catches what `shop.order` raises."""
    _check_depth()
    return {
        "bare": lambda: {"known": _catching(_nothing), "app error": _app_error_case(_nothing)},
        "holdfast": _holdfast,
        "logging": _logging,
        "format_exc": lambda: {"known": _catching(lambda _: traceback.format_exc())},
        "sentry": _sentry,
        "watched": _watched,
    }[flavour]()


def _holdfast() -> dict[str, Case]:
    begin(boundary="benchmark")
    silent = _handling(Settings(reporters=()))
    logged = _handling(
        Settings(reporters=("logging",), reporting=ReportingSettings(inline=True)),
    )
    sinks.json_log("holdfast")
    fresh = _FreshShop()
    known = _catching(silent)
    bound = copy_context()
    bound.run(bind_request, user="u-1842", tenant="north", cart=881)
    return {
        "known": known,
        "new": Case(_catching(silent, fresh).call, fresh.replace),
        "bound": Case(partial(bound.run, known.call)),
        "logged": _catching(logged),
        "app error": _app_error_case(silent),
    }


def _watched() -> dict[str, Case]:
    """Return the whole with three rules of alerts, and its stages one by one."""
    begin(boundary="benchmark")
    sinks.json_log("holdfast")
    runtime = Runtime(Settings(reporters=(), alerts=_THREE_RULES))
    handler, recording = runtime.handler, Recording(runtime.redactor, runtime.clock)
    error, nothing = _caught(), dict[str, JsonValue]()
    context, linked = ErrorContext(_ORIGIN, current_context()), chain(error)
    reading = handler.classifier.read(error, context)
    record = recording.record(linked, _ORIGIN, reading.classification, nothing)
    event, alerts = event_of(record), runtime.alerts
    assert alerts is not None
    stages: dict[str, Callable[[], object]] = {
        "classify": lambda: handler.classifier.read(error, context),
        "record": lambda: recording.record(linked, _ORIGIN, reading.classification, nothing),
        "answer": lambda: answer_to(reading, runtime.redactor, record, nothing),
        "event": lambda: event_of(record),
        "statistics": lambda: runtime.statistics.hear(event),
        "alerts": lambda: alerts.hear(event),
    }
    return {
        "raise": _catching(_nothing),
        "whole": _catching(lambda error: runtime.handle(error, _ORIGIN)),
        **{name: Case(stage) for name, stage in stages.items()},
    }


def _caught() -> Exception:
    try:
        shop.order(_REQUEST)
    except Exception as error:
        return error
    raise AssertionError


def _handling(settings: Settings) -> Callable[[Exception], object]:
    runtime = Runtime(settings)
    return lambda error: runtime.handle(error, _ORIGIN)


def _logging() -> dict[str, Case]:
    sinks.text_log("benchmark")
    logger = logging.getLogger("benchmark")
    return {"known": _catching(lambda _: logger.exception("order failed"))}  # noqa: LOG004  # called while handling


def _sentry() -> dict[str, Case]:
    sinks.start_sentry()
    return {"known": _catching(sentry_sdk.capture_exception)}


def _nothing(_: Exception) -> None:
    pass


class _Shop(Protocol):
    @property
    def order(self) -> _Order: ...


def _catching(record: Callable[[Exception], object], raising: _Shop = shop) -> Case:
    def call() -> None:
        try:
            raising.order(_REQUEST)
        except Exception as error:
            record(error)

    return Case(call)


class _FreshShop:
    """Shops compiled anew, one for each call: an error that nobody has seen."""

    def __init__(self) -> None:
        self._made = 0
        self._ready: list[_Order] = []
        self.replace()

    def replace(self) -> None:
        """Take the next one; they are made many at a time, because compiling empties the caches."""
        if not self._ready:
            self._ready = [self._compiled() for _ in range(50)]
        self.order = self._ready.pop()

    def _compiled(self) -> _Order:
        """Compile a shop under another name and let the interpreter specialise it, recording nothing."""
        self._made += 1
        names: dict[str, object] = {"__name__": f"shop{self._made}"}
        exec(compile(_SHOP, f"/srv/app/shop{self._made}.py", "exec"), names)  # noqa: S102  # our own text
        self.order = cast("_Order", names["order"])
        bare = _catching(_nothing, self).call
        for _ in range(10):
            bare()
        return self.order


class OutOfStock(AppError):
    """An order line cannot be met from stock."""

    code = "ORDER_OUT_OF_STOCK"
    kind = ErrorKind.CONFLICT
    title = "Out of stock"


class _Refusing:
    """A shop that refuses on purpose, with an error of its own."""

    @staticmethod
    def order(request: dict[str, int]) -> None:
        """Raise one frame below."""
        raise OutOfStock("2 left of SKU 881", details={"left": 2, "asked": request})


def _app_error_case(record: Callable[[Exception], object]) -> Case:
    return _catching(record, _Refusing())


def _check_depth() -> None:
    try:
        shop.order(_REQUEST)
    except ValueError:
        depth = sum(1 for _ in _frames())
        assert depth == _FRAMES, f"the shop raises {depth} frames deep"


def _frames() -> Iterable[object]:
    """Yield the frames below the one that caught."""
    error = sys.exception()
    entry = error.__traceback__ if error is not None else None
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
        yield entry
