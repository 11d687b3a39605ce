"""Addresses of regions under ``/api/v1/``."""

from django.urls import path

from portal.clusters.api import views

urlpatterns = [
    path("regions", views.regions),
    path("regions/<str:region>", views.region),
    path("regions/<str:region>/ca", views.ca),
]
