"""`uvicorn --workers 2`, whose supervisor says with which code a worker ended."""

import sys

import uvicorn
from uvicorn.supervisors import multiprocess


class Telling(multiprocess.Process):
    """A worker as uvicorn starts them."""

    def join(self) -> None:
        """Wait for its end, and say how that was."""
        super().join()
        print(f"worker {self.pid} ended with {self.exitcode}", flush=True)  # noqa: T201  # for the test


if __name__ == "__main__":
    multiprocess.Process = Telling  # type: ignore[misc]  # the supervisor makes no other kind
    fd = int(sys.argv[1].removeprefix("--fd="))
    uvicorn.run("tests.paths.leaving_app:asgi", fd=fd, workers=2, lifespan="off")
