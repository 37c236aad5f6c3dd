"""How errors of fields are laid out, whichever part of Django found them."""

from typing import Final

GENERAL_ERRORS: Final = "non_field_errors"
"""Where errors of a whole form or model stand among the field errors; Django REST framework's name."""
