"""Addresses of prices."""

from django.urls import path

from apps.billing import views

app_name = "billing"
urlpatterns = [path("pricing", views.pricing, name="pricing")]
