"""What settings say of a policy, as a value; light, because every runtime's settings hold it."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from holdfast.strict.reader import Place, Reader, ReadsItself


def _nothing() -> Mapping[str, Mapping[str, object]]:
    return {}


@dataclass(frozen=True, slots=True)
class Tuning(ReadsItself):
    """Options of one policy's layers that hold in the place of those in the code.

    Attributes:
        options: By the class of a layer, by option.
        off: Classes of the layers that are switched off.
    """

    options: Mapping[str, Mapping[str, object]] = field(default_factory=_nothing)
    off: frozenset[str] = frozenset()

    @classmethod
    def read_setting(cls, reader: Reader, value: object, place: Place) -> object:
        """Return the tuning that a mapping describes; the fields of the layers say what it may hold."""
        if isinstance(value, cls):
            return value
        # Loaded for the first policy that is tuned: it brings all the layers along.
        read = importlib.import_module("holdfast.resilience.options").read_tuning
        return cast("object", read(reader, value, place))
