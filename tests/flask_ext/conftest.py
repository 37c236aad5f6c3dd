"""An application with every kind of mistake, in process."""

from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakValueDictionary

import pytest
from flask import Flask
from flask.testing import FlaskClient

from holdfast.resilience import policy
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast

MakeApp: TypeAlias = Callable[..., Flask]


@pytest.fixture
def recorded() -> RecordingReporter:
    """What the runtimes of the test reported."""
    return RecordingReporter()


@pytest.fixture(autouse=True)
def _no_policies_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know of no policy that other tests of this process define."""
    monkeypatch.setattr(policy, "_declared", WeakValueDictionary[int, policy.Policy]())


@pytest.fixture
def make_app(recorded: RecordingReporter) -> MakeApp:
    """Make a connected application from settings; it reports at once, to `recorded` alone."""

    def make(**config: object) -> Flask:
        app = Flask("tests.flask_ext.app")
        app.config["HOLDFAST_REPORTERS"] = []
        app.config["HOLDFAST_REPORTING"] = {"INLINE": True}
        app.config.from_mapping(config)
        Holdfast(app, reporters=[recorded])
        return app

    return make


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """A connected application without views."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of `app`."""
    return app.test_client()
