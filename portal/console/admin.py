"""What people are told, in the admin site: announcements, the outbox, webhooks that fail.

It stands here, above what it shows, since ``portal.notify`` knows neither who asks nor what regions there are.
"""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from portal.accounts.actors import actor_of
from portal.clusters.models import Region
from portal.core.admin import ReadOnlyAdmin, ReadOnlyInline, is_operator, operator_action, require_operator
from portal.core.attention import needs_a_look
from portal.core.errors import Problem
from portal.core.forms import show_problem
from portal.core.operator_forms import OperatorForm, operator_form
from portal.notify.actions import announcements
from portal.notify.actions.mails import retry_mail
from portal.notify.actions.reading import read_mail
from portal.notify.models import Announcement, AnnouncementUpdate, Mail, Webhook
from portal.projects.models import Organization

KEPT = gettext_lazy("It goes into the audit log; people read the announcement alone.")
PAGE = "admin:notify_announcement_changelist"


class AnnounceForm(OperatorForm):
    """Something to tell everybody, or those with something in some regions."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Announcement.Kind.choices)
    severity = forms.ChoiceField(label=gettext_lazy("Severity"), choices=Announcement.Severity.choices)
    title = forms.CharField(label=gettext_lazy("Title"), max_length=announcements.LONGEST_TITLE)
    text = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=announcements.LONGEST_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    regions = forms.MultipleChoiceField(
        label=gettext_lazy("Regions"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: everybody sees it."),
    )
    starts_at = forms.DateTimeField(
        label=gettext_lazy("From (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: from now on."),
    )
    ends_at = forms.DateTimeField(
        label=gettext_lazy("Until (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: until somebody ends it."),
    )

    def prepare(self) -> None:
        """Offer the regions that there are."""
        regions = self.fields["regions"]
        assert isinstance(regions, forms.MultipleChoiceField)  # noqa: S101
        regions.choices = list(Region.objects.values_list("slug", "name"))
        self.fields["reason"].help_text = KEPT


class UpdateForm(OperatorForm):
    """What became known since."""

    text = forms.CharField(
        label=gettext_lazy("What is known now"),
        max_length=announcements.LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    severity = forms.ChoiceField(label=gettext_lazy("Severity"), choices=Announcement.Severity.choices)

    def prepare(self) -> None:
        """Begin with the severity that it has."""
        self.fields["severity"].initial = self.row.severity
        self.fields["reason"].help_text = KEPT


class EndForm(OperatorForm):
    """That it is over, and a last word."""

    text = forms.CharField(
        label=gettext_lazy("A last word"),
        max_length=announcements.LONGEST_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def prepare(self) -> None:
        """Say who reads the reason."""
        self.fields["reason"].help_text = KEPT


@operator_form(gettext_lazy("Add an update"), UpdateForm)
def update(request: HttpRequest, announcement: Announcement, form: UpdateForm) -> None:
    """Say what became known since."""
    announcements.update_announcement(actor_of(request), announcement, **form.cleaned_data)


@operator_form(gettext_lazy("End it"), EndForm)
def end(request: HttpRequest, announcement: Announcement, form: EndForm) -> None:
    """Say that it is over."""
    announcements.end_announcement(actor_of(request), announcement, **form.cleaned_data)


class UpdatesInline(ReadOnlyInline):
    model = AnnouncementUpdate
    fields = ("at", "text")
    readonly_fields = ("at",)
    show_change_link = False


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnlyAdmin):
    list_display = ("title", "kind", "severity", "where", "starts_at", "ends_at", "resolved_at")
    list_filter = ("kind", "severity", ("resolved_at", admin.EmptyFieldListFilter))
    search_fields = ("title", "text")
    date_hierarchy = "starts_at"
    fields = ("kind", "severity", "title", "text", "where", "starts_at", "ends_at", "resolved_at", "created_at")
    readonly_fields = ("where", "created_at")
    inlines = (UpdatesInline,)
    actions = (update, end)

    def idle_actions(self, announcement: Announcement) -> Iterable[str]:
        return ("update", "end") if announcement.resolved_at else ()

    @admin.display(description=gettext_lazy("regions"))
    def where(self, announcement: Announcement) -> str:
        return ", ".join(announcement.regions) or _("everybody")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for a new announcement by our own form, and publish it."""
        require_operator(request, _("Announce"))
        form = AnnounceForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid() and _published(request, form):
            messages.success(request, _("Published."))
            return redirect(PAGE)
        context = {**self.admin_site.each_context(request), "title": _("Announce"), "opts": self.opts, "form": form}
        return render(request, "admin/announce.html", context, status=422 if form.is_bound else 200)


def _published(request: HttpRequest, form: AnnounceForm) -> bool:
    try:
        announcements.announce(actor_of(request), **form.cleaned_data)
    except Problem as problem:
        show_problem(problem, form)
        return False
    return True


class ReadForm(OperatorForm):
    """Why somebody reads another's mail."""


@admin.action(description=gettext_lazy("Read"))
def read(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Mail]) -> HttpResponse | None:
    """Show what a mail says, once its reason is given."""
    return never_cache(_read)(request, model_admin, rows)


def _read(request: HttpRequest, model_admin: ReadOnlyAdmin, rows: QuerySet[Mail]) -> HttpResponse:
    require_operator(request, _("Read"))
    mail = rows.first()
    if mail is None or rows.count() != 1:
        messages.warning(request, _("Choose one mail."))
        return HttpResponseRedirect(request.get_full_path())
    form, text = ReadForm(request.POST if "_sent" in request.POST else None, row=mail), ""
    if form.is_bound and form.is_valid():
        try:
            text = read_mail(actor_of(request), mail, reason=form.cleaned_data["reason"])
        except Problem as problem:
            show_problem(problem, form)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Read"),
        "opts": model_admin.opts,
        "row": mail,
        "form": form,
        "action_name": "read",
        "text": text,
    }
    return render(request, "admin/mail.html" if text else "admin/act.html", context, status=422 if form.errors else 200)


@operator_action(gettext_lazy("Try again"))
def try_again(request: HttpRequest, mail: Mail, reason: str) -> None:
    """Have a mail sent once more that failed, or that was kept while there was no server."""
    retry_mail(actor_of(request), mail, reason=reason)


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    """The outbox. What a mail says is shown on an explicit click, one by one, with a reason."""

    operators_only = True
    list_display = ("created_at", "recipient", "subject", "state", "attempts", "error", "sent_at")
    list_filter = ("state",)
    search_fields = ("recipient", "subject")
    date_hierarchy = "created_at"
    fields = ("recipient", "subject", "state", "attempts", "next_at", "error", "created_at", "sent_at")
    readonly_fields = ("created_at",)
    actions = (read, try_again)

    def idle_actions(self, mail: Mail) -> Iterable[str]:
        return () if mail.state in (Mail.State.FAILED, Mail.State.KEPT) else ("try_again",)


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    """Customers' webhooks, without their secrets: which fail, and since when."""

    list_display = ("host", "organization", "enabled", "disabled_reason", "failing_since", "created_at")
    list_filter = ("enabled", ("failing_since", admin.EmptyFieldListFilter), "disabled_reason")
    search_fields = ("url", "description")
    fields = (
        "host",
        "organization",
        "description",
        "event_types",
        "enabled",
        "disabled_reason",
        "failing_since",
        "is_slow",
        "created_at",
    )
    readonly_fields = ("host", "organization", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        owner = Organization.objects.filter(id=OuterRef("organization_id")).values("slug")
        rows: QuerySet[Webhook] = super().get_queryset(request)
        return rows.defer("secret", "retired").annotate(owner=Subquery(owner))

    @admin.display(description=gettext_lazy("organization"))
    def organization(self, webhook: Webhook) -> str:
        return str(getattr(webhook, "owner", None) or webhook.organization_id)


@needs_a_look(gettext_lazy("Webhooks that fail"), "notify_webhook", "failing_since__isempty=0", icon="webhook")
def failing() -> QuerySet[Webhook]:
    return Webhook.objects.filter(enabled=True).exclude(failing_since=None)


@needs_a_look(gettext_lazy("Mail that could not be sent"), "notify_mail", "state__exact=failed", icon="mail")
def unsent() -> QuerySet[Mail]:
    return Mail.objects.filter(state=Mail.State.FAILED)


@needs_a_look(
    gettext_lazy("Announcements on show"),
    "notify_announcement",
    "resolved_at__isempty=1",
    icon="radio-tower",
    tone="info",
)
def on_show() -> QuerySet[Announcement]:
    return Announcement.objects.filter(resolved_at=None)
