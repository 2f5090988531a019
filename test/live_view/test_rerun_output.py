"""Where the view cannot be shown is said in one sentence, before anything else happens."""

from pathlib import Path

import pytest

pytest.importorskip('rerun')

from posemap_ros.live_view.rerun_output import CannotShow, open_stream  # noqa: E402


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    'target, sentence',
    [
        ('screen', 'there is no screen here'),
        ('drive.mp4', "browser, screen or a file FILE.rrd, not 'drive.mp4'"),
        ('/nowhere/drive.rrd', '/nowhere/drive.rrd: No such file'),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(target: str, sentence: str) -> None:
    with pytest.raises(CannotShow, match=sentence):
        open_stream(target)


def test_a_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / 'drive.rrd'
    file.write_bytes(b'what was there before')
    _, where = open_stream(str(file))
    assert str(file) in where
