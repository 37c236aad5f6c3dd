"""Streamed bodies: their errors come after Flask is done, and no hook of it sees them."""

from collections.abc import Iterable, Iterator

from holdfast.context import WorkContext, end, resume
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast_flask.capture import pass_on


class WatchedStream(Iterator[bytes | str]):
    """A body that hands its errors to the runtime and raises them on, for the server to break off.

    Args:
        body: What the view streams.
        runtime: The application's.
        origin: Which request it answers.
        work: Current while the body is made, wherever the server iterates.
    """

    def __init__(
        self, body: Iterable[bytes | str], runtime: Runtime, origin: Origin, work: WorkContext
    ) -> None:
        self._body = body
        self._chunks = iter(body)
        self._runtime = runtime
        self._origin = origin
        self._work = work

    def __next__(self) -> bytes | str:
        token = resume(self._work)
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:
            pass_on(error)
            self._runtime.handle(error, self._origin)
            raise
        finally:
            end(token)

    def close(self) -> None:
        """Close the body, as the server asks when it is sent or the client is gone."""
        close = getattr(self._body, "close", None)
        if close is None:
            return
        token = resume(self._work)
        try:
            close()
        except BaseException as error:
            pass_on(error)
            self._runtime.handle(error, self._origin)
            raise
        finally:
            end(token)
