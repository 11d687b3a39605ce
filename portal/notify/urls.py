"""Paths of what everybody may read."""

from django.urls import path

from portal.notify import views

urlpatterns = [path("announcements", views.announcement_list, name="announcement_list")]
