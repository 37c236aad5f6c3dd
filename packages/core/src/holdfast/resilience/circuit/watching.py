"""Who is told what a circuit does: after its lock is released, in order, and at nobody's risk."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from holdfast.complaints import complain
from holdfast.forks import ForkSafeLock
from holdfast.resilience.circuit.period import Override, State


class Watcher:
    """Is told what a circuit does; derive from it, or look like it, with the methods you need.

    A method is called on whatever thread made the circuit do it, without any lock; it may use the
    circuit. What it raises is complained of once, and goes no further. To watch what every call does
    (`admitted`, `success`) takes the short way from the calls of a closed circuit.
    """

    def admitted(self) -> None:
        """A call is made."""

    def rejected(self, reason: str, retry_after: float) -> None:
        """A call is not made: `open`, `half-open`, `ramp` or `forced`; seconds until it may."""

    def blocked_in_shadow(self, reason: str) -> None:
        """A call is made that would not have been without the shadow."""

    def success(self) -> None:
        """A call succeeded."""

    def failure(self, error: BaseException | None) -> None:
        """A call failed."""

    def ignored(self) -> None:
        """A call ended that says nothing of the other side."""

    def slow(self, seconds: float) -> None:
        """A call was slow; it is told of as a success or failure too."""

    def transition(self, before: State, after: State, reason: str) -> None:
        """The state has changed, here or, as this process was told, elsewhere."""

    def decided(self, before: State, after: State, reason: str) -> None:
        """This process has changed the state by itself; told after the same `transition`."""

    def overridden(self, override: Override | None) -> None:
        """Somebody decided in the place of the state, or left it to the state again."""


NAMES: Final = tuple(name for name in vars(Watcher) if not name.startswith("_"))

_Callback = Callable[..., object]


class Watchers:
    """The watchers of one circuit, and what they have not been told yet; thread-safe."""

    def __init__(self) -> None:
        self._watchers: tuple[object, ...] = ()
        self._callbacks: dict[str, tuple[_Callback, ...]] = {}
        self._untold: deque[tuple[_Callback, tuple[Any, ...]]] = deque()
        self._telling = ForkSafeLock()
        self._failed: set[str] = set()

    def add(self, watcher: object) -> None:
        """Tell one more."""
        self._set((*self._watchers, watcher))

    def remove(self, watcher: object) -> None:
        """Tell one no more; one that is not there does not matter."""
        self._set(tuple(each for each in self._watchers if each is not watcher))

    def want(self, *names: str) -> bool:
        """Tell whether anybody listens to one of these."""
        return any(name in self._callbacks for name in names)

    def note(self, name: str, *arguments: object) -> None:
        """Keep something to be told; called under the circuit's lock where the order matters."""
        for callback in self._callbacks.get(name, ()):
            self._untold.append((callback, arguments))

    def tell(self) -> None:
        """Tell what is kept, in its order; called without the circuit's lock.

        One thread tells at a time. What is noted meanwhile, by others or by a watcher itself, it
        tells as well, and they do not wait.
        """
        while self._untold and self._telling.try_acquire():
            try:
                self._tell_all()
            finally:
                self._telling.release()

    def _tell_all(self) -> None:
        while self._untold:
            callback, arguments = self._untold.popleft()
            try:
                callback(*arguments)
            except Exception as error:  # noqa: BLE001  # it is none of the call's business
                self._complain(callback, error)

    def _complain(self, callback: _Callback, error: Exception) -> None:
        name = getattr(callback, "__qualname__", repr(callback))
        if name not in self._failed:
            self._failed.add(name)
            complain(f"{name}, which watches a circuit, failed: {type(error).__name__}: {error}")

    def _set(self, watchers: tuple[object, ...]) -> None:
        found = {name: _callbacks(watchers, name) for name in NAMES}
        self._callbacks = {name: callbacks for name, callbacks in found.items() if callbacks}
        self._watchers = watchers


def _callbacks(watchers: tuple[object, ...], name: str) -> tuple[_Callback, ...]:
    found = [(each, getattr(each, name, None)) for each in watchers]
    silent = getattr(Watcher, name)
    return tuple(
        callback
        for each, callback in found
        if callable(callback) and getattr(type(each), name, None) is not silent
    )
