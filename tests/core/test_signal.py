"""A signal: given once, on threads and on event loops."""

import asyncio
import math
import threading

from holdfast.resilience.signal import Signal
from holdfast.testing import FakeClock


def test_a_thread_that_waits_goes_on_when_the_signal_is_given() -> None:
    """However long it would have waited."""
    signal = Signal()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(signal.wait(math.inf)))
    thread.start()

    signal.give()
    thread.join()

    assert answers == [True]
    assert signal.given


def test_who_waits_too_long_is_told() -> None:
    """The signal did not come, on a thread or on an event loop."""
    signal = Signal()

    assert not signal.wait(0.001)
    assert not signal.wait(0.0)
    assert not signal.wait(-1.0)
    assert not asyncio.run(signal.await_(0.001))
    assert not signal._wakers


def test_a_signal_that_was_given_is_not_waited_for() -> None:
    """Not on a thread, not on an event loop, and not with no time at all."""
    signal = Signal()
    signal.give()
    signal.give()

    assert signal.wait(0.0)
    assert asyncio.run(signal.await_(0.0))


def test_tasks_and_threads_wait_for_the_same_signal() -> None:
    """Every one of them goes on: tasks of two loops, and threads."""
    signal = Signal()
    answers: list[bool] = []

    async def two_tasks() -> None:
        answers.extend(await asyncio.gather(signal.await_(math.inf), signal.await_(30.0)))

    threads = [threading.Thread(target=lambda: asyncio.run(two_tasks())) for _ in range(2)]
    threads += [
        threading.Thread(target=lambda: answers.append(signal.wait(30.0))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    while len(signal._wakers) < 6:
        threading.Event().wait(0.001)
    signal.give()
    for thread in threads:
        thread.join()

    assert answers == [True] * 6


def test_who_is_cancelled_while_it_waits_is_forgotten() -> None:
    """Nothing of a task that left stays with the signal."""
    signal = Signal()

    async def leave_early() -> None:
        task = asyncio.create_task(signal.await_(30.0))
        await FakeClock().asleep(0.0)
        assert len(signal._wakers) == 1
        task.cancel()
        await asyncio.wait((task,))

    asyncio.run(leave_early())

    assert not signal._wakers


def test_a_loop_that_was_closed_meanwhile_hurts_nobody() -> None:
    """Whoever gives the signal does not learn of loops that are gone."""
    signal = Signal()
    loop = asyncio.new_event_loop()
    task = loop.create_task(signal.await_(30.0))
    loop.run_until_complete(FakeClock().asleep(0.0))
    waker = signal._wakers[0]
    task.cancel()
    loop.run_until_complete(asyncio.wait((task,)))
    loop.close()
    signal._wakers.append(waker)

    signal.give()

    assert signal.given
