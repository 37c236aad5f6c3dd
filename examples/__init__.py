"""A small shop, once with Django and once with Flask, and a demo that walks through its errors."""
