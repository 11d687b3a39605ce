"""Paths of projects, their members, and the audit log."""

from django.urls import path

from portal.projects.views import audit, members, projects

urlpatterns = [
    path("projects/new", projects.project_create, name="project_create"),
    path("projects/<str:project>", projects.project_detail, name="project_detail"),
    path("projects/<str:project>/members", members.project_members, name="project_members"),
    path("projects/<str:project>/members/<str:member>", members.member_change, name="member_change"),
    path("projects/<str:project>/members/<str:member>/remove", members.member_remove, name="member_remove"),
    path("audit", audit.audit_list, name="audit_list"),
]
