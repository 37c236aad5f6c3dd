"""How much of the memory is used that this process may have: its container's, else the machine's."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from holdfast.health.check import Finding, degraded
from holdfast.health.checks.verdict import failed

_MB: Final = 1e6
_KB: Final = 1024


class _Used(NamedTuple):
    of: str
    used: int
    whole: int

    @property
    def share(self) -> float:
        return self.used / self.whole


class _Files(NamedTuple):
    """What a version of cgroups calls what is looked at."""

    of: str
    controller: str
    """As `/proc/self/cgroup` has it."""
    folder: str
    """Where it is mounted, below the mounts of all."""
    limit: str
    used: str
    cache: str
    """Key of `memory.stat`: what the kernel takes back when it needs it."""


_VERSIONS: Final = (
    _Files("cgroup v2", "", "", "memory.max", "memory.current", "inactive_file"),
    _Files(
        "cgroup v1",
        "memory",
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """Warns, or fails, as the memory fills up that is there for this process. Linux only.

    Looked at are the limits of the container (cgroup v2 or v1, and those around it), and without any
    the machine; files that the kernel keeps in memory and can give up are not counted. Other systems:
    `holdfast.integrations.psutil_health`.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> MemoryCheck(warn=0.8, fail=0.95).warn
        0.8
    """

    _: KW_ONLY
    warn: float | None = 0.9
    """Share, above 0 and up to 1, from which on it warns; None: never."""
    fail: float | None = None
    """Share from which on it fails, not below `warn`; None: never. Whoever fails here is sent no
    more work, or is started anew: when the memory is the machine's, so is everybody else."""
    proc: Path = Path("/proc")
    """Where the kernel tells."""
    cgroups: Path = Path("/sys/fs/cgroup")
    """Where cgroups are mounted."""

    def __post_init__(self) -> None:
        check_shares(self.warn, self.fail)

    def __call__(self) -> dict[str, object] | Finding:
        """Look how much is used; reads a few small files."""
        used = self._used()
        if used is None:
            return degraded(
                "this system does not tell: take the check of holdfast.integrations.psutil_health"
            )
        return judged(used.share, self.warn, self.fail, facts_of(used.of, used.used, used.whole))

    def _used(self) -> _Used | None:
        machine = _machine(self.proc / "meminfo")
        if machine is None:
            return None
        limits = [each for each in self._limits() if each.whole < machine.whole]
        return max(limits, key=lambda each: each.share, default=machine)

    def _limits(self) -> Iterator[_Used]:
        groups = dict(_groups(self.proc / "self" / "cgroup"))
        for version in _VERSIONS:
            mount = self.cgroups / version.folder
            inside = PurePosixPath(groups.get(version.controller, "/")).relative_to("/")
            # Within a container the own group may be seen as the root, or by its name outside.
            for group in (inside, *inside.parents):
                found = _limit(version, mount / group)
                if found is not None:
                    yield found


def judged(
    share: float, warn: float | None, fail: float | None, facts: dict[str, object]
) -> dict[str, object] | Finding:
    """Return what a share of the memory means."""
    said = f"{share:.0%} of the memory are used"
    if fail is not None and share >= fail:
        return failed(said, **facts)
    if warn is not None and share >= warn:
        return degraded(said, **facts)
    return facts


def facts_of(of: str, used: int, whole: int) -> dict[str, object]:
    """Return what is told of memory.

    Args:
        of: Whose it is.
        used: Bytes.
        whole: Bytes, above 0.
    """
    return {
        "of": of,
        "used_share": round(used / whole, 4),
        "used_mb": round(used / _MB),
        "limit_mb": round(whole / _MB),
    }


def check_shares(warn: float | None, fail: float | None) -> None:
    """Raise when limits make no sense.

    Raises:
        ValueError: For a share that is none, or a warning that comes after the failure.
    """
    for name, share in (("warn", warn), ("fail", fail)):
        if share is not None and not 0 < share <= 1:
            raise ValueError(f"{name} must be a share above 0 and up to 1, or None, not {share}")
    if warn is not None and fail is not None and warn > fail:
        raise ValueError(f"warn must not be above fail, not {warn} with {fail}")
    if warn is None and fail is None:
        raise ValueError("either warn or fail must be given: else there is nothing to check")


def _machine(meminfo: Path) -> _Used | None:
    facts = {words[0]: words[1] for words in _words(meminfo)}
    if "MemTotal:" not in facts or "MemAvailable:" not in facts:
        return None
    total, available = (int(facts[key]) * _KB for key in ("MemTotal:", "MemAvailable:"))
    return _Used("machine", total - available, total)


def _groups(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the group of this process by controller; that of version 2 by an empty one."""
    for line in _text(file).splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _limit(files: _Files, folder: Path) -> _Used | None:
    """Return what is used of a group's limit; None when it has none."""
    limit, used = _text(folder / files.limit), _text(folder / files.used)
    if not (limit.isdecimal() and used.isdecimal() and int(limit)):
        return None
    facts = {words[0]: words[1] for words in _words(folder / "memory.stat")}
    return _Used(files.of, max(0, int(used) - int(facts.get(files.cache, "0"))), int(limit))


def _words(file: Path) -> Iterator[list[str]]:
    for line in _text(file).splitlines():
        words = line.split()
        if len(words) > 1:
            yield words


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
