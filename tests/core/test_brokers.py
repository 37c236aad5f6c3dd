import socket

import pytest

from holdfast.brokers import MAX_CAUSES, MEANINGS, never_connected
from holdfast.classify import Classifier
from holdfast.codes import Effect, ErrorCode


def error_of(dotted: str, *args: object) -> Exception:
    """Return an exception of a class that has a library's name, without the library."""
    module, _, name = dotted.rpartition(".")
    cls: type[Exception] = type(name, (Exception,), {"__module__": module})
    return cls(*args)


def refused(error: Exception, reason: Exception) -> Exception:
    """Return an exception that a library raised while it handled another."""
    error.__context__ = reason
    return error


def test_every_meaning_is_a_rule_of_the_built_in_classifier() -> None:
    """Each class is known by its dotted name, with nothing of its library installed."""
    classifier = Classifier()

    for known in MEANINGS:
        if known.when is None:
            said = classifier.classify(error_of(known.match))
            assert (said.code, said.effect, said.trusted) == (
                *(known.code.code, known.effect),
                known.trusted,
            )


def test_each_class_has_one_general_meaning_which_comes_last() -> None:
    """A special condition that stood behind the general meaning would never be asked."""
    names = {known.match for known in MEANINGS}

    for name in names:
        conditions = [known.when for known in MEANINGS if known.match == name]
        assert [when is None for when in conditions] == [False] * (len(conditions) - 1) + [True]


def test_a_lost_worker_leaves_the_work_in_doubt() -> None:
    """Nobody knows how far a process came that died, and to try again may kill the next."""
    said = Classifier().classify(error_of("billiard.exceptions.WorkerLostError"))

    assert (said.code, said.effect, said.transient) == ("TASK_LOST", Effect.IN_DOUBT, False)


@pytest.mark.parametrize("limit", ["SoftTimeLimitExceeded", "TimeLimitExceeded"])
def test_the_own_time_limit_of_a_task_is_not_transient(limit: str) -> None:
    """A task that took too long would take as long again, unlike a dependency that was slow once."""
    said = Classifier().classify(error_of(f"billiard.exceptions.{limit}"))

    assert (said.code, said.effect, said.transient) == ("TASK_TIMED_OUT", Effect.IN_DOUBT, False)


@pytest.mark.parametrize(
    ("reason", "code", "effect"),
    [
        (("expired",), ErrorCode.TASK_EXPIRED, Effect.NONE),
        (("terminated",), ErrorCode.TASK_REVOKED, Effect.IN_DOUBT),
        (("revoked",), ErrorCode.TASK_REVOKED, Effect.NONE),
        (("4b1c",), ErrorCode.TASK_REVOKED, Effect.NONE),
        ((), ErrorCode.TASK_REVOKED, Effect.NONE),
    ],
)
def test_a_revoked_task_says_whether_it_had_begun(
    reason: tuple[str, ...], code: ErrorCode, effect: Effect
) -> None:
    """An expired or revoked task did nothing, a terminated one may have done something."""
    said = Classifier().classify(error_of("celery.exceptions.TaskRevokedError", *reason))

    assert (said.code, said.effect) == (code.code, effect)


@pytest.mark.parametrize(
    "reason", [ConnectionRefusedError(111, "refused"), socket.gaierror(-2, "unknown host")]
)
@pytest.mark.parametrize(
    "name", ["kombu.exceptions.OperationalError", "redis.exceptions.ConnectionError"]
)
def test_a_broker_that_was_not_reached_was_sent_nothing(name: str, reason: Exception) -> None:
    """A refused connection and an unknown host are known by what the library caught."""
    said = Classifier().classify(refused(error_of(name), refused(error_of("a.B"), reason)))

    assert (said.code, said.effect, said.transient) == (
        *("COMMUNICATION_ERROR", Effect.NOT_SENT),
        True,
    )


@pytest.mark.parametrize(
    "name", ["kombu.exceptions.OperationalError", "redis.exceptions.ConnectionError"]
)
def test_a_broker_that_was_lost_leaves_the_message_in_doubt(name: str) -> None:
    """A connection that broke may have delivered the message before."""
    said = Classifier().classify(refused(error_of(name), ConnectionResetError(104, "reset")))

    assert (said.code, said.effect, said.transient) == (
        *("COMMUNICATION_ERROR", Effect.IN_DOUBT),
        True,
    )


def test_exceptions_that_stand_behind_each_other_in_a_circle_end() -> None:
    """A chain that bites its own tail is looked at a limited number of times."""
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first

    assert not never_connected(first)


def test_a_reason_far_behind_is_not_looked_for() -> None:
    """Only as many exceptions are looked at as the limit says."""
    error: Exception = ConnectionRefusedError()
    for _ in range(MAX_CAUSES):
        error = refused(ValueError(), error)

    assert not never_connected(error)
    assert error.__context__ is not None
    assert never_connected(error.__context__)


def test_a_class_of_ones_own_below_a_known_one_means_the_same() -> None:
    """Subclasses are known by the class they are made from."""
    lost = type(error_of("billiard.exceptions.WorkerLostError"))

    class PoolLostError(lost):  # type: ignore[valid-type, misc]  # made a moment ago
        """A pool's own."""

    assert Classifier().classify(PoolLostError()).code == ErrorCode.TASK_LOST
