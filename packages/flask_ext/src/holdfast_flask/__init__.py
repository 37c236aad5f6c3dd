"""Connects Flask to holdfast."""

from holdfast_flask.config import FlaskHealthSettings, FlaskSettings
from holdfast_flask.extension import Holdfast, runtime_of

__version__ = "0.1.0"

__all__ = ["FlaskHealthSettings", "FlaskSettings", "Holdfast", "runtime_of"]
