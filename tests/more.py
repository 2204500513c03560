"""Further cases of a test, which take long to compile and seldom say more than the first.

`pytest` leaves them out and `pytest -m more` runs them alone.
"""

import functools

import pytest

# (values ...) -> a case of pytest.mark.parametrize
more = functools.partial(pytest.param, marks=pytest.mark.more)


def only(kept, cases):
    """All the cases, of which the `kept` ones alone run by default."""
    assert kept <= {*cases}, kept
    return [case if case in kept else more(case) for case in cases]
