"""Options that make no sense are refused where they are written: what, where, and what to write."""

import math

LONGEST = 31_536_000.0
"""Seconds that no wait and no time limit exceeds: a year."""


def check_seconds(
    where: str, value: object, *, least: float = 0.0, above: bool = False, most: float = LONGEST
) -> None:
    """Refuse what is no finite number of seconds within bounds.

    Args:
        where: Of the option, such as `Timeout.seconds`.
        value: What was given.
        least: The least it may be.
        above: Whether it has to be more than that.
        most: The most it may be.

    Raises:
        TypeError: For what is no number.
        ValueError: For a number out of bounds.
    """
    check_number(where, value, "seconds", least=least, above=above, most=most)


def check_number(
    where: str,
    value: object,
    unit: str,
    *,
    least: float = 0.0,
    above: bool = False,
    most: float = math.inf,
) -> None:
    """Refuse what is no finite number within bounds, as `check_seconds` does for any unit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{where} must be a number of {unit}, not {value!r:.100}")
    fits = (value > least if above else value >= least) and value <= most and math.isfinite(value)
    if not fits:
        low = f"more than {least:.12g}" if above else f"at least {least:.12g}"
        high = "finite" if most == math.inf else f"at most {most:.12g}"
        raise ValueError(f"{where} must be {low} and {high} {unit}, not {value!r:.100}")


def check_any_number(where: str, value: object) -> None:
    """Refuse what is no number at all; an infinite one is.

    Raises:
        TypeError: For what is no number.
        ValueError: For NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{where} must be a number, not {value!r:.100}")
    if math.isnan(value):
        raise ValueError(f"{where} must be a number, not NaN")


def check_count(where: str, value: object, *, least: int, most: int) -> None:
    """Refuse what is no whole number within bounds.

    Raises:
        TypeError: For what is no whole number.
        ValueError: For a number out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{where} must be a whole number, not {value!r:.100}")
    if not least <= value <= most:
        raise ValueError(f"{where} must be {least} to {most}, not {value}")
