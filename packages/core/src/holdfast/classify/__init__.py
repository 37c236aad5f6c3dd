"""What an exception means: one classification that response, log, retry, breaker and health share.

An exception is read in this order: the classifiers a project gave, then rules by the exception's
classes (most specific first), then an `AppError`'s own facts, else it is INTERNAL and untrusted.
"""

from holdfast.classify.classification import UNKNOWN, Classification, Reading, classification_of
from holdfast.classify.classifier import (
    Classifier,
    ClassifierFunction,
    default_classifier,
    determine_http_status,
)
from holdfast.classify.databases import database_rules
from holdfast.classify.explain import Explanation, Note
from holdfast.classify.groups import (
    CONTROL_FLOW,
    MAX_GROUP_LEAVES,
    as_group,
    behind,
    is_control_flow,
    leaves,
)
from holdfast.classify.partial import Partial
from holdfast.classify.rulebook import MAX_CACHED_TYPES
from holdfast.classify.rules import Rule, is_named

__all__ = [
    "CONTROL_FLOW",
    "MAX_CACHED_TYPES",
    "MAX_GROUP_LEAVES",
    "UNKNOWN",
    "Classification",
    "Classifier",
    "ClassifierFunction",
    "Explanation",
    "Note",
    "Partial",
    "Reading",
    "Rule",
    "as_group",
    "behind",
    "classification_of",
    "database_rules",
    "default_classifier",
    "determine_http_status",
    "is_control_flow",
    "is_named",
    "leaves",
]
