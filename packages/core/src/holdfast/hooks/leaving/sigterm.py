"""SIGTERM: the process is not ready from then on, and what was reported is delivered.

Whoever handles the signal keeps handling it: ours stands in front of that handler and passes on.
Where nobody does, the process still ends by the signal, after the reporters had their time.
"""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Final

from holdfast.hooks.leaving import departure
from holdfast.hooks.leaving.hosts import ends_by_signal
from holdfast.hooks.uncaught import is_interactive

_RESTARTING: Final = ("gunicorn", "asyncio")
"""Hosts that let system calls go on when the signal comes; a new handler would undo that."""
_EMBEDDED: Final = ("mod_wsgi", "uwsgi")
"""Modules of servers around the interpreter, which handle signals where Python does not see them."""


class _Held(threading.local):
    """Which signals this thread let through before it held one back."""

    mask: set[int] | None = None


_held = _Held()


class Sigterm:
    """Listens for SIGTERM in front of the handler that is there.

    A handler that is put on top later is left where it is: then ours only passes on, if it is called.
    """

    def __init__(self) -> None:
        self._listening = False
        self._before: object = None

    @property
    def handler_before(self) -> object:
        """The handler that was there: a callable, or `SIG_DFL`."""
        return self._before

    def install(self) -> None:
        """Listen, in the main thread only; a signal that is ignored stays ignored."""
        self._listening = True
        found = signal.getsignal(signal.SIGTERM)
        if self._before is not None or is_interactive() or not _is_ours_to_handle(found):
            return
        if threading.current_thread() is threading.main_thread():
            self._before = found
            _handle(self._received, like=found)

    def uninstall(self) -> None:
        """Stop listening, and put back the handler that was there unless another came on top."""
        self._listening = False
        if self._is_on_top() and threading.current_thread() is threading.main_thread():
            _handle(self._before, like=self._before)
            self._before = None

    def forking(self) -> None:
        """Hold the signal back: Python forgets one that comes to a child in its first moments."""
        if self._is_on_top():
            _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def forked_here(self) -> None:
        """Let the signal come again, after this thread has forked."""
        mask, _held.mask = _held.mask, None
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def forked(self) -> None:
        """Give a child back what there was before: others end it, and count on how that goes."""
        listening = self._listening
        self.uninstall()
        self._listening = listening
        self.forked_here()

    def _is_on_top(self) -> bool:
        return signal.getsignal(signal.SIGTERM) == self._received

    def _received(self, signum: int, frame: FrameType | None) -> None:
        leaves_by_itself = departure.departure() is not None
        if self._listening:
            departure.terminated("SIGTERM")
        if callable(self._before):
            self._before(signum, frame)
            if self._listening and ends_by_signal(self._before):
                departure.flush()
        elif not self._is_on_top():
            return  # whoever came on top has called us, and goes on
        elif leaves_by_itself:
            departure.leave()
        else:
            self._die(signum)

    def _die(self, signum: int) -> None:
        """End by the signal, after the reporters had their time; a second signal ends it at once."""
        signal.signal(signum, signal.SIG_DFL)
        if self._listening:
            departure.close()
        signal.raise_signal(signum)
        os._exit(128 + signum)  # the first process of a container does not die of signals


def _is_ours_to_handle(found: object) -> bool:
    """Tell whether a handler is one that Python knows, and not a decision to ignore the signal."""
    if any(module in sys.modules for module in _EMBEDDED):
        return False
    return found == signal.SIG_DFL or callable(found)


def _handle(handler: object, *, like: object) -> None:
    try:
        signal.signal(signal.SIGTERM, handler)  # type: ignore[arg-type]  # as `getsignal` gave it
    except ValueError:  # not the main interpreter
        return
    owner = getattr(like, "__self__", like)
    module = getattr(owner, "__module__", None) or type(owner).__module__
    if str(module).partition(".")[0] in _RESTARTING:
        signal.siginterrupt(signal.SIGTERM, False)  # noqa: FBT003  # as the library has it


hook = Sigterm()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=hook.forking, after_in_parent=hook.forked_here, after_in_child=hook.forked
    )
