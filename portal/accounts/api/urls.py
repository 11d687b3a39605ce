"""Paths of the tokens API, under ``/api/v1/``."""

from django.urls import path

from portal.accounts.api import views

urlpatterns = [
    path("tokens", views.tokens),
    path("tokens/<str:token>", views.token),
]
