"""A URL table that has grown by what somebody forgot to declare; for the test that sees the matrix notice."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal import urls


def page(request: HttpRequest, **ids: str) -> HttpResponse:
    return HttpResponse("all of it")


@api_view(["GET", "POST"])
def me(request: Request) -> Response:
    return Response({})


urlpatterns = [
    path("api/v1/me", me),
    path("services/<str:service_id>/forgotten", page),
    path("api/v1/forgotten/<uuid:credential>", page),
    path("api/v1/<str:deep>/", include([path("down", page)])),
    *urls.urlpatterns,
]
