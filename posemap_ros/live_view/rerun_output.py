"""Where the view can be seen: in a browser, in a window, or later, from a file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from posemap_ros.live_view.blueprint import blueprint
from posemap_ros.live_view.rerun_sdk import rr
from posemap_ros.support.files import explain

BROWSER, SCREEN, FILE_SUFFIX = 'browser', 'screen', '.rrd'
_APPLICATION = 'posemap'
_WEB_PORT, _DATA_PORT = 9090, 9877  # Rerun's own
# What a browser that is opened later still gets to see; the oldest is dropped.
_KEPT_FOR_LATER = '1GB'


class CannotShow(ValueError):
    """The view cannot be seen there, and why."""


def open_stream(target: str) -> tuple[rr.RecordingStream, str]:
    """A stream to log to, and a sentence that says where it can be seen.

    Args:
        target: 'browser', 'screen', or the path of an .rrd file, which is replaced.

    Raises:
        CannotShow: with one sentence.
    """
    stream = rr.new_recording(_APPLICATION)
    if target == BROWSER:
        return stream, f'the view is at {_serve(stream)}'
    if target == SCREEN:
        if not _has_screen():
            raise CannotShow(
                'there is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set): use '
                '--to browser, or --to FILE.rrd'
            )
        rr.spawn(default_blueprint=blueprint(), hide_welcome_screen=True, recording=stream)
        return stream, 'the view is on the screen'
    if not target.endswith(FILE_SUFFIX):
        raise CannotShow(f'--to takes browser, screen or a file FILE.rrd, not {target!r}')
    _check_writable(Path(target))
    rr.save(target, default_blueprint=blueprint(), recording=stream)
    return stream, f'the view goes to {target}; look at it with: rerun {target}'


def _serve(stream: rr.RecordingStream) -> str:
    """Serve data and page from this process; the page's address."""
    web_port, data_port = _free_port(_WEB_PORT), _free_port(_DATA_PORT)
    rr.serve_web(
        open_browser=_has_screen(),
        web_port=web_port,
        ws_port=data_port,
        server_memory_limit=_KEPT_FOR_LATER,
        recording=stream,
    )
    # Not by serve_web itself: Rerun 0.22 holds Python's lock there until its server's thread is
    # done with what it was given, and that thread needs the lock to let go of the blueprint's
    # arrays. One start in ten stood still.
    rr.send_blueprint(blueprint(), make_active=False, make_default=True, recording=stream)
    return f'http://localhost:{web_port}?url=ws://localhost:{data_port}'


def _free_port(wanted: int) -> int:
    """The port that is wanted, or, where it is taken, another."""
    for port in (wanted, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(('', port))
            except OSError:
                continue
            return listener.getsockname()[1]
    raise CannotShow('no port is free to serve the view on')


def _has_screen() -> bool:
    return bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))


def _check_writable(path: Path) -> None:
    """Rerun writes in a thread of its own, which fails without a word."""
    try:
        with path.open('ab'):
            pass
    except OSError as error:
        raise CannotShow(explain(error)) from None
