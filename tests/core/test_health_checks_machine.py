"""Disks, folders and memory: real ones, and the kernel's files as it writes them elsewhere."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.health.checks.disk import DiskCheck
from holdfast.health.checks.folder import FolderCheck
from holdfast.health.checks.memory import MemoryCheck
from tests.core.listening import run

pytestmark = [
    pytest.mark.usefixtures("descriptors"),
    pytest.mark.skipif(sys.platform == "win32", reason="asks a Unix"),
]

GB = 10**9
KB = 1024

SMALL_DISK = """
import pathlib, sys
from holdfast.health import HealthRegistry
from holdfast.health.checks.disk import DiskCheck
from holdfast.health.checks.folder import FolderCheck
registry = HealthRegistry()
registry.register_check("disk", DiskCheck("/mnt"))
registry.register_check("folder", FolderCheck("/mnt"))
def tell():
    print(*[f"{r.status.value} {r.output}".strip() for r in registry.run_all_checks().values()], sep=", ")
tell()
free = pathlib.Path("/mnt/ballast")
free.write_bytes(b"x" * 950_000)
tell()
try:
    with free.open("ab") as file:
        file.write(b"x" * 10_000_000)
except OSError:
    pass
tell()
print(sorted(p.name for p in pathlib.Path("/mnt").iterdir()))
"""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the file system be as a test says, in the words of the system."""

    def become(free: int, inodes: int = 900, whole_inodes: int = 1000, flag: int = 0) -> None:
        told = SimpleNamespace(
            f_frsize=1000,
            f_bavail=free,
            f_blocks=100_000_000,
            f_favail=inodes,
            f_files=whole_inodes,
            f_flag=flag,
        )
        monkeypatch.setattr(os, "statvfs", lambda _: told)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    return become


def test_a_disk_says_how_much_is_free(tmp_path: Path) -> None:
    """This one has some room, or nothing else here would work."""
    result = run(DiskCheck(tmp_path, warn_free=0, fail_free=0))

    assert result.status.value == "pass"
    assert result.details["free_gb"] > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("free_mb", "status", "output"),
    [
        (10_000, "pass", ""),
        (9_999, "warn", "few bytes are free"),
        (2_000, "warn", "few bytes are free"),
        (1_999, "fail", "few bytes are free"),
        (0, "fail", "few bytes are free"),
    ],
)
def test_a_disk_warns_and_then_fails_as_it_fills_up(
    disk: Callable[..., None], free_mb: int, status: str, output: str
) -> None:
    """By shares of the 100 GB it has here: a tenth, and a fiftieth."""
    disk(free=free_mb * 1000)

    result = run(DiskCheck("/data"))

    assert (result.status.value, result.output) == (status, output)
    assert result.details["free_gb"] == free_mb / 1000


@pytest.mark.parametrize(
    ("free_mb", "status"), [(5_000, "pass"), (4_999, "warn"), (500, "warn"), (499, "fail")]
)
def test_limits_of_a_disk_may_be_bytes(
    disk: Callable[..., None], free_mb: int, status: str
) -> None:
    """From 1 on they are; inodes then count only when there are none."""
    disk(free=free_mb * 1000, inodes=1)

    assert run(DiskCheck("/data", warn_free=5e9, fail_free=5e8)).status.value == status


@pytest.mark.parametrize(
    ("inodes", "whole", "status"),
    [
        (100, 1000, "pass"),
        (99, 1000, "warn"),
        (19, 1000, "fail"),
        (0, 1000, "fail"),
        (0, 0, "pass"),
    ],
)
def test_inodes_run_out_as_bytes_do(
    disk: Callable[..., None], inodes: int, whole: int, status: str
) -> None:
    """Where the file system counts them: a disk full of small files has room and takes none."""
    disk(free=50_000_000, inodes=inodes, whole_inodes=whole)

    result = run(DiskCheck("/data"))

    assert (result.status.value, result.output) == (
        status,
        "" if status == "pass" else "few inodes are free",
    )


def test_a_disk_that_is_mounted_read_only_fails(disk: Callable[..., None]) -> None:
    """As the kernel mounts one anew that has errors."""
    disk(free=50_000_000, flag=os.ST_RDONLY)

    result = run(DiskCheck("/data"))

    assert (result.status.value, result.output) == (
        "fail",
        "the file system is mounted read-only",
    )


def test_a_path_that_is_not_there_fails() -> None:
    """A volume that was not mounted is no room."""
    assert run(DiskCheck("/nowhere/at/all")).output == "FileNotFoundError"


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system as Linux does")
def test_a_real_disk_fills_up() -> None:
    """One of a megabyte, mounted for a process of its own: with room, with little, and full."""
    inside = 'mount -t tmpfs -o size=1m none /mnt && exec "$0" -c "$1"'
    whole = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        inside,
        sys.executable,
        SMALL_DISK,
    ]
    try:
        done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError:
        pytest.skip("there is no unshare command")
    if "Operation not permitted" in done.stderr or "ermission denied" in done.stderr:
        pytest.skip("no file system may be mounted here")

    assert done.stdout.splitlines() == [
        "pass, pass",
        "warn few bytes are free, pass",
        "fail few bytes are free, fail OSError",
        "['ballast']",
    ], done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fail_free": -0.1}, "fail_free must be 0 or more"),
        ({"warn_free": 0.01}, "not above warn_free, not 0.02 with 0.01"),
        ({"warn_free": 5e9}, "both be shares"),
        (
            {"warn_free": float("nan")},
            "fail_free must be 0 or more and not above warn_free, not 0.02 with nan",
        ),
    ],
)
def test_impossible_limits_of_a_disk_are_refused(options: dict[str, float], said: str) -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match=said):
        DiskCheck("/", **options)


def test_a_folder_takes_a_file_and_gives_it_back(tmp_path: Path) -> None:
    """And is left as it was."""
    result = run(FolderCheck(tmp_path))

    assert (result.status.value, result.details) == ("pass", {"bytes": 22})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_fails(tmp_path: Path) -> None:
    """The class of the error says why, and nothing is made in its place."""
    result = run(FolderCheck(tmp_path / "missing"))

    assert (result.status.value, result.output) == ("fail", "FileNotFoundError")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_keep_what_is_written_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the file is cut just when it is brought to the disk."""
    monkeypatch.setattr(os, "fsync", lambda file: os.ftruncate(file, 3))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    result = run(FolderCheck(tmp_path))

    assert (result.status.value, result.output) == (
        "fail",
        "what is read back is not what was written",
    )


def test_what_cannot_be_brought_to_the_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is gone however the check ends."""

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)

    result = run(FolderCheck(tmp_path))

    assert (result.status.value, result.output) == ("fail", "OSError")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_has_a_name() -> None:
    """An empty one would be the present folder, whichever that is."""
    with pytest.raises(ValueError, match="path must name a folder"):
        FolderCheck("")


class Kernel:
    """What the kernel tells of memory, in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.cgroups = folder / "cgroups"
        self.write("proc/meminfo", "MemTotal: 1000000 kB\nMemFree: 1 kB\nMemAvailable: 500000 kB\n")
        self.write("proc/self/cgroup", "0::/\n")

    def write(self, path: str, text: str) -> None:
        """Write a file below the folder."""
        file = self.proc.parent / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def second(self, group: str, used: int, limit: int | str, cache: int = 0) -> None:
        """Have a group of version 2."""
        self.write(f"cgroups/{group}/memory.max", f"{limit}\n")
        self.write(f"cgroups/{group}/memory.current", f"{used}\n")
        self.write(f"cgroups/{group}/memory.stat", f"anon 1\ninactive_file {cache}\n")

    def first(self, group: str, used: int, limit: int, cache: int = 0) -> None:
        """Have a group of version 1."""
        self.write(f"cgroups/memory/{group}/memory.limit_in_bytes", f"{limit}\n")
        self.write(f"cgroups/memory/{group}/memory.usage_in_bytes", f"{used}\n")
        self.write(f"cgroups/memory/{group}/memory.stat", f"total_inactive_file {cache}\n")

    def check(self, warn: float | None = 0.9, fail: float | None = None) -> MemoryCheck:
        """Return the check that looks here."""
        return MemoryCheck(warn=warn, fail=fail, proc=self.proc, cgroups=self.cgroups)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Have a kernel without limits, half of whose gigabyte is used."""
    return Kernel(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells so")
def test_the_memory_of_this_machine_is_known() -> None:
    """Or that of the container that this runs in."""
    result = run(MemoryCheck(warn=1.0))

    assert result.status.value == "pass"
    assert 0 < result.details["used_share"] < 1  # type: ignore[operator]


def test_without_a_limit_the_memory_is_the_machines(kernel: Kernel) -> None:
    """What is available counts, not what nobody uses for anything."""
    kernel.second("", used=900 * KB, limit="max")

    result = run(kernel.check())

    assert result.details == {
        "of": "machine",
        "used_share": 0.5,
        "used_mb": 512,
        "limit_mb": 1024,
    }


@pytest.mark.parametrize(
    ("used", "status", "output"),
    [
        (89, "pass", ""),
        (90, "warn", "90% of the memory are used"),
        (97, "warn", "97% of the memory are used"),
        (98, "fail", "98% of the memory are used"),
    ],
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_limit_of_a_container_counts(
    kernel: Kernel, version: str, used: int, status: str, output: str
) -> None:
    """Of both versions of cgroups, less the files that the kernel may give up."""
    have = kernel.second if version == "v2" else kernel.first
    have("", used=(used + 50) * 10**6, limit=100 * 10**6, cache=50 * 10**6)

    result = run(kernel.check(fail=0.98))

    assert (result.status.value, result.output) == (status, output)
    assert result.details == {
        "of": f"cgroup {version}",
        "used_share": used / 100,
        "used_mb": used,
        "limit_mb": 100,
    }


def test_the_tightest_of_several_limits_counts(kernel: Kernel) -> None:
    """A group lies within others, each of which may have its own."""
    kernel.write("proc/self/cgroup", "0::/shop/web\n")
    kernel.second("shop/web", used=10 * 10**6, limit=100 * 10**6)
    kernel.second("shop", used=190 * 10**6, limit=200 * 10**6)

    assert run(kernel.check()).details["used_share"] == 0.95


def test_a_group_that_is_seen_by_its_name_outside_is_the_root_within(kernel: Kernel) -> None:
    """As Docker mounts groups of version 1 into a container."""
    kernel.write("proc/self/cgroup", "9:cpu:/\n4:memory:/docker/0815\n0::/\n")
    kernel.first("", used=95 * 10**6, limit=100 * 10**6)

    assert run(kernel.check()).status.value == "warn"


def test_a_limit_above_what_the_machine_has_is_none(kernel: Kernel) -> None:
    """Version 1 writes a number that no machine has."""
    kernel.first("", used=10**6, limit=9_223_372_036_854_771_712)

    assert run(kernel.check()).details["of"] == "machine"


def test_a_system_that_does_not_tell_is_no_failure(tmp_path: Path) -> None:
    """It warns, and says what to take in its place."""
    result = run(MemoryCheck(proc=tmp_path, cgroups=tmp_path))

    assert result.status.value == "warn"
    assert "psutil_health" in result.output


@pytest.mark.parametrize(
    ("warn", "fail", "said"),
    [
        (0.0, None, "warn must be a share above 0 and up to 1, or None, not 0.0"),
        (None, 90, "fail must be a share"),
        (0.9, 0.8, "warn must not be above fail, not 0.9 with 0.8"),
        (None, None, "either warn or fail"),
    ],
)
def test_impossible_limits_of_memory_are_refused(
    warn: float | None, fail: float | None, said: str
) -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match=said):
        MemoryCheck(warn=warn, fail=fail)
