"""Checks of memory by psutil: of the machine on any system, and of this process.

Extra: `pip install "holdfast[psutil]"`.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Final

from holdfast.health.check import Finding, degraded
from holdfast.health.checks.memory import check_shares, facts_of, judged
from holdfast.health.checks.verdict import failed

try:
    import psutil
except ImportError as error:  # say what to install
    raise ImportError('these checks need psutil: pip install "holdfast[psutil]"') from error

_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class MachineMemoryCheck:
    """Warns, or fails, as the memory of the machine fills up; knows of no container.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> MachineMemoryCheck(warn=0.8).fail is None
        True
    """

    _: KW_ONLY
    warn: float | None = 0.9
    """Share, above 0 and up to 1, from which on it warns; None: never."""
    fail: float | None = None
    """Share from which on it fails, not below `warn`; None: never."""

    def __post_init__(self) -> None:
        check_shares(self.warn, self.fail)

    def __call__(self) -> dict[str, object] | Finding:
        """Look how much is used."""
        told = psutil.virtual_memory()
        used = told.total - told.available
        return judged(
            used / told.total, self.warn, self.fail, facts_of("machine", used, told.total)
        )


@dataclass(frozen=True, slots=True)
class ProcessMemoryCheck:
    """Warns, or fails, as this process holds more memory than it should: it may leak.

    Where it fails in the group `live`, Kubernetes starts the process anew.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> ProcessMemoryCheck(warn_mb=400, fail_mb=500).fail_mb
        500
    """

    _: KW_ONLY
    warn_mb: float | None = None
    """Megabytes that are resident, above 0, from which on it warns; None: never."""
    fail_mb: float | None = None
    """Megabytes from which on it fails, not below `warn_mb`; None: never."""

    def __post_init__(self) -> None:
        if self.warn_mb is None and self.fail_mb is None:
            raise ValueError(
                "either warn_mb or fail_mb must be given: else there is nothing to check"
            )
        for name in ("warn_mb", "fail_mb"):
            limit: float | None = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} must be above 0 megabytes, or None, not {limit}")
        if self.warn_mb is not None and self.fail_mb is not None and self.warn_mb > self.fail_mb:
            raise ValueError(
                f"warn_mb must not be above fail_mb, not {self.warn_mb} with {self.fail_mb}"
            )

    def __call__(self) -> dict[str, object] | Finding:
        """Look how much is resident."""
        megabytes = psutil.Process().memory_info().rss / _MB
        said, facts = f"holds {megabytes:.0f} MB", {"resident_mb": round(megabytes, 1)}
        if self.fail_mb is not None and megabytes >= self.fail_mb:
            return failed(said, **facts)
        if self.warn_mb is not None and megabytes >= self.warn_mb:
            return degraded(said, **facts)
        return {**facts}
