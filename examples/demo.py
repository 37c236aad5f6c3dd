"""Show the suite at work: two shops under real servers, and every family of errors over HTTP.

python examples/demo.py          walks, then keeps serving
python examples/demo.py --once   walks, and ends with 0 if every answer was as it should be
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # a script sees only its own folder

from examples.walk.main import main  # noqa: E402  # can be found from here on

if __name__ == "__main__":
    sys.exit(main())
