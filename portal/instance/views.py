"""For machines: is it alive, is it ready, how does it do."""

from django.apps import apps
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string, module_has_submodule
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from portal.instance import readiness


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is looked at."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every part answers, else 503 with the parts that don't."""
    report = readiness.report()
    ready = not any(report.values())
    parts = {name: state or "ok" for name, state in report.items()}
    response = JsonResponse({"ready": ready, "parts": parts}, status=200 if ready else 503)
    response._has_been_logged = True  # type: ignore[attr-defined] # not each probe is worth a line in the log; Django would write an error
    return response


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What every app's ``collectors.COLLECTORS`` finds, read at this moment: it is the same from each web process."""
    registry = CollectorRegistry()
    for config in apps.get_app_configs():
        if config.module and module_has_submodule(config.module, "collectors"):
            for collector in import_string(f"{config.name}.collectors.COLLECTORS"):
                registry.register(collector)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
