"""The project has no models; importing them may fail."""

import os

if os.environ.get("HOLDFAST_TEST_BREAK") == "models":
    raise KeyError("the models broke")
