"""Paths of signing in and of one's own API tokens."""

from django.urls import path

from portal.accounts.views import sign_in, tokens

urlpatterns = [
    path("sign-in", sign_in.sign_in, name="sign_in"),
    path("sign-in/<str:token>", sign_in.sign_in_link, name="sign_in_link"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
    path("account/tokens", tokens.token_list, name="token_list"),
    path("account/tokens/<str:token>/revoke", tokens.token_revoke, name="token_revoke"),
]
