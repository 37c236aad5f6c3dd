"""Everything that can be run here: tests, checks, documentation, packages.

With nothing but Python 3.11 or later, this file sets up its own environment under `.nox/`:

    python3 noxfile.py demo
    python3 noxfile.py tests
    python3 noxfile.py --list

Whoever has nox runs the same sessions as `nox -s tests`. What follows the session's name goes to
the tool behind it: `python3 noxfile.py tests tests/core -k envelope`. Tests run in as many processes
as there are processors, up to four; `-n 0` keeps them in one, as a debugger needs it.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
CONSTRAINTS = ROOT / "constraints.txt"
BOOTSTRAP = ROOT / ".nox" / "bootstrap"


def trust_system_certificates() -> None:
    """Let uv trust the certificates of the system, as pip does, where there are any."""
    names = {"UV_SYSTEM_CERTS", "UV_NATIVE_TLS"}  # the second is what it was called before uv 0.11
    paths = ssl.get_default_verify_paths()
    on_disk = paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))
    if (on_disk or sys.platform in {"darwin", "win32"}) and names.isdisjoint(os.environ):
        os.environ.update(dict.fromkeys(names, "1"))


def python_in(environment: Path) -> str:
    """Return the path of an environment's interpreter."""
    return str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def bootstrap(arguments: list[str]) -> int:
    """Run nox from a private environment, made on first use, and return its exit code."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"holdfast needs Python 3.11 or later; {sys.executable} is {found}.")
    pins = [line for line in CONSTRAINTS.read_text().splitlines() if re.match("(nox|uv)==", line)]
    stamp = BOOTSTRAP / "made-from.txt"
    wanted = "\n".join([sys.executable, sys.version, *pins])
    if not stamp.is_file() or stamp.read_text() != wanted:
        print("Setting up .nox/bootstrap; once, for about ten seconds.", flush=True)
        make_environment(BOOTSTRAP)
        stamp.write_text(wanted)
    if not arguments:
        arguments = ["--list"]
    if not arguments[0].startswith("-"):
        arguments = ["--session", arguments[0], "--", *arguments[1:]]
    command = [python_in(BOOTSTRAP), "-m", "nox", "--noxfile", __file__, *arguments]
    try:
        return subprocess.run(command, check=False, env=bootstrap_environment()).returncode
    except KeyboardInterrupt:
        return 130


def make_environment(folder: Path) -> None:
    """Make the environment that holds nox, with whichever tool this machine has."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    packages = ["--quiet", "--constraint", str(CONSTRAINTS), "nox", "uv"]
    python, uv = python_in(folder), shutil.which("uv")
    try:
        if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            # Quiet twice: warnings about the machine's configuration are not ours.
            install = [python, "-m", "pip", "install", "--quiet", *packages]
        elif uv:
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
            install = [uv, "pip", "install", "--python", python, *packages]
        else:
            sys.exit(
                f"{sys.executable} cannot make environments: its modules venv and ensurepip are missing.\n"
                "Install them (Debian and Ubuntu: apt-get install python3-venv), or install uv."
            )
        subprocess.run(install, check=True)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(
            f"Setting up {folder} failed, see above: {error}\n"
            "It takes Python's venv module (Debian and Ubuntu: apt-get install python3-venv) and a"
            " package index that pip reaches."
        )


def bootstrap_environment() -> dict[str, str]:
    """Return the environment for nox, in which uv trusts the certificates pip is told to."""
    asked = [python_in(BOOTSTRAP), "-m", "pip", "config", "get", "global.cert"]
    certificates = subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()
    environment = dict(os.environ)
    if certificates:
        environment.setdefault("SSL_CERT_FILE", certificates)
    return environment


trust_system_certificates()

if __name__ == "__main__":
    sys.exit(bootstrap(sys.argv[1:]))

import nox  # below the bootstrap, which has to run without it

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_external_run = True
nox.options.error_on_missing_interpreters = False  # a skip is reported
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "lint", "types"]

PACKAGES = {"holdfast": "core", "holdfast-django": "django_ext", "holdfast-flask": "flask_ext"}
EXTRAS = {"holdfast": "[all]", "holdfast-django": "[drf,openapi]", "holdfast-flask": "[async]"}
SOURCES = [f"packages/{folder}/src" for folder in PACKAGES.values()]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

# The folders of tests that need one package; every other folder sees all three.
OWN = {"core", "django_ext", "flask_ext"}
# Each part of the tests with the distributions it sees, the groups of tools beside them, and its
# folders. Without extras a test that needs one is skipped; with them that would be a failure.
SUITES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "core-alone": (["holdfast"], ["tests"], ["tests/core"]),
    "core": (["holdfast[all]"], ["tests", "drivers", "edges"], ["tests/core"]),
    "django": (
        ["holdfast[all]", "holdfast-django[drf,openapi]"],
        ["tests", "drivers", "servers", "peers", "edges"],
        ["tests/django_ext"],
    ),
    "flask": (
        ["holdfast[all]", "holdfast-flask[async]"],
        ["tests", "servers", "neighbours", "edges"],
        ["tests/flask_ext"],
    ),
    "rest": (
        [name + extras for name, extras in EXTRAS.items()],
        ["tests", "drivers", "servers", "peers", "calls", "neighbours", "edges"],
        sorted(f"tests/{path.name}" for path in ROOT.glob("tests/[a-z]*/") if path.name not in OWN),
    ),
}
TESTS = [folder for _, _, folders in SUITES.values() for folder in folders]
# A process takes tests from another when it has none left, so that most files, and what their
# fixtures start, stay in one. (Groups of xdist do nothing under pytest 9.2.)
SPREAD = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
# Tests of many processes and short times, which need the machine for themselves.
ALONE = (
    "tests/integrations/test_circuits_redis.py",
    "tests/paths/test_flood.py",
    "tests/paths/test_storm.py",
)


def offer_pyenv() -> None:
    """Let pyenv answer for every Python it has; by default it answers for one."""
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    own = ".".join(map(str, sys.version_info[:3]))
    names = [path.name for path in versions.glob("3.*") if path.name.rpartition(".")[0] in PYTHONS]
    if names:
        os.environ["PYENV_VERSION"] = ":".join(sorted(names, key=lambda name: (name != own, name)))


offer_pyenv()


def install(
    session: nox.Session, *requirements: str, groups: tuple[str, ...] = (), pins: Path = CONSTRAINTS
) -> None:
    """Install requirements and groups of tools, always within the constraints."""
    project = nox.project.load_toml("pyproject.toml")
    tools = nox.project.dependency_groups(project, *groups)
    session.install("--constraint", str(pins), *requirements, *tools)


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="holdfast-")


def temporary_folder() -> Path:
    """Return a folder that lasts as long as this process."""
    return Path(_temporary().name)


def wheel(requirement: str) -> str:
    """Return the requirement of a built wheel, for a name with extras."""
    name = requirement.partition("[")[0]
    (path,) = temporary_folder().glob(f"{name.replace('-', '_')}-*.whl")
    return f"{requirement} @ {path.as_uri()}"


def declared() -> list[str]:
    """Return what the three packages declare to need, without each other."""
    found: list[str] = []
    for folder in PACKAGES.values():
        project = nox.project.load_toml(f"packages/{folder}/pyproject.toml")["project"]
        groups = project.get("optional-dependencies", {}).values()
        found += [*project["dependencies"], *(item for group in groups for item in group)]
    return sorted({item for item in found if not item.startswith("holdfast")})


def compile_constraints(session: nox.Session, requirements: list[str], *options: str) -> list[str]:
    """Return `name==version ; marker` lines for requirements, resolved by uv, without addresses."""
    asked, answered = temporary_folder() / "asked.in", temporary_folder() / "answered.txt"
    asked.write_text("\n".join(requirements))
    session.run(
        *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", *options),
        *("--output-file", str(answered), str(asked)),
        external=True,
    )
    lines = answered.read_text().splitlines()
    return [line for line in lines if re.match(r"[A-Za-z0-9._-]+==[^/]+$", line)]


@nox.session
def wheels(session: nox.Session) -> None:
    """Build the three wheels for the sessions that install them; runs by itself."""
    install(session, groups=("build",))
    for folder in PACKAGES.values():
        session.run(
            *("python", "-m", "build", "--wheel", "--no-isolation"),
            *("--outdir", str(temporary_folder()), f"packages/{folder}"),
            silent=True,
        )


def selected(session: nox.Session, folders: list[str]) -> tuple[list[str], list[str]]:
    """Return the paths to test within folders, and the other arguments for pytest."""
    paths = [item for item in session.posargs if item.startswith("tests")]
    options = [item for item in session.posargs if item not in paths]
    if paths:
        return [p for p in paths if any(f"{p}/".startswith(f"{f}/") for f in folders)], options
    return [folder for folder in folders if (ROOT / folder).is_dir()], options


def pytest(session: nox.Session, folders: list[str], **environment: str) -> None:
    """Run pytest on folders, with nothing of the source tree to be imported."""
    paths, options = selected(session, folders)
    if not paths:
        session.skip("nothing asked for here")
    alone = [file for file in ALONE if any(f"{file}/".startswith(f"{path}/") for path in paths)]
    others = [path for path in paths if path not in alone]
    ignored = [f"--ignore={file}" for file in alone]
    runs = ((SPREAD, [*options, *ignored], others), (("-n", "0"), options, alone))
    for spread, told, chosen in runs:
        if chosen:
            session.run(
                *("python", "-m", "pytest", *spread, *told, *chosen),
                env={"PYTHONPATH": "", **environment},
                success_codes=[0, 5] if options else [0],  # 5: the options selected nothing here
            )


@nox.session(requires=["wheels"])
@nox.parametrize("suite", list(SUITES))
def tests(session: nox.Session, suite: str) -> None:
    """Test the built wheels: core without and with extras, Django, Flask, and all together."""
    distributions, groups, folders = SUITES[suite]
    if not selected(session, folders)[0]:
        session.skip("nothing asked for here")
    install(session, *map(wheel, distributions), groups=tuple(groups))
    pytest(session, folders, HOLDFAST_REQUIRE_EXTRAS="0" if suite == "core-alone" else "1")


@nox.session(requires=["wheels"])
@nox.parametrize(
    "python,versions", [(PYTHONS[0], "lowest"), *((python, "newest") for python in PYTHONS)]
)
def matrix(session: nox.Session, versions: str) -> None:
    """Test on every Python that is here, with the newest and the lowest declared versions."""
    pins = CONSTRAINTS
    if versions == "lowest":
        lowest = compile_constraints(
            session, declared(), "--resolution", "lowest-direct", "--python-version", PYTHONS[0]
        )
        names = {line.partition("==")[0] for line in lowest}
        newest = CONSTRAINTS.read_text().splitlines()
        pins = temporary_folder() / "lowest.txt"
        pins.write_text(
            "\n".join([*lowest, *(x for x in newest if x.partition("==")[0] not in names)])
        )
    distributions, groups, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=tuple(groups), pins=pins)
    pytest(session, list(dict.fromkeys(TESTS)), HOLDFAST_REQUIRE_EXTRAS="1")


@nox.session(requires=["wheels"])
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests reach."""
    distributions, groups, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=(*groups, "coverage"))
    paths, options = selected(session, list(dict.fromkeys(TESTS)))
    session.run("coverage", "run", "-m", "pytest", *options, *paths, env={"PYTHONPATH": ""})
    session.run("coverage", "report")


@nox.session(requires=["wheels"])
def flood(session: nox.Session) -> None:
    """Raise a hundred thousand errors in ten threads, and show what becomes of memory and queues."""
    distributions, groups, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=tuple(groups))
    session.run(
        *("python", "-m", "pytest", "-s", "tests/paths/test_flood.py", *session.posargs),
        env={"PYTHONPATH": "", "HOLDFAST_TEST_FLOOD": "100000"},
    )


@nox.session(requires=["wheels"])
def storm(session: nox.Session) -> None:
    """Raise a million errors in eight processes, and show which few messages people get of them."""
    distributions, groups, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=tuple(groups))
    session.run(
        *("python", "-m", "pytest", "-s", "tests/paths/test_storm.py", *session.posargs),
        env={
            "PYTHONPATH": "",
            "HOLDFAST_TEST_STORM": "1000000",
            "HOLDFAST_TEST_STORM_PROCESSES": "8",
        },
    )


@nox.session(requires=["wheels"])
def outages(session: nox.Session) -> None:
    """Let each dependency of a service go away and come back twenty times; needs the servers."""
    distributions, groups, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=tuple(groups))
    session.run(
        *("python", "-m", "pytest", "-s", "tests/paths/test_outages.py", *session.posargs),
        env={
            "PYTHONPATH": "",
            "HOLDFAST_TEST_OUTAGES": "20",
            "HOLDFAST_REQUIRE_SERVICES": "1",
        },
    )


@nox.session(requires=["wheels"])
def kills(session: nox.Session) -> None:
    """Kill 200 children of a Celery worker on each broker, and see that nothing is lost or hangs."""
    distributions, groups, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=tuple(groups))
    session.run(
        *("python", "-m", "pytest", "tests/paths/test_celery_kills.py", *session.posargs),
        env={"PYTHONPATH": "", "HOLDFAST_TEST_KILLS": "200"},
    )


@nox.session(requires=["wheels"])
def herd(session: nox.Session) -> None:
    """Let 200 threads call a dependency that goes down for five seconds, in five ways; takes --write."""
    install(session, wheel("holdfast"), groups=("calls",))
    session.run("python", "-m", "benchmarks.herd", *session.posargs, env={"PYTHONPATH": ""})


@nox.session(requires=["wheels"])
def probes(session: nox.Session) -> None:
    """Probe servers for a minute each while checks hang and the database is cut; takes --write, cases."""
    distributions, _, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=("servers", "drivers"))
    session.run("python", "-m", "benchmarks.probes", *session.posargs, env={"PYTHONPATH": ""})


@nox.session(requires=["wheels"])
def upstream(session: nox.Session) -> None:
    """Run pybreaker's own tests against the drop-in class; takes the path of a checkout of pybreaker."""
    if not session.posargs:
        session.skip("give the path of a checkout of pybreaker, and arguments for pytest after it")
    checkout, *options = session.posargs
    install(session, wheel("holdfast[redis]"), groups=("tests", "upstream"))
    # Its tests say `from pybreaker import *`, so this is the whole shim.
    shim = temporary_folder() / "drop_in.py"
    shim.write_text(
        "import pybreaker\n"
        "from holdfast.resilience import breaker\n"
        "pybreaker.CircuitBreaker = breaker.CircuitBreaker\n"
        "pybreaker.CircuitRedisStorage = breaker.CircuitRedisStorage\n"
    )
    # One test mocks a class of states, and asserts how pybreaker itself makes it for its listeners.
    skipped = "not test_notify_called_on_state_change"
    with session.chdir(checkout):
        session.run(
            *("python", "-m", "pytest", "-p", "drop_in", "-p", "no:randomly", "-c", os.devnull),
            *("--rootdir", ".", "-k", skipped, *options, "tests/pybreaker_test.py"),
            env={"PYTHONPATH": str(shim.parent)},
        )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, spelling, layers, docstrings of tests and sizes."""
    install(session, groups=("lint",))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("lint-imports", "--no-logo", env={"PYTHONPATH": os.pathsep.join(SOURCES)})
    session.run("interrogate", "--quiet", "tests")
    too_long = [
        line
        for source in SOURCES
        for path in Path(source).rglob("*.py")
        for line in oversized(path)
    ]
    if too_long:
        session.error("Over the size budget:\n" + "\n".join(sorted(too_long)))


def oversized(path: Path, function_lines: int = 60, module_lines: int = 500) -> list[str]:
    """Return a line for each function (without its docstring) or module that is too long."""
    text = path.read_text()
    lines = text.count("\n")
    found = [f"{path}: {lines} lines"] if lines > module_lines else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node):
                length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            if length > function_lines:
                found.append(f"{path}:{node.lineno} {node.name}: {length} lines without docstring")
    return found


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of source and tests, with mypy and pyright, both strict."""
    install(session, *declared(), groups=(*SUITES["rest"][1], "types", "nox"))
    session.run("mypy", *session.posargs)
    session.run("pyright", *session.posargs)


@nox.session(requires=["wheels"])
def demo(session: nox.Session) -> None:
    """Show the suite at work, with Django and with Flask."""
    distributions, _, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=("servers",))
    session.run("python", "examples/demo.py", *session.posargs, env={"PYTHONPATH": ""})


@nox.session(requires=["wheels"])
def bench(session: nox.Session) -> None:
    """Measure beside the peers; takes a quiet machine and minutes."""
    distributions, _, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=("servers", "peers", "calls"))
    session.run("python", "benchmarks/run.py", *session.posargs, env={"PYTHONPATH": ""})


@nox.session(requires=["wheels"])
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build; a broken reference is an error."""
    distributions, _, _ = SUITES["rest"]
    install(session, *map(wheel, distributions), groups=("docs",))
    session.run("sphinx-build", "-n", "-W", "--keep-going", *session.posargs, "docs", "docs/_build")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheels and source distributions into dist/, install each alone and import it."""
    install(session, groups=("build",))
    shutil.rmtree("dist", ignore_errors=True)
    for folder in PACKAGES.values():
        session.run(
            "python",
            "-m",
            "build",
            "--no-isolation",
            "--outdir",
            "dist",
            f"packages/{folder}",
            silent=True,
        )
    for name in PACKAGES:
        module = name.replace("-", "_")
        (archive,) = Path("dist").glob(f"{module}-*.whl")
        environment = temporary_folder() / module
        session.run("python", "-m", "venv", str(environment))
        python = python_in(environment)
        options = ("--quiet", "--quiet", "--constraint", str(CONSTRAINTS), "--find-links", "dist")
        session.run(python, "-m", "pip", "install", *options, str(archive), external=True)
        shown = f"import {module}; print({name!r}, 'imports')"
        session.run(python, "-I", "-c", shown, external=True)


@nox.session
def constraints(session: nox.Session) -> None:
    """Resolve constraints.txt anew: versions and markers, no addresses; takes --upgrade."""
    project = nox.project.load_toml("pyproject.toml")
    tools = nox.project.dependency_groups(project, *project["dependency-groups"])
    lines = compile_constraints(
        *(session, [*declared(), *tools], "--universal", "--python-version", PYTHONS[0]),
        *session.posargs,
    )
    CONSTRAINTS.write_text("\n".join(lines) + "\n")
    session.log(f"{len(lines)} versions")
