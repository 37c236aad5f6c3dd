"""An urlconf that cannot be imported."""

raise KeyError("the urlconf broke")
