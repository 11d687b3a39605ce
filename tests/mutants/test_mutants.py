"""Each security check, removed, is missed by the access matrix or its siblings: none of their tests was written for it.

``pytest tests/mutants --full`` alone, or one by ``-k``. What a mutant is: ``mutants.toml``.
"""

import pytest

from tests.mutants.mutate import Copy, Mutant, mutants

pytestmark = pytest.mark.full
MUTANTS = mutants()


def test_there_are_enough_mutants_and_each_is_another() -> None:
    assert len(MUTANTS) >= 10
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.why and mutant.says and mutant.caught_by for mutant in MUTANTS)


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
