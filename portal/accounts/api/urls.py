"""Paths of tokens and of one's personal data, under ``/api/v1/``."""

from django.urls import path

from portal.accounts.api import notifications, privacy, views

urlpatterns = [
    path("me/data", privacy.data),
    path("tokens", views.tokens),
    path("tokens/<str:token>", views.token),
    path("notifications", notifications.notifications),
    path("notifications/read", notifications.notifications_read),
    path("notifications/preferences", notifications.notification_preferences),
]
