"""What the numbers of signals are called."""

from signal import Signals


def signal_name(number: int) -> str:
    """Return a signal's name, or its number where it has none: a real-time signal.

    Example:
        >>> signal_name(9)
        'SIGKILL'
        >>> signal_name(250)
        'signal 250'
    """
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
