"""The three distributions are one release: one version, exact pins, versions that are all known."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import holdfast

ROOT = Path(__file__).parents[2]
FOLDERS = {"holdfast": "core", "holdfast-django": "django_ext", "holdfast-flask": "flask_ext"}
ADAPTERS = ["holdfast-django", "holdfast-flask"]
CONSTRAINT = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==[0-9][\w.+!]*( ; [\w '\".*<>=!()-]+)?")


def table(path: str) -> dict[str, Any]:
    """Return what a TOML file of the repository holds."""
    return tomllib.loads((ROOT / path).read_text())


def project(name: str) -> dict[str, Any]:
    """Return what a distribution declares of itself."""
    declared: dict[str, Any] = table(f"packages/{FOLDERS[name]}/pyproject.toml")["project"]
    return declared


def name_of(requirement: str) -> str:
    """Return the normalised name in a requirement."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def constraints() -> list[str]:
    """Return the lines of the constraints."""
    return (ROOT / "constraints.txt").read_text().splitlines()


def imports_of(source: Path) -> set[str]:
    """Return the top-level names that a folder of source imports, at any depth."""
    found: set[str] = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", FOLDERS)
def test_every_distribution_has_the_version_of_the_core(name: str) -> None:
    """One version number stands in all three."""
    assert project(name)["version"] == project("holdfast")["version"]


def test_the_package_tells_its_version() -> None:
    """`holdfast.__version__` is the version of the distribution."""
    assert holdfast.__version__ == project("holdfast")["version"]


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_pins_the_core_exactly(name: str) -> None:
    """An adapter works with the core of its own release and says so."""
    assert f"holdfast=={project(name)['version']}" in project(name)["dependencies"]


@pytest.mark.parametrize("name", FOLDERS)
def test_every_distribution_supports_the_same_pythons(name: str) -> None:
    """The oldest Python and the list of versions are the same in all three."""
    core, own = project("holdfast"), project(name)

    assert own["requires-python"] == ">=3.11"
    pythons = [c for c in own["classifiers"] if "Python :: 3." in c]
    assert pythons == [c for c in core["classifiers"] if "Python :: 3." in c]


@pytest.mark.parametrize("name", FOLDERS)
def test_every_distribution_is_typed_and_licensed(name: str) -> None:
    """`py.typed` and the licence of the repository are part of each."""
    folder = ROOT / "packages" / FOLDERS[name]

    assert (folder / "src" / name.replace("-", "_") / "py.typed").is_file()
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_constraints_are_versions_and_markers_only() -> None:
    """Each line is `name==version`, perhaps with a marker: no address, no option."""
    assert [line for line in constraints() if not CONSTRAINT.fullmatch(line)] == []


def test_every_declared_requirement_is_constrained() -> None:
    """Whatever a distribution, an extra or a session asks for has a version in the constraints."""
    groups = list(table("pyproject.toml")["dependency-groups"].values())
    for name in FOLDERS:
        own = project(name)
        groups += [own["dependencies"], *own["optional-dependencies"].values()]
    asked = {name_of(item) for group in groups for item in group}

    assert asked - {line.partition("==")[0] for line in constraints()} == {"holdfast"}


def test_no_tracked_configuration_holds_an_address_of_an_index() -> None:
    """Where packages come from is the machine's business."""
    paths = ["constraints.txt", "pyproject.toml", "noxfile.py", ".ci/run"]
    paths += [f"packages/{folder}/pyproject.toml" for folder in FOLDERS.values()]

    assert [path for path in paths if "://" in (ROOT / path).read_text()] == []


def test_every_third_party_import_has_a_declared_home() -> None:
    """A library that a package imports is placed in the contracts of import-linter."""
    frameworks = {"django", "flask", "werkzeug", "click", "asgiref", "jinja2", "markupsafe"}
    for_checkers = {"_typeshed"}
    contracts = table("pyproject.toml")["tool"]["importlinter"]["contracts"]
    (homes,) = (contract for contract in contracts if contract["id"] == "homes")
    placed = set(homes["forbidden_modules"]) | frameworks | for_checkers
    known = placed | sys.stdlib_module_names | {name.replace("-", "_") for name in FOLDERS}

    for folder in FOLDERS.values():
        assert imports_of(ROOT / "packages" / folder / "src") - known == set()
