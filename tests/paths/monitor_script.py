"""A worker of a service that is monitored: it has the runtime, and does nothing else.

It is told its settings in the first argument; the service is out of order while the file of the second is
there. Whatever comes on standard input it answers with its report.
"""

import json
import os
import sys
from pathlib import Path

from holdfast.health.monitor import monitor as home
from holdfast.runtime import Runtime
from holdfast.settings import Settings, load_settings

home.SETTLING = 0.05


def main() -> None:
    """Work until standard input ends."""
    runtime = Runtime(load_settings(Settings, json.loads(sys.argv[1])))
    broken = Path(sys.argv[2])

    def database() -> None:
        if broken.exists():
            raise ConnectionError("no route to host")

    runtime.health.register_check("database", database)
    runtime.install()
    for _ in sys.stdin:
        report = runtime.monitor.get_report().as_json()
        sys.stdout.write(json.dumps({"pid": os.getpid(), "report": report}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
