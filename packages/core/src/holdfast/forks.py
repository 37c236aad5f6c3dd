"""What is used on both sides of a fork; this module's lists are global state.

A fork copies a lock as it is: one that another thread held stays locked in the child for ever,
because that thread did not come along.
"""

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress


class ForkSafeLock:
    """A lock that a forked child finds open, whoever held it at the fork; not reentrant.

    Example:
        >>> lock = ForkSafeLock()
        >>> with lock:
        ...     lock.locked()
        True
    """

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # the child of a thread that forked while it held the lock
            self._lock.release()

    def try_acquire(self) -> bool:
        """Take it without waiting, as what interrupts its holder must; False when somebody holds it."""
        return self._lock.acquire(blocking=False)

    def release(self) -> None:
        """Give back what `try_acquire` took."""
        self.__exit__()

    def locked(self) -> bool:
        """Tell whether somebody holds it."""
        return self._lock.locked()

    def renew(self) -> None:
        """Be open, as in a process that has no other thread yet."""
        self._lock = threading.Lock()


_locks: "weakref.WeakSet[ForkSafeLock]" = weakref.WeakSet()
_resets: "list[weakref.WeakMethod[Callable[[], None]]]" = []
_notes: "list[weakref.WeakMethod[Callable[[], None]]]" = []


def after_fork(reset: Callable[[], None]) -> None:
    """Call a method in every forked child, as long as its object lives; locks are open by then.

    Args:
        reset: A bound method; it forgets the threads that did not come along.
    """
    _resets[:] = [known for known in _resets if known() is not None]
    _resets.append(weakref.WeakMethod(reset))


def after_forking(note: Callable[[], None]) -> None:
    """Call a method in every process that has forked, as long as its object lives.

    Args:
        note: A bound method.
    """
    _notes[:] = [known for known in _notes if known() is not None]
    _notes.append(weakref.WeakMethod(note))


def _renew() -> None:
    for lock in tuple(_locks):
        lock.renew()
    _call(_resets)


def _tell() -> None:
    _call(_notes)


def _call(methods: "list[weakref.WeakMethod[Callable[[], None]]]") -> None:
    for known in tuple(methods):
        method = known()
        if method is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew, after_in_parent=_tell)
