"""One library each: how the claims are put to it."""
