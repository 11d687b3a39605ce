"""What gunicorn serves (``manage.py web``)."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

# What is loaded by now stays for good. Left to the garbage collector, it would walk through all of Django's and our own
# code again and again, which is a sixth of the time that a page takes.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
