"""Taking secrets out of everything before it leaves the process.

`redactor` decides; `keys` knows the names of secrets, `patterns` their shapes, `fields` how text
gives a name a value, `database` what databases quote, `walk` how to go through an object.
"""

from holdfast.redact.redactor import Redactor
from holdfast.redact.walk import JsonValue

__all__ = ["JsonValue", "Redactor"]
