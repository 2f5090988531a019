import pytest

from posemap_ros.support.stopwatch import Stopwatch, format_duration


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_sections_add_up_and_the_largest_comes_first(clock):
    stopwatch = Stopwatch(clock)
    for _ in range(2):
        with stopwatch.section('reading'):
            clock.now += 10
        with stopwatch.section('decoding'):
            clock.now += 30
    clock.now += 20
    assert stopwatch.seconds == {'reading': 20, 'decoding': 60}
    assert stopwatch.summary() == '1 min 40 s: decoding 60 %, reading 20 %, other 20 %'


def test_an_inner_section_is_not_counted_twice(clock):
    stopwatch = Stopwatch(clock)
    with stopwatch.section('training'):
        clock.now += 3
        with stopwatch.section('saving'):
            clock.now += 1
    assert stopwatch.summary() == '4.0 s: training 75 %, saving 25 %'


def test_only_getting_the_items_counts(clock):
    def slow():
        for item in 'ab':
            clock.now += 3
            yield item

    stopwatch = Stopwatch(clock)
    seen = []
    for item in stopwatch.each('reading', slow()):
        seen.append(item)
        clock.now += 1
    assert seen == ['a', 'b']
    assert stopwatch.summary() == '8.0 s: reading 75 %, other 25 %'


def test_time_until_an_error_counts(clock):
    stopwatch = Stopwatch(clock)
    with pytest.raises(KeyboardInterrupt), stopwatch.section('reading'):
        clock.now += 2
        raise KeyboardInterrupt
    clock.now += 2
    assert stopwatch.summary() == '4.0 s: reading 50 %, other 50 %'


def test_summary_while_a_section_is_open(clock):
    stopwatch = Stopwatch(clock)
    with stopwatch.section('reading'):
        clock.now += 2
        assert stopwatch.summary() == '2.0 s: reading 100 %'


def test_nothing_has_happened_yet(clock):
    assert Stopwatch(clock).summary() == '0.0 s'


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.04, '0.0 s'),
        (59.94, '59.9 s'),
        (59.96, '1 min 00 s'),
        (125, '2 min 05 s'),
        (3599.7, '1 h 00 min'),
        (3780, '1 h 03 min'),
    ],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text
