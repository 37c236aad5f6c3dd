"""The project's command line, with holdfast listening before the settings are read."""

import sys

import holdfast

if __name__ == "__main__":
    holdfast.configure(service="shop", reporters=["tests.paths.filing:reporter"]).install()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
