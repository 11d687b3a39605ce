"""One tab per kind of part, from its declaration: table, page of each part, and what can be done with it."""

from typing import cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.core.errors import not_found
from portal.core.forms import spec_form
from portal.core.htmx import done, wants_partial
from portal.core.offerings import ChildKind, Nature
from portal.core.specs import visible_fields
from portal.projects import access
from portal.resources import actions, queries
from portal.resources.access import access_child, kind_of
from portal.resources.actions.downloading import open_artifact
from portal.resources.actions.sharing import share
from portal.resources.forms import child_name_form
from portal.resources.models import Child
from portal.resources.presenters.activity import operation_rows
from portal.resources.presenters.children import creation_refusal, is_quick, public_spec, row_of, settings_of
from portal.resources.presenters.effects import Effect
from portal.resources.views.dialogs import Dialog, ask
from portal.resources.views.page import (
    BUSY_SECONDS,
    CALM_SECONDS,
    ServicePage,
    fingerprint,
    load,
    query_without,
    reached,
    references,
    show,
    unchanged,
)


def children(request: HttpRequest, service_id: str, kind: str) -> HttpResponse:
    """Show the parts of one kind, live while something is on its way."""
    page = load(request, service_id)
    declared = kind_of(page.resource, kind)
    text = request.GET.get("q", "").strip()[:63]
    found = queries.child_page(page.resource, declared, text=text, cursor=request.GET.get("cursor", ""))
    rows = [row_of(_of(page, child), declared, page.permissions) for child in found.items]
    mark = fingerprint([row.mark_parts for row in rows], found.next_cursor, found.total_count)
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    context = {
        "kind": declared,
        "rows": rows,
        "page": found,
        "text": text,
        "poll_query": _poll_query(request, mark),
        "mark": mark,
        "kind_poll": BUSY_SECONDS if any(row.is_moving for row in rows) else CALM_SECONDS,
        "may_create": page.may_operate and "create" in declared.verbs,
        "refusal": creation_refusal(page.resource, declared),
        "is_quick": is_quick(declared),
        "has_settings": bool(visible_fields(declared.spec)),
    }
    return show(page, kind, "partials/child_table" if wants_partial(request) else "service_children", context)


def _poll_query(request: HttpRequest, mark: str) -> str:
    query = query_without(request, "seen")
    query["seen"] = mark
    return query.urlencode()


def _of(page: ServicePage, child: Child) -> Child:
    """Give a child its service without asking the database again."""
    child.resource = page.resource
    return child


def child(request: HttpRequest, service_id: str, kind: str, child_id: str) -> HttpResponse:
    """Show one part: its settings, state and history."""
    page = load(request, service_id)
    declared = kind_of(page.resource, kind)
    found = access_child(page.actor, page.resource, kind, child_id, "service.read")
    row = row_of(found, declared, page.permissions)
    history = list(queries.operations(page.resource).filter(child=found)[:20])
    mark = fingerprint(row.mark_parts, [[str(item.id), item.state] for item in history])
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    context = {
        "kind": declared,
        "row": row,
        "child": found,
        "settings": list(settings_of(found, declared)),
        "operations": operation_rows(history),
        "mark": mark,
        "kind_poll": BUSY_SECONDS if row.is_moving else CALM_SECONDS,
    }
    return show(page, kind, "partials/child" if wants_partial(request) else "service_child", context)


def new(request: HttpRequest, service_id: str, kind: str) -> HttpResponse:
    """Make a part: its name, and the form of its spec."""
    page = load(request, service_id)
    declared = _with_verb(page, kind, "create")
    data = request.POST if request.method == "POST" else None
    quick = data is not None and "quick" in data and is_quick(declared)
    dialog = Dialog(
        title=_("New %(kind)s") % {"kind": str(declared.singular).lower()},
        submit=_create_words(declared),
        action=page.url("new_child", kind),
        back=page.url("children", kind),
        lead=declared.help,
        form=child_name_form(declared, data),
        spec_form=None if quick else spec_form(declared.spec, data=data, references=references(page, declared.spec)),
    )

    def act() -> HttpResponse:
        name = dialog.form.cleaned_data["name"] if dialog.form else ""
        spec = dialog.spec_form.cleaned_spec() if dialog.spec_form else {}
        operation = actions.create_child(page.actor, page.resource, declared, name=name, spec=spec)
        return done(request, page.url("children", kind), _("%(name)s is being made.") % {"name": operation.child_name})

    return ask(request, page.resource, dialog, act)


def _create_words(kind: ChildKind) -> str:
    if kind.slug == "backups":
        return _("Back up now")
    return _("Create %(kind)s") % {"kind": str(kind.singular).lower()}


def _with_verb(page: ServicePage, kind: str, verb: str) -> ChildKind:
    """Return the kind where it has this verb and the reader may do it. Raises Problem."""
    declared = kind_of(page.resource, kind)
    if verb not in declared.verbs:
        raise not_found()
    access.require(page.actor, page.resource.project, "service.operate", on=page.resource.name)
    return declared


def edit(request: HttpRequest, service_id: str, kind: str, child_id: str) -> HttpResponse:
    """Change a part's settings."""
    page = load(request, service_id)
    declared = _with_verb(page, kind, "update")
    found = access_child(page.actor, page.resource, kind, child_id, "service.operate")
    form = spec_form(
        declared.spec,
        data=request.POST if request.method == "POST" else None,
        initial=public_spec(declared, found),
        only_changeable=True,
        references=references(page, declared.spec),
    )
    dialog = Dialog(
        title=_("Edit %(name)s") % {"name": found.name},
        submit=_("Save"),
        action=page.url("edit_child", kind, child_id),
        back=page.url("children", kind),
        spec_form=form,
    )

    def act() -> HttpResponse:
        changed = actions.edit_child(page.actor, found, spec=form.cleaned_spec())
        words = _("%(name)s is being changed.") if changed else _("Nothing was changed on %(name)s.")
        return done(request, page.url("children", kind), words % {"name": found.name})

    return ask(request, page.resource, dialog, act)


def delete(request: HttpRequest, service_id: str, kind: str, child_id: str) -> HttpResponse:
    """Take a part away, after asking."""
    page = load(request, service_id)
    declared = _with_verb(page, kind, "delete")
    found = access_child(page.actor, page.resource, kind, child_id, "service.operate")
    words = {"kind": str(declared.singular).lower(), "name": found.name}
    dialog = Dialog(
        title=_("Delete %(kind)s %(name)s?") % words,
        submit=_("Delete"),
        action=page.url("delete_child", kind, child_id),
        back=page.url("children", kind),
        is_danger=True,
        must_type="" if declared.nature is Nature.RUN else found.name,
        effects=(Effect(_("All that is in it is removed for good."), "trash-2", "danger"),),
    )

    def act() -> HttpResponse:
        actions.delete_child(page.actor, found)
        return done(request, page.url("children", kind), _("%(name)s is being deleted.") % words)

    return ask(request, page.resource, dialog, act)


def do(request: HttpRequest, service_id: str, kind: str, child_id: str, verb: str) -> HttpResponse:
    """Cancel a run, or try a failed one again."""
    page = load(request, service_id)
    if verb not in ("cancel", "retry"):
        raise not_found()
    _with_verb(page, kind, verb)
    found = access_child(page.actor, page.resource, kind, child_id, "service.operate")
    cancels = verb == "cancel"
    dialog = Dialog(
        title=(_("Cancel %(name)s?") if cancels else _("Try %(name)s again?")) % {"name": found.name},
        submit=_("Cancel it") if cancels else _("Try again"),
        action=page.url("child_verb", kind, child_id, verb),
        back=page.url("children", kind),
        is_danger=cancels,
    )

    def act() -> HttpResponse:
        (actions.cancel_child if cancels else actions.retry_child)(page.actor, found)
        words = _("%(name)s is being cancelled.") if cancels else _("%(name)s begins again.")
        return done(request, page.url("children", kind), words % {"name": found.name})

    return ask(request, page.resource, dialog, act)


@require_GET  # a HEAD is no download, and not recorded as one
def download(request: HttpRequest, service_id: str, kind: str, child_id: str) -> HttpResponse:
    """Send what a run has made, as a file."""
    page, found = _downloadable(request, service_id, kind, child_id)
    artifact = reached(lambda: open_artifact(page.actor, found))
    answer = FileResponse(artifact.stream, as_attachment=True, filename=artifact.filename)
    return cast(HttpResponse, answer)


def link(request: HttpRequest, service_id: str, kind: str, child_id: str) -> HttpResponse:
    """Make a short link to what a run has made, after asking, and show it once."""
    page, found = _downloadable(request, service_id, kind, child_id)
    dialog = Dialog(
        title=_("Copy a link to %(name)s") % {"name": found.name},
        submit=_("Make link"),
        action=page.url("download_link", kind, child_id),
        back=page.url("children", kind),
        effects=(
            Effect(_("Whoever has the link can download all that is in the backup, without signing in."), "link"),
            Effect(_("It works for 10 minutes. Making it and each use of it are written to the audit log."), "clock"),
        ),
    )

    def act() -> HttpResponse:
        made = share(page.actor, found)
        context = {"dialog": dialog, "service": page.resource, "child": found, "link": made}
        context |= {"link_url": request.build_absolute_uri(made.path), "in_modal": wants_partial(request)}
        template = "partials/download_link" if wants_partial(request) else "service_download_link"
        response = render(request, f"resources/{template}.html", context)
        response["Cache-Control"] = "no-store"
        return response

    return ask(request, page.resource, dialog, act)


def _downloadable(request: HttpRequest, service_id: str, kind: str, child_id: str) -> tuple[ServicePage, Child]:
    """Return a part whose kind can be downloaded, for a reader who may see secrets. Raises Problem."""
    page = load(request, service_id, "service.secrets")
    if "download" not in kind_of(page.resource, kind).verbs:
        raise not_found()
    return page, access_child(page.actor, page.resource, kind, child_id, "service.secrets")
