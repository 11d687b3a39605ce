"""Refusals in words: with the API server's own sentences, as it wrote them."""

import pytest

from portal.clusters.backends.kubernetes.answers import Answer, Busy, Cause, Conflict, Refused
from portal.clusters.backends.kubernetes.refusals import words
from portal.core.errors import PermanentError, TemporaryError

QUOTA = (
    'persistentvolumeclaims "k3" is forbidden: exceeded quota: archipel, requested: requests.storage=20Gi, '
    "used: requests.storage=95Gi, limited: requests.storage=100Gi"
)
WEBHOOK = (
    'admission webhook "vcluster.cnpg.io" denied the request: Cluster.postgresql.cnpg.io "k3" is invalid: no shrinking'
)
POLICY = "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'sizes' with binding 'sizes-all' denied request: too large"


def refused(status: int, message: str, reason: str = "Invalid", *causes: Cause) -> Refused:
    return Refused(status, reason, message, causes)


@pytest.mark.parametrize(
    "error, told",
    [
        (refused(403, QUOTA, "Forbidden"), "requests.storage=20Gi more is asked for, requests.storage=95Gi of"),
        (refused(403, WEBHOOK, "Forbidden"), "does not allow these settings: Cluster.postgresql.cnpg.io"),
        (refused(422, POLICY), "does not allow these settings: too large. Change them."),
        (
            refused(404, "the server could not find the requested resource", "NotServed"),
            "does not serve Cluster any more",
        ),
        (refused(400, 'strict decoding error: unknown field "spec.sizes"'), "does not know the setting spec.sizes"),
        (
            refused(
                422, "x", "Invalid", Cause("FieldValueInvalid", "Invalid value: 0: must be at least 1", "spec.size")
            ),
            "refuses settings of Cluster: spec.size: Invalid value: 0: must be at least 1",
        ),
        (
            Conflict(409, "Conflict", "x", (Cause("FieldManagerConflict", 'conflict with "kubectl"', ".spec.size"),)),
            "holds settings of Cluster (spec.size)",
        ),
    ],
)
def test_a_refusal_says_what_can_be_done(error: Refused, told: str) -> None:
    found = words(error, "Cluster")
    assert isinstance(found, PermanentError)
    assert not isinstance(found, Refused)
    assert told in str(found)


def test_names_of_webhooks_and_quotas_are_not_told() -> None:
    told = [str(words(refused(403, message, "Forbidden"), "Cluster")) for message in (QUOTA, WEBHOOK, POLICY)]
    assert not [text for text in told if "vcluster" in text or "archipel" in text or "sizes-all" in text]


def test_missing_rights_are_waited_for() -> None:
    message = 'clusters "k3" is forbidden: User "portal" cannot patch resource "clusters"'
    found = words(refused(403, message, "Forbidden"), "Cluster")
    assert isinstance(found, TemporaryError)
    assert "portal" in str(found)
    assert "k3" not in str(found)


def test_an_unknown_field_of_an_apply_is_a_refusal_although_it_is_told_with_500() -> None:
    untyped = b'{"kind": "Status", "code": 500, "message": "failed to create typed patch object (n/k3; /v1, Kind=X): .spec.sizes: field not declared in schema"}'  # noqa: E501
    error = Answer(500, untyped).error()
    assert isinstance(error, Refused)
    assert "does not know the setting spec.sizes" in str(words(error, "Cluster"))
    assert isinstance(Answer(500, b'{"kind": "Status", "code": 500, "message": "etcd is away"}').error(), Busy)
