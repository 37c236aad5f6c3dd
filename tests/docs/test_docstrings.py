"""Every example in a docstring runs."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("holdfast", "holdfast_django", "holdfast_flask")


def modules() -> list[str]:
    """Return the modules of the three packages whose docstrings hold examples, without importing them."""
    found: list[str] = []
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(folder.parent).with_suffix("").parts
                found.append(".".join(part for part in parts if part != "__init__"))
    return found


@pytest.mark.parametrize("module", modules())
def test_the_examples_of_a_module_run(module: str) -> None:
    """What the docstrings show is what happens; in a process of its own, as they declare codes."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }

    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "docs" / "doctests.py"), module],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    assert done.returncode == 0, done.stdout + done.stderr
