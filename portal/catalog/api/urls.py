"""Addresses of the catalog under ``/api/v1/``."""

from django.urls import path

from portal.catalog.api import views

urlpatterns = [
    path("catalog/offerings", views.offerings),
    path("catalog/offerings/<slug:offering>", views.offering),
    path("catalog/offerings/<slug:offering>/plans", views.plans),
    path("catalog/prices", views.prices),
]
