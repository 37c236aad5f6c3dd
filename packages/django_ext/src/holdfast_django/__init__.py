"""holdfast for Django: every error of a project in one place, one error body, health endpoints.

Add `holdfast_django` to `INSTALLED_APPS` and `holdfast_django.middleware.HoldfastMiddleware` to the
top of `MIDDLEWARE`; settings are the dictionary `HOLDFAST`.
"""
