"""A report as a page for people: without scripts, for screens of any size, and read aloud as well."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Final

from holdfast.health.check import CheckResult
from holdfast.health.rendering.page import Page, milliseconds, timestamp
from holdfast.health.rendering.printable import printable
from holdfast.health.status import HealthStatus
from holdfast.redact import JsonValue

REFRESH: Final = 5
"""Seconds after which the page loads itself again."""
_STYLE: Final = """
:root{color-scheme:light dark;--pass:#1a7f37;--warn:#8a5a00;--fail:#c62828;--line:#d8dee4;--soft:#57606a;
--page:#f6f8fa;--card:#fff;--text:#1f2328}
@media(prefers-color-scheme:dark){:root{--pass:#4ac26b;--warn:#e0a82e;--fail:#ff7b72;--line:#373e47;
--soft:#9da7b3;--page:#15191e;--card:#1f252c;--text:#e6edf3}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{max-width:52rem;margin:0 auto;padding:1.5rem 1rem 3rem}
.pass{--tone:var(--pass)}.warn{--tone:var(--warn)}.fail{--tone:var(--fail)}
header{border-left:.4rem solid var(--tone);padding:.1rem 0 .1rem 1rem;margin-bottom:1.5rem}
h1{margin:0;font-size:2rem;line-height:1.2;overflow-wrap:anywhere}
h1 b,h2 b{color:var(--tone)}
header p,small,dt{color:var(--soft);margin:0}
ul{list-style:none;margin:0;padding:0;display:grid;gap:.6rem}
li{background:var(--card);border:1px solid var(--line);border-left:.4rem solid var(--tone);
border-radius:.4rem;padding:.7rem 1rem}
h2{margin:0;font-size:1.05rem;overflow-wrap:anywhere}
li p{margin:.25rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere}
dl{margin:.4rem 0 0;display:grid;grid-template-columns:minmax(5rem,auto) 1fr;gap:.1rem 1rem;
font-size:.9rem}
dt,dd{margin:0;min-width:0;overflow-wrap:anywhere;white-space:pre-wrap}
dd{font-family:ui-monospace,monospace}
a{color:inherit}
@media(max-width:30rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
"""
_POLICY: Final = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
HEADERS: Final = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
"""What goes with the page: nothing is loaded, run or sent, and nobody frames it."""
_SIGNS: Final = {HealthStatus.PASS: "✓", HealthStatus.WARN: "!", HealthStatus.FAIL: "✗"}
_TONES: Final = {
    HealthStatus.PASS: "1a7f37",
    HealthStatus.WARN: "bf8700",
    HealthStatus.FAIL: "c62828",
}
_WORST_FIRST: Final = tuple(reversed(HealthStatus))


def html(page: Page) -> bytes:
    """Write a report as a page that loads itself again every few seconds."""
    return _page(page, refresh=True)


def still_html(page: Page) -> bytes:
    """Write the same page for whoever is read to, or takes a while: it stays as it is."""
    return _page(page, refresh=False)


def _page(page: Page, *, refresh: bool) -> bytes:
    # Well-formed XML too, so that a parser which forgives nothing can read it in the tests.
    status = page.report.status
    again = f'<meta http-equiv="refresh" content="{REFRESH}" />' if refresh else ""
    lines = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8" />',
        f"<title>{_SIGNS[status]} {status}{_said(' · ', page.service if page.detailed else '')}</title>",
        '<meta name="viewport" content="width=device-width, initial-scale=1" />',
        '<meta name="color-scheme" content="light dark" />',
        f'{again}<link rel="icon" href="{_icon(status)}" />',
        f"<style>{_STYLE}</style></head>",
        f'<body><main><header class="{status}"><h1>{_sign(status)}</h1>',
        *(_detailed(page) if page.detailed else ()),
        "</header>",
        *(_checks(page.report.results) if page.detailed else ()),
        _switch(refresh=refresh),
        "</main></body></html>\n",
    )
    return "\n".join(lines).encode()


def _icon(status: HealthStatus) -> str:
    """Return a dot in the colour of a status, by which a tab tells it unopened."""
    dot = f"%3Ccircle cx='8' cy='8' r='7' fill='%23{_TONES[status]}'/%3E"
    return f"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E{dot}%3C/svg%3E"


def _detailed(page: Page) -> Iterator[str]:
    about = " ".join(filter(None, (page.service, page.release)))
    if about:
        yield f"<p>{_said('', about)}</p>"
    asked = f"group {page.report.group}" if page.report.group else "all checks"
    yield f"<p>{_said('', asked)} · {_time(timestamp(page.time))}</p>"


def _checks(results: tuple[CheckResult, ...]) -> Iterator[str]:
    yield "<ul>"
    for result in sorted(results, key=lambda result: _WORST_FIRST.index(result.status)):
        yield _check(result)
    yield "</ul>"


def _check(result: CheckResult) -> str:
    kind = "critical" if result.critical else "optional"
    facts = f"{kind} · {milliseconds(result.duration)} ms · {_time(timestamp(result.time))}"
    output = f"<p>{_said('', result.output)}</p>" if result.output else ""
    details = "".join(
        f"<dt>{_said('', name)}</dt><dd>{_said('', _shown(value))}</dd>"
        for name, value in result.details.items()
    )
    return (
        f'<li class="{result.status}"><h2>{_sign(result.status)} {_said("", result.name)}</h2>'
        f"<small>{facts}</small>{output}{f'<dl>{details}</dl>' if details else ''}</li>"
    )


def _switch(*, refresh: bool) -> str:
    if refresh:
        return (
            f"<p><small>This page loads itself again every {REFRESH} seconds. "
            '<a href="?format=html-still">Stop that</a></small></p>'
        )
    return '<p><small><a href="?format=html">Load this page again every few seconds</a></small></p>'


def _sign(status: HealthStatus) -> str:
    return f'<b><span aria-hidden="true">{_SIGNS[status]}</span> {status}</b>'


def _time(time: str) -> str:
    return f'<time datetime="{time}">{time[11:19]} UTC</time>'


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _said(before: str, text: str) -> str:
    return before + escape(printable(text, spared="\n\t")) if text else ""
