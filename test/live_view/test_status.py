"""Diagnostics as words and curves."""

from types import SimpleNamespace

from posemap_ros.live_view import paths
from posemap_ros.live_view.status import markdown, plotted


def test_numbers_with_a_unit_are_plotted_and_the_rest_is_not():
    values = {
        'poses [Hz]': '11.900',
        'verify [ms]': '61.5',
        'network [ms]': 'none yet',
        'images [Hz]': 'nan',
        'predicted sigma [m]': '0.1',
        'state': 'localized',
    }
    assert plotted(values) == {paths.RATE: {'poses': 11.9}, paths.LATENCY: {'verify': 61.5}}


def test_words_are_words_and_no_mark_up():
    value = SimpleNamespace(key='verdict', value='|*<b>')
    rate = SimpleNamespace(key='poses [Hz]', value='11.9')
    text = markdown({'localization': SimpleNamespace(message='Localized.', values=[value, rate])})
    assert '**localization**: Localized.' in text
    assert r'- verdict: \|\*\<b\>' in text
    assert '11.9' not in text  # is plotted
