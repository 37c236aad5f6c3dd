"""Pages of the catalogue: `path("errors/", include("holdfast_django.catalog_urls"))`."""

from django.urls import path

from holdfast_django.catalog import INDEX, index, page

urlpatterns = [
    path("", index, name=INDEX),
    path("<str:code>", page, name="holdfast-code"),
]
