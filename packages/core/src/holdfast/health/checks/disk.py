"""Whether there is room on a file system."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from os import PathLike
from typing import Final, NamedTuple

from holdfast.health.check import Finding, degraded
from holdfast.health.checks.verdict import failed

_GB: Final = 1e9


class _Room(NamedTuple):
    """What is left of something that a file system has."""

    what: str
    free: int
    whole: int


@dataclass(frozen=True, slots=True)
class DiskCheck:
    """Warns and then fails as the file system of a path fills up, or when it cannot be written to.

    Free is what this user may take. Where the file system counts inodes, limits that are shares hold
    for them, too.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> DiskCheck("/var/lib/shop", warn_free=5e9, fail_free=500e6).fail_free
        500000000.0
    """

    path: str | PathLike[str]
    """Anything on the file system."""
    _: KW_ONLY
    warn_free: float = 0.1
    """What has to be free: a share of the whole below 1, bytes from 1 on; not below `fail_free`."""
    fail_free: float = 0.02
    """With less it fails: a share below 1, bytes from 1 on, as `warn_free`; 0: only when nothing is."""

    def __post_init__(self) -> None:
        if not 0 <= self.fail_free <= self.warn_free:
            raise ValueError(
                "fail_free must be 0 or more and not above warn_free, "
                f"not {self.fail_free} with {self.warn_free}"
            )
        if self.fail_free and (self.fail_free < 1) != (self.warn_free < 1):
            raise ValueError(
                "warn_free and fail_free must both be shares, below 1, or both bytes, from 1 on, "
                f"not {self.warn_free} and {self.fail_free}"
            )

    def __call__(self) -> dict[str, object] | Finding:
        """Look how much is free.

        Raises:
            OSError: When there is no such path.
        """
        rooms, is_readonly = _rooms(self.path)
        facts = dict(_facts(rooms))
        if is_readonly:
            return failed("the file system is mounted read-only", **facts)
        for limit, verdict in ((self.fail_free, failed), (self.warn_free, degraded)):
            for room in rooms:
                if self._is_short(room, limit):
                    return verdict(f"few {room.what} are free", **facts)
        return facts

    def _is_short(self, room: _Room, limit: float) -> bool:
        if room.free <= 0:
            return True
        if limit < 1:
            return room.free < limit * room.whole
        return room.what == "bytes" and room.free < limit


def _rooms(path: str | PathLike[str]) -> tuple[list[_Room], bool]:
    """Return what is left, and whether nothing may be written."""
    if not hasattr(os, "statvfs"):
        usage = shutil.disk_usage(path)
        return [_Room("bytes", usage.free, usage.total)], False
    told = os.statvfs(path)
    size = told.f_frsize
    rooms = [_Room("bytes", told.f_bavail * size, told.f_blocks * size)]
    if told.f_files:  # btrfs and others make them as they are needed
        rooms.append(_Room("inodes", told.f_favail, told.f_files))
    return rooms, bool(told.f_flag & os.ST_RDONLY)


def _facts(rooms: list[_Room]) -> Iterator[tuple[str, object]]:
    for room in rooms:
        share = room.free / room.whole if room.whole else 0.0
        yield f"free_{room.what}_share", round(share, 4)
        if room.what == "bytes":
            yield "free_gb", round(room.free / _GB, 3)
