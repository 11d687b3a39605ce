"""Addresses of the catalog."""

from django.urls import path

from portal.catalog import views

app_name = "catalog"
urlpatterns = [
    path("catalog", views.catalog, name="catalog"),
    path("catalog/<slug:slug>", views.order, name="order"),
    path("catalog/<slug:slug>/quote", views.quote, name="quote"),
    path("catalog/<slug:slug>/name", views.check_name, name="check-name"),
]
