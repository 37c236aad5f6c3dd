"""The shop with Django and its ORM."""
