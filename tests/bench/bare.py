"""The comparator of ``bench_lists.py``: what ``startproject`` gives, a session, one query of 50 rows, a plain table."""

import os
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from portal.settings import *  # noqa: F403 - the product's apps ask for their settings when they are loaded
from portal.settings import DATABASES as PRODUCTS

DATABASES = {"default": {**PRODUCTS["default"], "NAME": os.environ["BENCH_DATABASE"]}}
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # its app does not load without
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
TABLE = """<!doctype html><title>Services of {{ user.email }}</title><table>{% for row in rows %}
<tr><td>{{ row.name }}</td><td>{{ row.offering_slug }} {{ row.version }}</td><td>{{ row.state }}</td>
<td>{{ row.plan_slug }}</td><td>{{ row.created_at }}</td></tr>{% endfor %}</table>"""


def bare(request: HttpRequest) -> HttpResponse:
    """Answer the newest 50 rows to who is signed in."""
    from portal.resources.models import Resource

    rows = Resource.objects.filter(project__slug=request.session["project"])[:50]
    return HttpResponse(_template().render({"rows": rows, "user": request.user}, request))


@cache
def _template() -> Any:
    return engines["django"].from_string(TABLE)


urlpatterns = [path("bare", bare)]
