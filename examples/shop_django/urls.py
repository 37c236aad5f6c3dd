"""Addresses of the shop."""

from django.urls import include, path

from examples.shop_django import views

urlpatterns = [
    path("products", views.products),
    path("products/<str:sku>", views.product),
    path("products/<str:sku>/delivery", views.delivery),
    path("products/<str:sku>/stock", views.stock),
    path("orders", views.place_order),
    path("orders/<int:order_id>/payment", views.pay),
    path("orders/<int:order_id>/refund", views.refund),
    path("catalogue", views.print_catalogue),
    path("sales", views.sales),
    path("calculate", views.calculation),
    path("errors/<str:name>", views.raise_example),
    path("crash", views.crash),
    path("metrics", views.metrics),
    path("statistics", views.statistics),
    path("openapi.json", views.openapi),
    path("codes/", include("holdfast_django.catalog_urls")),
    path("health/", include("holdfast_django.urls")),
]
