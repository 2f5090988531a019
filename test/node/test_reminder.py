"""How often a sentence is said."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from posemap_ros.node import reminder
from posemap_ros.node.reminder import Reminder


@pytest.fixture
def clock(monkeypatch):
    """Wall time in seconds, as a list of one number that the test sets."""
    now = [0.0]
    monkeypatch.setattr(reminder.time, 'monotonic', lambda: now[0])
    return now


def test_says_a_sentence_at_once_and_every_ten_seconds(clock):
    remind = Reminder()
    due = []
    for clock[0] in (0.0, 0.1, 9.9, 10.0, 19.9, 20.0):
        due.append(remind.is_due('it is late'))
    assert due == [True, False, False, True, False, True]


def test_other_figures_are_the_same_sentence_other_words_are_not(clock):
    remind = Reminder()
    assert remind.is_due('it is 1.5 s old')
    assert not remind.is_due('it is 12.25 s old')
    assert remind.is_due('it is 1.5 s in the future')


def test_of_very_many_sentences_only_the_first_are_said_and_kept(clock):
    remind = Reminder()
    words = [f'encoding {chr(0x4E00 + i)} is not known' for i in range(10_000)]
    due = [remind.is_due(word) for word in words]
    assert 0 < sum(due) <= 100 and all(due[: sum(due)])
    assert len(remind._said) == sum(due)
    clock[0] = 10.0
    assert remind.is_due('it is late') and len(remind._said) == 1


def test_threads_say_it_once():
    remind = Reminder()
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: remind.is_due('it is late'), range(1000))) == 1
