"""What operations and steps are called: one place, no name of the code left over."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.core import registry
from portal.projects.models import Project
from portal.resources.models import Operation, Resource
from portal.resources.presenters.words import OPERATIONS, operation_label, operation_words, step_label

pytestmark = pytest.mark.django_db


def test_every_verb_of_an_offering_has_a_label() -> None:
    for offering in registry.offerings().values():
        assert {verb.slug for verb in offering.verbs} <= OPERATIONS.keys()


def test_an_operation_is_called_by_verb_and_subject(
    make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    service = make()
    assert operation_words(operation(service, type="resize")) == "Change plan"
    assert (
        operation_words(operation(service, type="create_user", child_name="app", lane="users:app")) == "Create user app"
    )
    assert operation_words(operation(service, type="backup", child_name="backup-20261125", lane="backup")) == "Back up"
    assert operation_label("flush_cache", service.offering) == "Flush cache"
    assert (step_label("fetch"), step_label("warm_up")) == ("Fetch the software", "Warm up")


def test_a_switch_of_project_is_a_post_that_comes_back(browser: Client, project: Project) -> None:
    page = browser.get("/services?q=shop").content.decode()
    assert f'<form method="post" action="/projects/{project.slug}">' in page
    assert '<input type="hidden" name="next" value="/services">' in page
