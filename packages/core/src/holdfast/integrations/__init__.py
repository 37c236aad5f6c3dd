"""One module for each optional library; loaded by name when a setting asks for it, never imported."""
