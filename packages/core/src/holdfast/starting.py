"""How a process gets its runtime, in plain Python: `configure`, and `init_error_system`."""

from holdfast import environment
from holdfast.runtime import Runtime
from holdfast.settings import Settings, load_settings
from holdfast.strict import Notation


def configure(**settings: object) -> Runtime:
    """Make a runtime from keyword settings; `install()` makes it the process's.

    Raises:
        SettingsError: With every mistake at once, each with its path and the nearest valid name.

    Example:
        >>> configure(service="importer", reporters=[]).settings.service
        'importer'
    """
    given = load_settings(Settings, settings, root="", case="lower")
    return Runtime(given, notation=Notation(root="", case="lower"))


def init_error_system(**settings: object) -> Runtime:
    """Configure and install the process's runtime, and return it.

    A second call with the same settings returns the runtime that is there.

    Raises:
        RuntimeError: When a runtime with other settings is installed.
        SettingsError: With every mistake at once.
    """
    installed = environment.default()
    if isinstance(installed, Runtime):
        if installed.settings == load_settings(Settings, settings, root="", case="lower"):
            return installed
        raise RuntimeError(
            "init_error_system() was called before with other settings; "
            "call uninstall() on the runtime it returned first"
        )
    return configure(**settings).install()
