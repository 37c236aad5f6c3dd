"""What is compared with what, and what ours is meant to reach."""

from dataclasses import dataclass, field

from process import Subject


@dataclass(frozen=True, slots=True)
class Target:
    """The most that ours may cost, or the least that it leaves."""

    limit: float
    unit: str
    """`×`: multiple of the bare call; `share`: of its throughput; `µs`: added time; `ms`; `MiB`."""

    def __str__(self) -> str:
        if self.unit == "share":
            return f"≥ {self.limit:g} of bare"
        return f"≤ {self.limit:g} ×" if self.unit == "×" else f"≤ +{self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Line:
    """One measured call, and the call it is compared with."""

    label: str
    subject: Subject
    base: Subject
    target: Target | None = None
    why: str = ""
    """Why a peer cannot do this; it is not measured then."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A table of calls that are measured in the same rounds."""

    name: str
    title: str
    note: str
    lines: tuple[Line, ...]
    reference: tuple[Subject, float] | None = None
    """A call, and the microseconds it takes on the machine for which targets in µs were set."""

    def subjects(self) -> list[Subject]:
        """Return everything to measure."""
        found = [subject for line in self.lines for subject in (line.base, line.subject)]
        return found if self.reference is None else [self.reference[0], *found]


@dataclass(frozen=True, slots=True)
class Import:
    """A library on top of a framework that is loaded."""

    label: str
    before: str
    what: str
    ours: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Load:
    """A call whose memory or latency is watched; `share` of the usual number of calls."""

    label: str
    subject: Subject
    share: float = 1.0


def _recording(flavour: str, case: str = "known") -> Subject:
    return Subject("capture", flavour, case)


_BARE = _recording("bare")
_PLAIN = "plain", "plain, its log line made and not written"
_LOG = "log", "plain, with its log line in a stream"
_SENTRY = "sentry", "sentry-sdk, sending nothing"
_WHOLE = "holdfast-inline", "**holdfast**, everything: record, JSON line, body"
_QUEUED = "holdfast-queued", "holdfast as shipped: what the caller waits for"


def _errors(module: str, case: str, said: str, limit: float | None) -> tuple[Line, ...]:
    """Compare one failing request with a 200 of the same process."""
    ways = [_PLAIN, _LOG, _SENTRY, _WHOLE, _QUEUED]
    return tuple(
        Line(
            f"{said}: {label}",
            Subject(module, flavour, case),
            Subject(module, flavour, "ok"),
            Target(limit, "µs") if limit is not None and flavour == _WHOLE[0] else None,
        )
        for flavour, label in ways
    )


def _successes(module: str, *, case: str = "ok") -> tuple[Line, ...]:
    ours, plain = "holdfast-inline", Subject(module, "plain", case)
    within = Subject(module, ours, "ok without")
    return (
        Line("200: sentry-sdk over plain", Subject(module, "sentry", case), plain),
        Line("200: **holdfast** over none", Subject(module, ours, case), within, Target(5, "µs")),
    )


def _rest(case: str, said: str, limit: float | None) -> tuple[Line, ...]:
    plain, ours = Subject("django_site", "plain", "drf_ok"), "holdfast-inline"
    target = None if limit is None else Target(limit, "µs")
    return (
        Line(f"{said}: REST framework's own", plain._replace(case=f"drf_{case}"), plain),
        Line(
            f"{said}: drf-standardized-errors", plain._replace(case=f"standardized_{case}"), plain
        ),
        Line(
            f"{said}: **holdfast**",
            Subject("django_site", ours, f"drf_{case}"),
            Subject("django_site", ours, "drf_ok"),
            target,
        ),
    )


STAGES = {
    "whole": "the whole",
    "raise": "raise and catch",
    "classify": "classify",
    "record": "record: id, time, trace, frames, redaction, fingerprint",
    "answer": "decide what the caller may know",
    "event": "make the event",
    "statistics": "count it",
    "alerts": "count it for three rules of alerts",
}

TIMINGS = (
    Timing(
        "capture",
        "Catch an exception eleven frames deep and record it",
        "Bare is raise and catch: through eleven functions and methods with keyword arguments, two "
        "decorators and a `with` block (`benchmarks/subjects/shop.py`). *Known*: raised from there "
        "before; *new*: from code that was never seen. The logs go to `/dev/null`.",
        (
            Line("raise and catch", _BARE, _BARE),
            Line("**holdfast**, known", _recording("holdfast"), _BARE, Target(6, "×")),
            Line("**holdfast**, new", _recording("holdfast", "new"), _BARE, Target(15, "×")),
            Line(
                "**holdfast**, known, with three rules of alerts",
                _recording("watched", "whole"),
                _BARE,
                Target(6, "×"),
            ),
            Line(
                "holdfast, known, with three bound fields", _recording("holdfast", "bound"), _BARE
            ),
            Line("holdfast, known, with its JSON line", _recording("holdfast", "logged"), _BARE),
            Line("`traceback.format_exc`", _recording("format_exc"), _BARE),
            Line("`logging.exception`", _recording("logging"), _BARE),
            Line("sentry-sdk `capture_exception`, sending nothing", _recording("sentry"), _BARE),
            Line(
                "holdfast, an `AppError` with details, one frame deep (to raising it)",
                _recording("holdfast", "app error"),
                _recording("bare", "app error"),
            ),
        ),
    ),
    Timing(
        "stages",
        "What handling an error is made of",
        "Base is the whole: raise through eleven frames, catch and handle, a known error, with statistics "
        "and three rules of alerts. Each stage is measured by itself, with what the one before it made; "
        "what they lack of the whole are marks, context, isolation and the queue.",
        tuple(
            Line(said, _recording("watched", stage), _recording("watched", "whole"))
            for stage, said in STAGES.items()
        ),
    ),
    Timing(
        "django",
        "Django",
        "`WSGIHandler` called directly, no other middleware. Added is over a 200 of the same process.",
        (
            *_successes("django_site"),
            *_errors("django_site", "404", "404", 60),
            *_errors("django_site", "500", "500", 100),
            *_errors("django_site", "deep", "500, ten frames deep", 120),
        ),
        (Subject("django_site", "plain", "ok"), 92),
    ),
    Timing(
        "drf",
        "Django REST framework",
        "Added is over a 200 of REST framework in the same process.",
        (*_rest("404", "NotFound", 45), *_rest("invalid", "Three invalid fields", None)),
        (Subject("django_site", "plain", "ok"), 92),
    ),
    Timing(
        "flask",
        "Flask",
        "The application called directly. Added is over a 200 of the same process.",
        (
            *_successes("flask_site"),
            *_errors("flask_site", "404", "404", 60),
            *_errors("flask_site", "500", "500", 100),
            *_errors("flask_site", "deep", "500, ten frames deep", None),
        ),
        (Subject("flask_site", "plain", "ok"), 87),
    ),
)

IMPORT_TARGETS = Target(10, "ms"), Target(1, "MiB")
IMPORTS = (
    Import(
        "Django: `import holdfast`, which loads the rest when asked",
        "django",
        "holdfast",
        ours=True,
    ),
    Import(
        "Django: **holdfast and its middleware, with a runtime**", "django", "django", ours=True
    ),
    Import("Django: `sentry_sdk.init()`", "django", "sentry"),
    Import("REST framework: drf-standardized-errors", "drf", "drf_standardized_errors"),
    Import(
        "REST framework: **holdfast's handler, after its middleware**",
        "drf+ours",
        "rest",
        ours=True,
    ),
    Import(
        "Flask: `import holdfast`, which loads the rest when asked", "flask", "holdfast", ours=True
    ),
    Import("Flask: **holdfast_flask, with an application**", "flask", "flask", ours=True),
    Import("Flask: `sentry_sdk.init()`", "flask", "sentry"),
)

MEMORY = (
    Load("holdfast alone, known error", _recording("holdfast")),
    Load("holdfast alone, a new error every hundred", _recording("holdfast", "new"), 0.2),
    Load("`logging.exception`", _recording("logging"), 0.2),
    Load("Django 500, plain", Subject("django_site", "plain", "500")),
    Load("**Django 500, holdfast as shipped**", Subject("django_site", "holdfast", "500")),
    Load("Django 500, sentry-sdk", Subject("django_site", "sentry", "500"), 0.1),
    Load("Flask 500, plain", Subject("flask_site", "plain", "500")),
    Load("**Flask 500, holdfast as shipped**", Subject("flask_site", "holdfast", "500")),
)

LATENCY = tuple(
    Load(f"{name} 500, {said}", Subject(module, flavour, "500"))
    for name, module in (("Django", "django_site"), ("Flask", "flask_site"))
    for flavour, said in (
        ("holdfast", "its log reporter alone"),
        ("holdfast-hanging", "beside it one that never comes back"),
        ("holdfast-raising", "beside it one that always raises"),
    )
)
