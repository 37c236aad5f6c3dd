"""The walk itself: every step, those over HTTP at every shop."""

import argparse
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from signal import SIGTERM, signal
from threading import Event
from time import perf_counter
from types import FrameType

from examples.walk import alerts, display, jobs, outage, scheduled, statistics
from examples.walk.answers import Outcome, ask, take_at
from examples.walk.brokers import found
from examples.walk.expectations import audit, objections, same_body
from examples.walk.jobs import JOBS, Job
from examples.walk.outage import MOMENTS, Moment
from examples.walk.processes import SHOPS, Server, Site, running
from examples.walk.scheduled import ENTRIES, Entry
from examples.walk.step import Step
from examples.walk.steps import KILLED, WALK

TO_TRY = (
    "/crash, /errors/workflow, /codes/, /statistics, /metrics, /openapi.json, /health;"
    " /products/SKU-881/delivery?carrier=down"
)
Planned = tuple[str, Callable[[], bool]]
"""A step's title, and what takes it and tells whether all was well."""


def main() -> int:
    """Start everything, walk, and end with the exit status."""
    once = _arguments().once
    signal(SIGTERM, _interrupt)
    try:
        with found() as broker, tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
            display.say(f"Starting {len(SHOPS)} shops: {'; '.join(SHOPS)} …")
            display.say(f"Tasks go by {broker.name}, in the queue {broker.queue}")
            with running(Path(folder), broker, scheduled=True, tell=display.ready) as site:
                failed = walk(site)
                if not once:
                    keep_serving(site)
                return 1 if failed else 0
    except KeyboardInterrupt:
        display.say("\nStopped.")
        return 0 if not once else 130


def walk(site: Site) -> int:
    """Take every step and return how many things went wrong."""
    started, number, failed = perf_counter(), 0, 0
    parts = planned(site)
    total = sum(map(len, parts.values()))
    for section, steps in parts.items():
        display.section(section)
        for title, take in steps:
            number += 1
            display.step_title(number, total, title)
            failed += not take()
    seconds = perf_counter() - started
    display.section("Result")
    right = f"{number - failed} of {number} steps as they should be"
    display.say(f"{right}, those over HTTP at each of {len(site.shops)} shops, in {seconds:.0f} s")
    return failed + checked(site)


def planned(site: Site) -> dict[str, list[Planned]]:
    """Return the steps by section."""

    def over_http(steps: Iterable[Step]) -> list[Planned]:
        return [(step.title, partial(take_everywhere, step, site)) for step in steps]

    by_clock = [(entry.title, partial(watch_entry, entry, site)) for entry in ENTRIES]
    away = [(moment.title, partial(go_through, moment, site)) for moment in MOMENTS]
    by_night = [(job.title, partial(run_job, job, site)) for job in JOBS]
    return {
        **{section: over_http(steps) for section, steps in WALK.items()},
        "By the clock: a schedule": [*by_clock],
        "By outage: health, monitored": [*away],
        "By force: a worker whose process is killed": over_http(KILLED),
        "By night: a cron job": [*by_night],
    }


def watch_entry(entry: Entry, site: Site) -> bool:
    """Watch an entry of the schedule, and tell whether all was well."""
    display.asked(entry.ask)
    seen = scheduled.watch(entry, site)
    display.watched(seen)
    return _judged("schedule", [*scheduled.objections(entry, seen)])


def go_through(moment: Moment, site: Site) -> bool:
    """Bring about a moment of an outage, and tell whether every shop says so."""
    outage.switch(site, away=moment.is_away)
    failed = 0
    for number, shop in enumerate(site.shops):
        seen = outage.watch(moment, shop, site)
        wrong = [*outage.objections(moment, seen)]
        if not number:
            display.outage(seen)
        failed += not _judged(shop.name, wrong)
    return not failed


def run_job(job: Job, site: Site) -> bool:
    """Run a job, and tell whether it ended as it should."""
    display.asked(job.ask)
    ended = jobs.run(job, site.folder)
    display.job(ended.status, ended.lines)
    return _judged("job", [*jobs.objections(job, ended)])


def _judged(name: str, wrong: list[str]) -> bool:
    display.say(f"  {display.verdict(name, '', wrong)}")
    display.complaint(name, wrong)
    return not wrong


def checked(site: Site) -> int:
    """Show what came together in the walk, and return how much of it is not as it should be."""
    failed = sum(not audited(shop) for shop in site.shops)
    display.section(
        "What the statistics say, with requests for metrics and what tasks did in the same process"
    )
    display.statistics_title(max(len(shop.name) for shop in site.shops))
    failed += sum(not counted(shop) for shop in site.shops)
    display.section("What whoever is on call was told, with the errors since the message before")
    return failed + sum(not alerted(shop, site) for shop in site.shops)


def counted(shop: Server) -> bool:
    """Show a shop's statistics, and whether its metrics say the same."""
    metrics = ask(shop, "GET", "/metrics").text
    found = statistics.read(shop)
    wrong = [*statistics.objections(found, metrics)]
    display.statistics(shop.name, found, wrong)
    display.complaint(shop.name, wrong)
    return not wrong


def alerted(shop: Server, site: Site) -> bool:
    """Show of which alerts of a shop was told, and whether of each once."""
    told = alerts.wait(shop, site)
    wrong = [*alerts.objections(told)]
    display.alerts(shop.name, alerts.by_alert(told), wrong)
    display.complaint(shop.name, wrong)
    return not wrong


def audited(shop: Server) -> bool:
    """Show whether everything was recorded once, and nothing else was."""
    steps = [step for part in WALK.values() for step in part]
    errors = sum(bool(step.code) for step in steps)
    lines = sum(bool(step.code and step.level) for step in steps)
    wrong = audit(shop, errors, lines)
    name = f"{shop.name}: {errors} errors in the metrics, {lines} in the log"
    display.say(f"  {display.verdict(name, '', wrong)}")
    display.complaint(shop.name, wrong)
    return not wrong


def take_everywhere(step: Step, site: Site) -> bool:
    """Take one step at every shop, show the first in full, and tell whether all was well."""
    display.request(step)
    if step.behind and step.behind.kills and site.worker is None:
        display.left_out("a worker in a thread of the shop would take the shop along")
        return True
    shops = site.shops
    outcomes = _outcomes(step, site)
    first = outcomes[shops[0]]
    display.outcome(shops[0], first)
    wrong = {shop: objections(step, outcome) for shop, outcome in outcomes.items()}
    for shop, outcome in outcomes.items():
        if step.content_type != "*" and not same_body(first.answer, outcome.answer):
            wrong[shop].append(f"body: not the one of {shops[0].name}: {outcome.answer.text}")
    display.say(
        "  "
        + "  ".join(
            display.verdict(s.name, str(outcomes[s].answer.status), wrong[s]) for s in shops
        )
    )
    for shop in shops:
        display.complaint(shop.name, wrong[shop])
    return not any(wrong.values())


def _outcomes(step: Step, site: Site) -> dict[Server, Outcome]:
    with ThreadPoolExecutor(len(site.shops)) as at_once:
        found = at_once.map(partial(take_at, site, step), site.shops)
        return dict(zip(site.shops, found, strict=True))


def keep_serving(site: Site) -> None:
    """Print the addresses and wait for Ctrl-C."""
    display.section("Serving until Ctrl-C")
    for shop in site.shops:
        display.say(f"  {shop.address}  {shop.name}")
    display.say(f"  Try {TO_TRY}")
    if site.beat:  # which would go on to fill the disk with errors
        site.beat.process.terminate()
    Event().wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Show holdfast at work, with Django and with Flask."
    )
    parser.add_argument("--once", action="store_true", help="end after the walk")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
