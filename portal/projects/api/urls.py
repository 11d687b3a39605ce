"""Paths of this package's API, under ``/api/v1/``."""

from django.urls import path

from portal.projects.api import audit, members, views

urlpatterns = [
    path("me", views.me),
    path("organizations", views.organizations),
    path("organizations/<str:organization>", views.organization),
    path("projects", views.projects),
    path("projects/<str:project>", views.project),
    path("projects/<str:project>/members", members.project_members),
    path("projects/<str:project>/members/<str:member>", members.project_member),
    path("audit", audit.events),
]
