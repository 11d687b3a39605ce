"""Paths of signing in and up, of one's own account, and of one's own API tokens.

allauth's views stand under our addresses by the names that it looks them up by; what is not used is not here.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as webauthn
from django.urls import path

from portal.accounts.views import account as own_account
from portal.accounts.views import notifications, privacy, providers, sign_in, tokens
from portal.accounts.views.mounting import entrance, guarded, own

ways_in = [
    path("sign-in", sign_in.sign_in, name="sign_in"),
    path("sign-in", sign_in.sign_in, name="account_login"),
    path("sign-in/passkey", entrance(webauthn.login_webauthn), name="mfa_login_webauthn"),
    path("sign-in/second-factor", entrance(mfa.authenticate), name="mfa_authenticate"),
    path("sign-in/closed", entrance(account.account_inactive), name="account_inactive"),
    path("sign-in/with/<str:provider_id>", providers.sign_in_with, name="openid_connect_login"),
    path("sign-in/with/<str:provider_id>/back", providers.sign_in_back, name="openid_connect_callback"),
    path("sign-in/<str:token>", sign_in.sign_in_link, name="sign_in_link"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
    path("sign-out", sign_in.sign_out, name="account_logout"),
    path("sign-up", entrance(account.signup), name="account_signup"),
    path("confirm-address", entrance(account.email_verification_sent), name="account_email_verification_sent"),
    path("password/forgotten", entrance(account.password_reset), name="account_reset_password"),
    path("password/code", entrance(account.confirm_password_reset_code), name="account_confirm_password_reset_code"),
    path("password/new", entrance(account.complete_password_reset), name="account_complete_password_reset"),
    path("password/done", entrance(account.password_reset_from_key_done), name="account_password_reset_completed"),
]
own_pages = [
    path("account", own_account.account, name="account"),
    path("account/email", guarded(account.email), name="account_email"),
    path("account/password", own(account.password_change), name="account_change_password"),
    path("account/password/first", guarded(account.password_set), name="account_set_password"),
    path("account/sessions", own_account.session_list, name="usersessions_list"),
    path("account/sessions/end-others", own_account.session_end_others, name="session_end_others"),
    path("account/sessions/<int:session>/end", own_account.session_end, name="session_end"),
    path("account/privacy", privacy.privacy, name="account_privacy"),
    path("account/privacy/data", privacy.data, name="account_data"),
    path("account/privacy/erase", privacy.erase, name="account_erase"),
    path("account/confirm", own(account.reauthenticate), name="account_reauthenticate"),
    path("account/confirm/code", own(mfa.reauthenticate), name="mfa_reauthenticate"),
    path("account/confirm/passkey", own(webauthn.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"),
    path("account/confirm/sign-in", sign_in.sign_in_again, name="sign_in_again"),
]
security = [
    path("account/security", own_account.account_security, name="account_security"),
    path("account/security", own_account.account_security, name="mfa_index"),
    path("account/security", own_account.account_security, name="mfa_list_webauthn"),
    path("account/security/app", guarded(app.activate_totp), name="mfa_activate_totp"),
    path("account/security/app/remove", guarded(app.deactivate_totp), name="mfa_deactivate_totp"),
    path("account/security/codes", guarded(codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("account/security/codes/new", guarded(codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("account/security/passkeys/new", guarded(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path("account/security/passkeys/<int:pk>/edit", guarded(webauthn.edit_webauthn), name="mfa_edit_webauthn"),
    path("account/security/passkeys/<int:pk>/remove", guarded(webauthn.remove_webauthn), name="mfa_remove_webauthn"),
    path("account/security/links/<int:link>/remove", own_account.provider_unlink, name="provider_unlink"),
]
api_tokens = [
    path("account/tokens", tokens.token_list, name="token_list"),
    path("account/tokens/<str:token>/revoke", tokens.token_revoke, name="token_revoke"),
]
told = [
    path("notifications", notifications.notification_list, name="notification_list"),
    path("notifications/read", notifications.notification_read_all, name="notification_read_all"),
    path("notifications/<str:notification>/open", notifications.notification_open, name="notification_open"),
    path("account/notifications", notifications.notification_preferences, name="notification_preferences"),
]
urlpatterns = [*ways_in, *own_pages, *security, *api_tokens, *told]
