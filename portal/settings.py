"""All settings. What differs between places comes from the environment; ``manage.py up`` sets it for its processes.

An embedded instance owns the directory ``ARCHIPEL_DATA``: its database, broker, keys and services are found there.
In production DATABASE_URL, BROKER_URL, SECRET_KEY and ALLOWED_HOSTS say it instead (README, "In production").
"""

import os
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from portal.accounts.providers import provider_apps
from portal.bootstrap import paths
from portal.core.environment import boolean, database, families, items, networks, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
ARCHIPEL_DATA = paths.data_directory(BASE_DIR)
ARCHIPEL_PACKAGES = Path(os.environ.get("ARCHIPEL_PACKAGES", ARCHIPEL_DATA / "packages"))
ARCHIPEL_EMBEDDED = "DATABASE_URL" not in os.environ
VERSION = "0.1.0"

# ---- places and secrets ----------------------------------------------------------------------------------------------
DEBUG = boolean("DEBUG")
SECRET_KEY = secret_key(ARCHIPEL_DATA / "keys" / "secret_key", required=not ARCHIPEL_EMBEDDED)
ENCRYPTION_KEYS = Path(os.environ.get("ENCRYPTION_KEYS", ARCHIPEL_DATA / "keys" / "encryption.json"))  # core/vault.py
ALLOWED_HOSTS = items("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = items("CSRF_TRUSTED_ORIGINS", [])
BASE_URL = os.environ.get("BASE_URL", f"http://127.0.0.1:{os.environ.get('ARCHIPEL_PORT', '8000')}")
SECURE = BASE_URL.startswith("https://")
TRUSTED_PROXIES = networks("TRUSTED_PROXIES")  # whose word on address and scheme is believed

# ---- applications ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "portal.core",
    "portal.notify",
    "portal.audit",
    "portal.accounts",
    "portal.projects",
    "portal.clusters",
    "portal.resources",
    "portal.catalog",
    "portal.console",
    "portal.instance",
    *families(BASE_DIR / "apps"),
]
MIDDLEWARE = [
    "portal.core.proxies.client_address",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.core.compression.Compression",
    "portal.core.middleware.request_id",
    "portal.core.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.accounts.sessions.note_use",
    "portal.core.middleware.head_as_get",
    "portal.projects.policy.ask_for_second_factor",
    "portal.core.middleware.problems",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.console.context.console",
            ],
            "builtins": ["portal.core.templatetags.ui"],
        },
    }
]

# ---- data ------------------------------------------------------------------------------------------------------------
DATABASES = {"default": database(os.environ.get("DATABASE_URL"), socket=paths.run_directory(ARCHIPEL_DATA))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
WORKER_PROCESSES = int(os.environ.get("WORKER_PROCESSES", "3"))  # of one host, as instance/commands.py starts them
BROKER_URL = os.environ.get("BROKER_URL", f"redis+socket://{paths.run_directory(ARCHIPEL_DATA)}/broker.sock")
CACHE_URL = os.environ.get("CACHE_URL", BROKER_URL.replace("redis+socket://", "unix://", 1))
CACHES = {
    "default": {
        "BACKEND": "portal.core.cache.ForgivingCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "archipel",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

# ---- people ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["portal.accounts.backend.PeopleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/"
SIGN_UP = boolean("SIGN_UP", default=True)  # whether strangers may make accounts; who is invited always may
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True  # codes instead of links: no key in an address or a log
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 10 * 60  # seconds
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60  # seconds, as accounts/reauthentication.py
ACCOUNT_FORMS = {
    "signup": "portal.accounts.factor_forms.SignUpForm",
    "change_password": "portal.accounts.factor_forms.NewPasswordForm",
    "reset_password": "portal.accounts.factor_forms.ForgottenPasswordForm",
}
MFA_ADAPTER = "portal.accounts.factor_adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Archipel"
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds that a clock may be off
MFA_FORMS = {
    "activate_totp": "portal.accounts.factor_forms.ActivateAppForm",
    "add_webauthn": "portal.accounts.factor_forms.AddPasskeyForm",
}
SOCIALACCOUNT_ADAPTER = "portal.accounts.provider_adapter.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": provider_apps(), "OAUTH_PKCE_ENABLED": True}}
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SIGN_IN_BY_LINK = boolean("ARCHIPEL_SIGN_IN_BY_LINK")  # set by `up`, which serves loopback only

# ---- mail and the way out --------------------------------------------------------------------------------------------
EMAIL_BACKEND = "portal.notify.outbox.Backend"  # keeps each mail; sends it where EMAIL_HOST says by which server
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_SSL = boolean("EMAIL_USE_SSL")
EMAIL_USE_TLS = not EMAIL_USE_SSL and os.environ.get("EMAIL_USE_TLS", "1") == "1"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "Archipel <archipel@localhost>")
OUTBOUND_PORTS = [int(port) for port in items("OUTBOUND_PORTS", ["443", "8443"])]  # core/outbound
OUTBOUND_NETWORKS = items("OUTBOUND_NETWORKS", [])  # private networks that tenants' URLs may reach
OUTBOUND_HTTP = boolean("OUTBOUND_HTTP")  # into those networks without TLS as well
OUTBOUND_CA = os.environ.get("OUTBOUND_CA", "")  # a file of certificates to believe beside the web's

# ---- the halves' seams (DESIGN 4) ------------------------------------------------------------------------------------
PRICER = "apps.billing.pricer.BookPricer"
ADMISSION = ["portal.resources.admission.one_organization_without_isolation"]
PLACES_FOR_TOKENS = "portal.projects.machines.projects_for_tokens"  # which projects a token can be limited to
USAGE = "portal.resources.quotas.usage"  # how much of a limit is in use (projects.quotas)
CLOSING_GUARDS = ["portal.resources.closing.what_still_runs"]  # what keeps an organization from being closed
SERVICE_COUNTS = "portal.resources.closing.counts_of"  # by project, for an organization's page
METRICS = "portal.clusters.reads.LiveMetrics"
AUDIENCE = "portal.projects.audience.Members"  # who of an organization is told of something
BACKENDS = {
    "local": "portal.clusters.backends.local.backend.LocalBackend",
    "kubernetes": "portal.clusters.backends.kubernetes.backend.KubernetesBackend",
}
AUDIT_HEADS = Path(os.environ.get("AUDIT_HEADS", ARCHIPEL_DATA / "audit-heads"))  # a file a day, to be kept elsewhere
AUDIT_TARGETS = ["portal.projects.audit.addresses", "portal.resources.addresses.addresses"]  # of what an act was about
SEALED_ELSEWHERE = ["portal.instance.care.factors.reseal"]  # of what is in no SealedText column (care/keys.py)
PERSONAL_DATA = [  # who holds data about people (core/personal.py); erased in this order, the account itself last
    "portal.audit.erasing.HOLDER",
    "portal.notify.personal.HOLDER",
    "portal.projects.privacy.HOLDER",
    "portal.resources.personal.HOLDER",
    "portal.accounts.privacy.HOLDER",
]
DAYS_IN_BIN = int(os.environ.get("DAYS_IN_BIN", "14"))
WAKE = "portal.resources.tasks.wake"  # the task that a backend sends when it has seen a change

# ---- work ------------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 45  # seconds; the lease is longer (resources.engine.LEASE)
CELERY_TASK_SOFT_TIME_LIMIT = 40
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    # A request that finds no broker goes on at once: the row is due, the sweep takes it up.
    "max_retries": 0,
    "interval_start": 0,
    "interval_max": 0,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# ---- API -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.accounts.api.authentication.TokenAuthentication",
        "portal.accounts.api.authentication.SameSiteSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.core.api.parsers.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["portal.core.api.throttling.TokenThrottle"],
    "DEFAULT_SCHEMA_CLASS": "portal.core.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "portal.core.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Archipel",
    "DESCRIPTION": "Managed platform services, ordered and run by API.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["portal.core.api.schema.postprocess"],
}

# ---- pages -----------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = ARCHIPEL_DATA / "static" if ARCHIPEL_EMBEDDED else BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked from inside, without the proxy
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"class": "portal.core.logs.Line", "format": "{asctime} {levelname} {name} {message}", "style": "{"}
    },
    "filters": {"keys": {"()": "portal.core.logs.WithoutKeys"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.server": {"level": "WARNING", "filters": ["keys"]},
        "django.request": {"filters": ["keys"]},
        "django.security.csrf": {"filters": ["keys"]},
    },
}
