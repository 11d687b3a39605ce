"""Paths of this package's API, under ``/api/v1/``."""

from django.urls import path

from portal.notify.api import views

urlpatterns = [path("announcements", views.announcements)]
