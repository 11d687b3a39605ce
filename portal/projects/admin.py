"""Organizations, projects, who belongs to them, and quotas in the admin site: what operators do has a reason."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.accounts.actors import actor_of
from portal.core.admin import ReadOnlyAdmin, ReadOnlyInline, operator_action
from portal.core.attention import needs_a_look
from portal.core.operator_forms import OperatorForm, operator_form
from portal.projects import governing, quotas
from portal.projects.models import (
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectMembership,
    Quota,
    QuotaRequest,
)


class QuotaForm(OperatorForm):
    """A limit of an organization, or of one project of it."""

    resource = forms.ChoiceField(label=_("Of what"))
    project = forms.ModelChoiceField(
        Project.objects.none(), label=_("Project"), required=False, empty_label=_("The organization as a whole")
    )
    limit = forms.IntegerField(
        label=_("Limit"),
        min_value=0,
        max_value=quotas.MOST,
        required=False,
        help_text=_("Empty gives back the default. A limit below what is in use takes nothing away."),
    )

    def prepare(self) -> None:
        """Offer the organization's projects and what can be limited."""
        project = self.fields["project"]
        assert isinstance(project, forms.ModelChoiceField)  # noqa: S101
        project.queryset = Project.objects.filter(organization=self.row)
        resource = self.fields["resource"]
        assert isinstance(resource, forms.ChoiceField)  # noqa: S101
        resource.choices = [(name, name) for name in quotas.resources()]


class GrantForm(OperatorForm):
    """A yes to a request: with what was asked for, or another limit."""

    limit = forms.IntegerField(label=_("Limit"), min_value=0, max_value=quotas.MOST)

    def prepare(self) -> None:
        """Begin with what was asked for, and say what is in force."""
        limits = quotas.effective(self.row.organization, self.row.project)
        words = _("Asked for: %(asked)s. In force now: %(now)s. Why they ask: %(reason)s")
        told = {"asked": self.row.limit, "now": limits.get(self.row.resource, "–"), "reason": self.row.reason}
        self.fields["limit"].initial = self.row.limit
        self.fields["limit"].help_text = words % told
        self.fields["reason"].label = _("Answer")
        self.fields["reason"].help_text = _("Those who asked read it, and it goes into their audit log.")


class RefusalForm(OperatorForm):
    """A no to a request, with what stands against it."""

    def prepare(self) -> None:
        """Say who reads the answer."""
        self.fields["reason"].label = _("Answer")
        self.fields["reason"].help_text = _("Those who asked read it, and it goes into their audit log.")


@operator_form(_("Set a quota"), QuotaForm)
def set_quota(request: HttpRequest, organization: Organization, form: QuotaForm) -> None:
    """Limit an organization or a project of it, or give back the default."""
    quotas.set_quota(actor_of(request), organization=organization, **form.cleaned_data)


@operator_action(_("Open again"))
def reopen(request: HttpRequest, organization: Organization, reason: str) -> None:
    """Open a closed organization again, while its bin is kept."""
    governing.reopen(actor_of(request), organization=organization, reason=reason)


@operator_form(_("Grant"), GrantForm)
def grant(request: HttpRequest, asked: QuotaRequest, form: GrantForm) -> None:
    """Answer a request with yes."""
    limit, answer = form.cleaned_data["limit"], form.cleaned_data["reason"]
    quotas.answer_request(actor_of(request), request=asked, granted=True, limit=limit, answer=answer)


@operator_form(_("Refuse"), RefusalForm)
def refuse(request: HttpRequest, asked: QuotaRequest, form: RefusalForm) -> None:
    """Answer a request with no."""
    quotas.answer_request(actor_of(request), request=asked, granted=False, answer=form.cleaned_data["reason"])


class MembersInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "created_at")
    readonly_fields = ("created_at",)
    verbose_name_plural = _("members")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user").order_by("user__email")


class ProjectsInline(ReadOnlyInline):
    model = Project
    fields = ("slug", "name", "services", "created_at")
    readonly_fields = ("services", "created_at")

    @admin.display(description=_("services"))
    def services(self, project: Project) -> int:
        """Say how many services live in it."""
        return int(getattr(project, "living", 0))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Project] = super().get_queryset(request)
        return rows.annotate(living=LIVING).order_by("slug")


class QuotasInline(ReadOnlyInline):
    model = Quota
    fields = ("project", "resource", "limit", "changed_at")
    readonly_fields = ("changed_at",)


class RequestsInline(ReadOnlyInline):
    model = QuotaRequest
    fields = ("project", "resource", "limit", "state", "created_at", "answer")
    readonly_fields = ("created_at",)


LIVING = Count("resources", filter=Q(resources__purged_at=None, resources__deletion_requested_at=None), distinct=True)
LIVING_OF_ALL = Count(
    "projects__resources",
    filter=Q(projects__resources__purged_at=None, projects__resources__deletion_requested_at=None),
    distinct=True,
)


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "members", "services", "mfa_required", "closed_at", "created_at")
    list_filter = ("mfa_required", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("slug", "name", "memberships__user__email")
    fields = ("public_id", "slug", "name", "mfa_required", "closed_at", "services", "created_at")
    readonly_fields = ("public_id", "services", "created_at")
    inlines = (MembersInline, ProjectsInline, QuotasInline, RequestsInline)
    actions = (set_quota, reopen)

    def idle_actions(self, organization: Organization) -> Iterable[str]:
        return () if organization.closed_at else ("reopen",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        people = Count("memberships", distinct=True)
        rows: QuerySet[Organization] = super().get_queryset(request)
        return rows.annotate(people=people, living=LIVING_OF_ALL)

    @admin.display(description=_("members"))
    def members(self, organization: Organization) -> int:
        return int(getattr(organization, "people", 0))

    @admin.display(description=_("services"))
    def services(self, organization: Organization) -> int:
        return int(getattr(organization, "living", 0))


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "organization", "created_at")
    list_select_related = ("organization",)
    search_fields = ("slug", "name", "organization__slug", "organization__name")
    fields = ("public_id", "slug", "name", "organization", "created_at")
    readonly_fields = ("public_id", "created_at")
    inlines = (QuotasInline,)


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "organization", "role", "created_at")
    list_select_related = ("user", "organization")
    list_filter = ("role",)
    search_fields = ("user__email", "organization__slug")
    readonly_fields = ("created_at",)


@admin.register(ProjectMembership)
class ProjectMembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "project", "role", "created_at")
    list_select_related = ("user", "project")
    list_filter = ("role",)
    search_fields = ("user__email", "project__slug")
    readonly_fields = ("created_at",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    operators_only = True
    list_display = ("email", "organization", "role", "expires_at", "accepted_at", "revoked_at")
    list_select_related = ("organization",)
    search_fields = ("email", "organization__slug")
    fields = ("organization", "email", "role", "project_roles", "expires_at", "accepted_at", "revoked_at", "created_at")
    readonly_fields = ("created_at",)


@admin.register(Quota)
class QuotaAdmin(ReadOnlyAdmin):
    list_display = ("organization", "project", "resource", "limit", "changed_at")
    list_select_related = ("organization", "project")
    list_filter = ("resource",)
    search_fields = ("organization__slug", "project__slug", "resource")
    readonly_fields = ("changed_at",)


@admin.register(QuotaRequest)
class QuotaRequestAdmin(ReadOnlyAdmin):
    list_display = ("organization", "project", "resource", "limit", "state", "requested_by", "created_at")
    list_select_related = ("organization", "project", "requested_by")
    list_filter = ("state", "resource")
    search_fields = ("organization__slug", "project__slug", "resource", "reason")
    readonly_fields = ("created_at",)
    actions = (grant, refuse)

    def idle_actions(self, asked: QuotaRequest) -> Iterable[str]:
        return () if asked.state == QuotaRequest.State.OPEN else ("grant", "refuse")


@needs_a_look(_("Open quota requests"), "projects_quotarequest", "state__exact=open", icon="gauge", tone="info")
def open_requests() -> QuerySet[QuotaRequest]:
    return QuotaRequest.objects.filter(state=QuotaRequest.State.OPEN)
