"""Paths of regions."""

from django.urls import path

from portal.clusters import views

urlpatterns = [
    path("regions", views.region_list, name="region_list"),
    path("regions/<slug:region>", views.region_detail, name="region_detail"),
]
