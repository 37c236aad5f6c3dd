"""Whether a thread is handling an error right now."""

import threading


class _Handling(threading.local):
    """Whether this thread is in the middle of handling an error: what a step of it logs is no further one."""

    busy = False


handling = _Handling()
