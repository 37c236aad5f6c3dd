"""The walk itself: every step of the table at every shop."""

import argparse
import tempfile
from pathlib import Path
from signal import SIGTERM, signal
from threading import Event
from time import perf_counter
from types import FrameType

from examples.walk import display
from examples.walk.answers import take
from examples.walk.expectations import audit, objections, same_body
from examples.walk.processes import SHOPS, Server, running
from examples.walk.steps import WALK, Step


def main() -> int:
    """Start everything, walk, and end with the exit status."""
    once = _arguments().once
    signal(SIGTERM, _interrupt)
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        display.say(f"Starting a payment gateway and {len(SHOPS)} shops: {'; '.join(SHOPS)} …")
        try:
            with running(Path(folder)) as shops:
                failed = walk(shops)
                if not once:
                    keep_serving(shops)
                return 1 if failed else 0
        except KeyboardInterrupt:
            display.say("\nStopped.")
            return 0 if not once else 130


def walk(shops: list[Server]) -> int:
    """Take every step at every shop and return how many things went wrong."""
    started, number, failed = perf_counter(), 0, 0
    steps = [step for part in WALK.values() for step in part]
    for title, part in WALK.items():
        display.section(title)
        for step in part:
            number += 1
            display.step_title(number, len(steps), step)
            failed += not take_everywhere(step, shops)
    seconds = perf_counter() - started
    display.section("Result")
    right = f"{number - failed} of {number} steps as they should be"
    display.say(f"{right}, at each of {len(shops)} shops, in {seconds:.0f} s")
    return failed + sum(not audited(steps, shop) for shop in shops)


def audited(steps: list[Step], shop: Server) -> bool:
    """Show whether everything was recorded once, and nothing else was."""
    errors = sum(bool(step.code) for step in steps)
    lines = sum(bool(step.code and step.level) for step in steps)
    wrong = audit(shop, errors, lines)
    name = f"{shop.name}: {errors} errors in the metrics, {lines} in the log"
    display.say(f"  {display.verdict(name, '', wrong)}")
    display.complaint(shop.name, wrong)
    return not wrong


def take_everywhere(step: Step, shops: list[Server]) -> bool:
    """Take one step at every shop, show the first in full, and tell whether all was well."""
    outcomes = {shop: take(step, shop) for shop in shops}
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


def keep_serving(shops: list[Server]) -> None:
    """Print the addresses and wait for Ctrl-C."""
    display.section("Serving until Ctrl-C")
    for shop in shops:
        display.say(
            f"  {shop.address}  {shop.name}; try /crash, /errors/workflow, /health, /metrics"
        )
    Event().wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Show holdfast at work, with Django and with Flask."
    )
    parser.add_argument("--once", action="store_true", help="end after the walk")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
