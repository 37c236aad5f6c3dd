import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from holdfast.brokers import MEANINGS
from holdfast.classify import UNKNOWN, Classifier, is_control_flow
from holdfast.codes import Effect

LIBRARIES = ("celery", "billiard", "kombu", "amqp", "redis")
OUR_OWN_MISTAKES = {
    # Nobody plans for these: they say that a library is used wrongly, as an unknown error does.
    *("celery.exceptions.AlreadyRegistered", "celery.exceptions.CeleryCommandException"),
    *("celery.exceptions.CeleryError", "celery.exceptions.TaskError"),
    *("billiard.exceptions.CoroStop", "kombu.exceptions.KombuError"),
    *("kombu.exceptions.NotBoundError", "kombu.exceptions.MessageStateError"),
    *("kombu.exceptions.SerializationError", "kombu.exceptions.VersionMismatch"),
    *("kombu.exceptions.EncodeError", "celery.exceptions.ImproperlyConfigured"),
    "amqp.exceptions.AMQPError",
}
PREDICATES = {f"celery.exceptions.{name}" for name in ("TaskPredicate", "Ignore", "Retry")}
"""Control flow of Celery's, which no boundary hands over."""

pytestmark = pytest.mark.extra("celery", "redis")


def exceptions_of(module: ModuleType) -> Iterator[type[BaseException]]:
    """Yield the exceptions that a module defines, but for warnings."""
    for found in vars(module).values():
        if (
            isinstance(found, type)
            and issubclass(found, BaseException)
            and not issubclass(found, Warning)
            and found.__module__ == module.__name__
        ):
            yield found


def made(cls: type[BaseException]) -> BaseException:
    """Return an exception of a class whose constructor need not be known."""
    return cls.__new__(cls)


def dotted(cls: type) -> str:
    """Return the name of a class as rules write it."""
    return f"{cls.__module__}.{cls.__qualname__}"


@pytest.mark.parametrize("name", sorted({known.match for known in MEANINGS}))
def test_each_name_is_a_class_of_its_library_and_means_what_is_written(name: str) -> None:
    """A library that renames or moves a class is noticed here."""
    module, _, attribute = name.rpartition(".")
    cls = getattr(importlib.import_module(module), attribute)
    (general,) = (known for known in MEANINGS if known.match == name and known.when is None)

    said = Classifier().classify(made(cls))

    assert dotted(cls) == name
    assert (said.code, said.effect, said.trusted) == (
        *(general.code.code, general.effect),
        general.trusted,
    )


@pytest.mark.parametrize("library", ["celery", "billiard", "kombu", "amqp"])
def test_every_exception_of_the_library_is_known_or_left_out_on_purpose(library: str) -> None:
    """A library that grows an exception is noticed here."""
    module = importlib.import_module(f"{library}.exceptions")

    unknown = {
        dotted(cls)
        for cls in exceptions_of(module)
        if Classifier().classify(made(cls)) == UNKNOWN and not is_control_flow(made(cls))
    }

    assert unknown <= OUR_OWN_MISTAKES | PREDICATES


@pytest.mark.parametrize(
    "name",
    ["ConnectionError", "TimeoutError", "BusyLoadingError", "MaxConnectionsError", "ReadOnlyError"],
)
def test_what_redis_cannot_do_now_may_be_tried_again(name: str) -> None:
    """Redis's own connection errors are neither of the standard library's, nor unknown."""
    cls = getattr(importlib.import_module("redis.exceptions"), name)

    assert Classifier().classify(made(cls)).transient


def test_a_password_that_redis_refuses_is_not_tried_again() -> None:
    """A refused login is a connection error to redis-py, but it will be refused again."""
    cls = importlib.import_module("redis.exceptions").AuthenticationError

    assert not Classifier().classify(made(cls)).transient


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_broker_that_is_not_there_was_sent_nothing(url: str) -> None:
    """What kombu raises of a refused connection says so, whichever transport it came from."""
    kombu = importlib.import_module("kombu")
    operational = importlib.import_module("kombu.exceptions").OperationalError

    with pytest.raises(operational) as caught:
        kombu.Connection(url).ensure_connection(max_retries=1, interval_start=0, timeout=2)
    said = Classifier().classify(caught.value)

    assert (said.code, said.effect, said.transient) == (
        *("COMMUNICATION_ERROR", Effect.NOT_SENT),
        True,
    )


def test_a_wrong_redis_is_known_by_its_own_error() -> None:
    """The client's own exception, without kombu around it, says that nothing was sent."""
    redis = importlib.import_module("redis")

    with pytest.raises(redis.exceptions.ConnectionError) as caught:
        redis.Redis(port=1).ping()

    assert Classifier().classify(caught.value).effect is Effect.NOT_SENT
