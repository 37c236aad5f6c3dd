"""What a server loads: `wsgi` and `asgi`, made when they are asked for; breaks where the environment asks for it."""

import os

import holdfast

if "HOLDFAST_TEST_EARLY" in os.environ:
    holdfast.configure(service="shop", reporters=["tests.paths.filing:reporter"]).install()

if os.environ.get("HOLDFAST_TEST_SERVER") == "uvicorn":
    from django.core.asgi import get_asgi_application as get_application
else:
    from django.core.wsgi import get_wsgi_application as get_application  # type: ignore[assignment]

application = get_application()

if os.environ.get("HOLDFAST_TEST_BREAK") == "entry":
    raise KeyError("the module broke")
