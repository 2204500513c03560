"""Further cases of a test, which take long to compile and seldom say more than the first.

`pytest` leaves them out and `pytest -m more` runs them alone.
"""

import functools

import pytest

# (values ...) -> a case of pytest.mark.parametrize
more = functools.partial(pytest.param, marks=pytest.mark.more)
