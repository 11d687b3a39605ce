"""Paths of organizations, projects, who belongs to them, and the audit log."""

from django.urls import path

from portal.projects.views import (
    answering,
    audit,
    founding,
    invitations,
    machines,
    members,
    organization_settings,
    organizations,
    people,
    projects,
    quotas,
    webhooks,
)

ORGANIZATION = "organizations/<str:organization>"
MACHINE = f"{ORGANIZATION}/service-accounts/<str:account>"

urlpatterns = [
    path("welcome", founding.welcome, name="welcome"),
    path("organizations", organizations.organization_list, name="organization_list"),
    path(f"{ORGANIZATION}/security", founding.organization_security, name="organization_security"),
    path(ORGANIZATION, organizations.organization_detail, name="organization_detail"),
    path(f"{ORGANIZATION}/members", people.organization_members, name="organization_members"),
    path(f"{ORGANIZATION}/members/<str:member>", people.organization_member, name="organization_member"),
    path(
        f"{ORGANIZATION}/members/<str:member>/remove",
        people.organization_member_remove,
        name="organization_member_remove",
    ),
    path(f"{ORGANIZATION}/invitations", invitations.organization_invitations, name="organization_invitations"),
    path(
        f"{ORGANIZATION}/invitations/<str:invitation>/resend", invitations.invitation_resend, name="invitation_resend"
    ),
    path(
        f"{ORGANIZATION}/invitations/<str:invitation>/revoke", invitations.invitation_revoke, name="invitation_revoke"
    ),
    path(f"{ORGANIZATION}/settings", organization_settings.organization_settings, name="organization_settings"),
    path(f"{ORGANIZATION}/leave", organization_settings.organization_leave, name="organization_leave"),
    path(f"{ORGANIZATION}/transfer", organization_settings.organization_transfer, name="organization_transfer"),
    path(f"{ORGANIZATION}/reopen", organization_settings.organization_reopen, name="organization_reopen"),
    path(f"{ORGANIZATION}/webhooks", webhooks.webhook_list, name="webhook_list"),
    path(f"{ORGANIZATION}/webhooks/new", webhooks.webhook_create, name="webhook_create"),
    path(f"{ORGANIZATION}/webhooks/<str:webhook>", webhooks.webhook_detail, name="webhook_detail"),
    path(f"{ORGANIZATION}/webhooks/<str:webhook>/edit", webhooks.webhook_edit, name="webhook_edit"),
    path(f"{ORGANIZATION}/webhooks/<str:webhook>/rotate", webhooks.webhook_rotate, name="webhook_rotate"),
    path(f"{ORGANIZATION}/webhooks/<str:webhook>/test", webhooks.webhook_test, name="webhook_test"),
    path(f"{ORGANIZATION}/webhooks/<str:webhook>/delete", webhooks.webhook_delete, name="webhook_delete"),
    path(
        f"{ORGANIZATION}/webhooks/<str:webhook>/deliveries/<str:delivery>",
        webhooks.webhook_delivery,
        name="webhook_delivery",
    ),
    path(
        f"{ORGANIZATION}/webhooks/<str:webhook>/deliveries/<str:delivery>/replay",
        webhooks.webhook_replay,
        name="webhook_replay",
    ),
    path("invitations/<str:token>", answering.invitation, name="invitation"),
    path("projects/new", projects.project_create, name="project_create"),
    path("projects/<str:project>", projects.project_detail, name="project_detail"),
    path("projects/<str:project>/members", members.project_members, name="project_members"),
    path("projects/<str:project>/members/<str:member>", members.member_change, name="member_change"),
    path("projects/<str:project>/members/<str:member>/remove", members.member_remove, name="member_remove"),
    path("audit", audit.audit_list, name="audit_list"),
    path("audit/export", audit.audit_export, name="audit_export"),
    path("audit/head", audit.audit_head, name="audit_head"),
    path("audit/<str:event>", audit.audit_event, name="audit_event"),
    path(f"{ORGANIZATION}/service-accounts", machines.machine_list, name="machine_list"),
    path(MACHINE, machines.machine_detail, name="machine_detail"),
    path(f"{MACHINE}/change", machines.machine_change, name="machine_change"),
    path(f"{MACHINE}/active", machines.machine_active, name="machine_active"),
    path(f"{MACHINE}/delete", machines.machine_delete, name="machine_delete"),
    path(f"{MACHINE}/tokens/<str:machine_token>/revoke", machines.machine_token_revoke, name="machine_token_revoke"),
    path(f"{ORGANIZATION}/quotas", quotas.organization_quotas, name="organization_quotas"),
    path(
        f"{ORGANIZATION}/quotas/<str:organization_request>/withdraw",
        quotas.organization_quota_withdraw,
        name="organization_quota_withdraw",
    ),
    path("projects/<str:project>/quotas", quotas.project_quotas, name="project_quotas"),
    path(
        "projects/<str:project>/quotas/<str:quota_request>/withdraw",
        quotas.project_quota_withdraw,
        name="project_quota_withdraw",
    ),
]
