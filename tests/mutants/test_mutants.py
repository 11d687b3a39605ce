"""Each security check, removed, is missed by the access matrix or its siblings: none of their tests was written for it.

``pytest tests/mutants --full`` alone, or one by ``-k``. What a mutant is: ``mutants.toml``.
"""

import pytest

from tests.mutants.mutate import Copy, Mutant, mutants

pytestmark = pytest.mark.full
MUTANTS = mutants()
# Flaws that portals like this one really had: each is put in here, and a test goes red.
CASES = {
    1: "a detailed answer to a weak token carried passwords (Argo CD CVE-2025-55190)",
    2: "secrets in error messages (Argo CD CVE-2025-23216, CVE-2023-25163)",
    3: "credentials in plain on rows that members read (Rancher CVE-2021-36782)",
    4: "identity headers were believed (Rancher GHSA-gvh9-xgrq-r8hw, CVE-2026-44945)",
    5: "a form took a field that it does not show (Harbor CVE-2019-16097)",
    6: "a look-up by id alone (Coolify CVE-2026-48742)",
    7: "invitations for whoever has or sees the link (Coolify CVE-2025-64423)",
    8: "ids in a body were not checked (Dokploy CVE-2026-72876)",
    9: "names reached a shell (Dokploy CVE-2026-72733, CVE-2026-129433)",
    10: "a weak token saw stronger ones, or its maker's other places (Sentry CVE-2023-39349, OpenCVE CVE-2026-92764)",
    11: "a webhook to an inner address (GitLab ce#63959, Postiz CVE-2026-34590)",
    12: "a stored secret went to a newly typed address (GitLab #385193, #422134)",
}


def test_there_are_enough_mutants_and_each_is_another() -> None:
    assert len(MUTANTS) >= 10
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.why and mutant.says and mutant.caught_by for mutant in MUTANTS)
    assert {mutant.case for mutant in MUTANTS} - {0} == set(CASES)


def test_the_tree_as_it_is_passes_what_catches_the_mutants(copy: Copy) -> None:
    tests = sorted({test for mutant in MUTANTS for test in mutant.caught_by})
    cases = copy.run(tests)
    assert [case for case in cases if case.outcome != "passed"] == []
    assert len(cases) >= len(tests)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_removed_check_is_noticed(copy: Copy, mutant: Mutant) -> None:
    with copy.mutated(mutant):
        for test in mutant.caught_by:
            cases = copy.run([test])
            assert [case for case in cases if case.outcome == "error"] == []
            assert any(case.outcome == "failed" and mutant.says in case.words for case in cases), cases
