"""Paths of this package's API, under ``/api/v1/``."""

from django.urls import path

from portal.projects.api import (
    audit,
    founding,
    invitations,
    machines,
    members,
    organizations,
    people,
    quotas,
    views,
    webhooks,
)

urlpatterns = [
    path("me", views.me),
    path("organizations", views.organizations),
    path("organizations/<str:organization>", organizations.organization),
    path("organizations/<str:organization>/members", people.organization_members),
    path("organizations/<str:organization>/members/<str:member>", people.organization_member),
    path("organizations/<str:organization>/invitations", invitations.invitations),
    path("organizations/<str:organization>/invitations/<str:invitation>", invitations.invitation),
    path("organizations/<str:organization>/invitations/<str:invitation>/resend", invitations.resend),
    path("organizations/<str:organization>/policy", founding.organization_policy),
    path("organizations/<str:organization>/leave", organizations.leave),
    path("organizations/<str:organization>/transfer", organizations.transfer),
    path("organizations/<str:organization>/close", organizations.close),
    path("organizations/<str:organization>/reopen", organizations.reopen),
    path("invitations/accept", invitations.accept),
    path("invitations/decline", invitations.decline),
    path("projects", views.projects),
    path("projects/<str:project>", views.project),
    path("projects/<str:project>/members", members.project_members),
    path("projects/<str:project>/members/<str:member>", members.project_member),
    path("audit", audit.events),
    path("audit/export", audit.export),
    path("audit/head", audit.head),
    path("audit/<str:event>", audit.event),
    path("organizations/<str:organization>/service-accounts", machines.service_accounts),
    path("organizations/<str:organization>/service-accounts/<str:account>", machines.service_account),
    path("organizations/<str:organization>/service-accounts/<str:account>/tokens", machines.service_account_tokens),
    path(
        "organizations/<str:organization>/service-accounts/<str:account>/tokens/<str:machine_token>",
        machines.service_account_token,
    ),
    path("organizations/<str:organization>/quotas", quotas.organization_quotas),
    path("organizations/<str:organization>/quota-requests", quotas.organization_quota_requests),
    path(
        "organizations/<str:organization>/quota-requests/<str:organization_request>/withdraw",
        quotas.organization_quota_request_withdraw,
    ),
    path("projects/<str:project>/quotas", quotas.project_quotas),
    path("projects/<str:project>/quota-requests", quotas.project_quota_requests),
    path("projects/<str:project>/quota-requests/<str:quota_request>/withdraw", quotas.project_quota_request_withdraw),
    path("organizations/<str:organization>/webhooks", webhooks.organization_webhooks),
    path("organizations/<str:organization>/webhooks/<str:webhook>", webhooks.organization_webhook),
    path("organizations/<str:organization>/webhooks/<str:webhook>/rotate", webhooks.organization_webhook_rotate),
    path("organizations/<str:organization>/webhooks/<str:webhook>/test", webhooks.organization_webhook_test),
    path(
        "organizations/<str:organization>/webhooks/<str:webhook>/deliveries", webhooks.organization_webhook_deliveries
    ),
    path(
        "organizations/<str:organization>/webhooks/<str:webhook>/deliveries/<str:delivery>",
        webhooks.organization_webhook_delivery,
    ),
    path(
        "organizations/<str:organization>/webhooks/<str:webhook>/deliveries/<str:delivery>/replay",
        webhooks.organization_webhook_replay,
    ),
]
