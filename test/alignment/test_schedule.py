"""So many steps, or so much time."""

import time

import pytest

from posemap_ros.alignment.schedule import Schedule


def test_each_run_ends_with_a_faded_rate():
    told, shares = [], []
    schedule = Schedule(10, None, lambda share, text: told.append((share, text)))
    schedule.run(shares.append, 0.0, 0.6)
    assert shares == pytest.approx([i / 6 for i in range(6)])
    schedule.run(shares.append, 0.6, 1.0)
    assert shares[6:] == pytest.approx([0.6 + 0.4 * i / 4 for i in range(4)])
    assert told[-1] == (pytest.approx(0.95 * 0.9), 'step 10')


def test_no_step_is_taken_when_the_time_is_over():
    schedule = Schedule(10, time.monotonic() - 1.0, lambda share, text: None)
    schedule.run(lambda share: pytest.fail('there is no time'), 0.0, 1.0)


def test_time_that_is_left_does_not_make_more_steps():
    taken = []
    schedule = Schedule(3, time.monotonic() + 1e6, lambda share, text: None)
    schedule.run(taken.append, 0.0, 1.0)
    assert len(taken) == 3
