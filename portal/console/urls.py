"""Addresses of the home page, search and the style guide."""

from django.urls import path

from portal.console import views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("search", views.search, name="search"),
    path("styleguide/", views.styleguide, name="styleguide"),
]
