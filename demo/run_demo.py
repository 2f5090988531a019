"""The demo, as `make demo` runs it: localize a drive, refine, localize the same drive again; then
cover the camera, and carry the robot off.

Three processes talk over ROS 2: a player publishes demo/bags/later at the bag's rate, the
installed node localizes with the environment that was trained on demo/bags/mapping, and this one
compares its poses with the truth. Results go to build/demo: summary.json, trajectory.png,
views.jpg and node.log. The exit code is 1, with a sentence, where the node does not do what it
should.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from demo.live_view import LiveView
from demo.lost_and_found import complaints, episodes
from demo.plot import plot_trajectory
from demo.processes import stop
from demo.viewer import Play, Viewer, summary
from demo.views import draw_views

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 90.0  # for the node to load its network on a slow machine
ENOUGH = 0.9  # of the images have to be localized


class Failed(RuntimeError):
    """The demo does not show what it should, and why."""


class LocalizerProcess:
    """The installed node executable, started as localize.launch.py would; its output in a file."""

    def __init__(self, environment: Path, refine_seconds: float, log: Path) -> None:
        executable = shutil.which('localize')
        if executable is None:
            raise SystemExit(
                'demo: the node is not installed here; run `make demo`, or '
                '`make setup` and then tools/with_ros python -m demo.run_demo'
            )
        parameters = {
            'environment': environment,
            'image_transport': 'compressed',
            'refine_seconds': float(refine_seconds),
            'refine_threads': len(os.sched_getaffinity(0)),  # no images come meanwhile
        }
        remappings = {
            'image/compressed': '/camera/image_raw/compressed',
            'camera_info': '/camera/camera_info',
        }
        command = [executable, '--ros-args', '--params-file', ROOT / 'config' / 'localize.yaml']
        for option, settings in (('-p', parameters), ('-r', remappings)):
            for name, value in settings.items():
                command += [option, f'{name}:={value}']
        self.log = log
        self._process = subprocess.Popen(
            command, stdout=log.open('wb'), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )

    def check(self) -> None:
        """Raise `Failed` unless it still runs."""
        code = self._process.poll()
        if code is not None:
            last = '\n'.join(self.log.read_text(errors='replace').splitlines()[-15:])
            raise Failed(f'the node ended with exit code {code}. Its last output:\n{last}')

    def stop(self) -> None:
        stop(self._process)


class StatusLine:
    """One line that is written anew on a terminal, and every five seconds elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._next = 0.0

    def show(self, text: Callable[[], str]) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (0.2 if self._live else 5.0)
            print(
                f'\r\033[K{text()}' if self._live else text(),
                end='' if self._live else '\n',
                flush=True,
            )

    def end(self) -> None:
        if self._live:
            print('\r\033[K', end='', flush=True)


def describe(play: Play) -> str:
    """Where the robot is, by the latest fix, and how well that went of late."""
    if not play.fixes:
        return f'{len(play.sent)} images, no pose yet'
    fix, recent = play.fixes[-1], play.fixes[-24:]
    seconds = (recent[-1].arrived_ns - recent[0].arrived_ns) * 1e-9
    rate = f'{(len(recent) - 1) / seconds:4.1f} Hz' if seconds > 0 else ''
    (x, y), (true_x, true_y) = fix.T_map_base[:2, 3], fix.T_map_base_true[:2, 3]
    state = play.states[-1][1] if play.states else ''
    return (
        f'pose {x:+.2f} {y:+.2f}   true {true_x:+.2f} {true_y:+.2f}   '
        f'off by {fix.translation_m:.3f} m {fix.rotation_deg:4.1f} deg   {rate}   '
        f'{fix.latency_ms:.0f} ms   {state}'
    )


class Demo:
    """The viewer, the node under test, and what is done with them."""

    def __init__(self, viewer: Viewer, node: LocalizerProcess) -> None:
        self.viewer, self.node = viewer, node
        self.status = StatusLine()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(viewer)

    def spin_while(self, condition: Callable[[], bool], text: Callable[[], str]) -> None:
        """Receive messages and show `text` for as long as `condition` holds and the node lives."""
        while condition():
            self._executor.spin_once(timeout_sec=0.1)
            self.node.check()
            self.status.show(text)
        self.status.end()

    def wait_for_node(self) -> None:
        ready = self.viewer.create_client(Trigger, '/posemap/refine')
        give_up = time.monotonic() + START_SECONDS
        self.spin_while(
            lambda: not ready.service_is_ready() and time.monotonic() < give_up,
            lambda: 'starting the node',
        )
        if not ready.service_is_ready():
            raise SystemExit(
                f'demo: the node offered no /posemap/refine within '
                f'{START_SECONDS:.0f} s; see {self.node.log}'
            )

    def play(self, bag: Path, *options: str) -> Play:
        """Play the bag from another process, with options of play_bag."""
        self.viewer.start_play()
        play = self.viewer.play
        player = subprocess.Popen(
            [sys.executable, '-m', 'demo.play_bag', bag, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.spin_while(lambda: player.poll() is None, lambda: describe(play))
            if player.returncode:
                raise Failed(f'the player ended with exit code {player.returncode}')
            play.images = int(player.stdout.read().split()[0])
            last_pose = time.monotonic() + 1.0
            self.spin_while(lambda: time.monotonic() < last_pose, lambda: 'the last poses')
        finally:
            stop(player)
        return play

    def refine(self) -> tuple[bool, str, float]:
        """Call the service; return whether it was accepted, why, and the seconds it took."""
        began = time.monotonic()
        client = self.viewer.create_client(Trigger, '/posemap/refine')
        answer = client.call_async(Trigger.Request())
        self.spin_while(
            lambda: not answer.done(), lambda: f'refining, {time.monotonic() - began:.0f} s'
        )
        response = answer.result()
        return response.success, response.message, time.monotonic() - began

    def back_to_start(self, T_map_base) -> None:
        """Say that the robot was carried, as with RViz's 2D Pose Estimate, so that its odometry of
        before is not held against the first fixes of the next play."""
        message = PoseWithCovarianceStamped()
        message.header.frame_id = 'map'
        message.pose.pose.position.x, message.pose.pose.position.y = map(float, T_map_base[:2, 3])
        publisher = self.viewer.create_publisher(PoseWithCovarianceStamped, '/initialpose', 1)
        give_up = time.monotonic() + 5.0
        self.spin_while(
            lambda: not publisher.get_subscription_count() and time.monotonic() < give_up,
            lambda: 'telling the node that the robot is back at the start',
        )
        publisher.publish(message)


def check_enough(name: str, play: Play, log: Path) -> None:
    """Raise `Failed` where too few of the images were localized."""
    if len(play.fixes) < max(2, ENOUGH * play.images):
        raise Failed(
            f'{name}, only {len(play.fixes)} of {play.images} images were localized, '
            f'fewer than {ENOUGH:.0%}: the machine is too busy or too slow, or {log} '
            'says what else was wrong'
        )


def row(name: str, play: Play) -> str:
    figures = summary(play.fixes)
    return (
        f'{name:15}{figures["frames"]:4} of {play.images} images   '
        f'{figures["median_translation_m"]:.3f} m  {figures["median_rotation_deg"]:.2f} deg   '
        f'{figures["rate_hz"]:.1f} Hz   {figures["latency_ms_median"]:.0f} ms '
        f'({figures["latency_ms_p95"]:.0f} ms)'
    )


def run(bag: Path, environment: Path, out: Path, refine_seconds: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    # Refine adds to the environment it works on, so it gets a copy.
    copy = out / 'environment'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(environment, copy)
    node = LocalizerProcess(copy, refine_seconds, out / 'node.log')
    try:
        demo = Demo(Viewer(), node)
        demo.wait_for_node()
        print(f'Playing {bag.name}: the room after its light has changed and things were moved.')
        before = demo.play(bag)
        check_enough('before refine', before, node.log)
        print(row('before refine', before))
        print(f'Calling /posemap/refine: {refine_seconds:.0f} s of training on the frames it saw.')
        accepted, reason, seconds = demo.refine()
        print(f'{"Accepted" if accepted else "Not accepted"} after {seconds:.0f} s: {reason}')
        demo.back_to_start(before.fixes[0].T_map_base_true)
        after = demo.play(bag)
        check_enough('after refine', after, node.log)
        print(row('after refine', after))
        print('Playing part of it again: the camera is covered, and the robot carried off.')
        demo.back_to_start(before.fixes[0].T_map_base_true)
        third = episodes(demo.play(bag, '--covered-and-carried'))
        node.check()
    finally:
        node.stop()

    print(f'\n{"":15}poses               median error       rate      latency (95 %)')
    print(row('before refine', before))
    print(row('after refine', after))
    print(*third, sep='\n')
    result = {
        **summary(before.fixes),
        'images': before.images,
        'after_refine': {**summary(after.fixes), 'images': after.images},
        'refine_accepted': accepted,
        'refine_seconds': seconds,
        'refine_reason': reason,
        'covered_and_carried': [asdict(episode) for episode in third],
    }
    (out / 'summary.json').write_text(json.dumps(result, indent=2) + '\n')
    mount = demo.viewer.T_base_optical
    plot_trajectory(out / 'trajectory.png', before, after, mount)
    draw_views(out / 'views.jpg', bag, environment, after.fixes, min(after.sent), mount)
    print('', *(out / name for name in ('summary.json', 'trajectory.png', 'views.jpg')), sep='\n')
    if wrong := [sentence for episode in third for sentence in complaints(episode)]:
        raise Failed('; '.join(wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bag', type=Path, default=ROOT / 'demo' / 'bags' / 'later')
    parser.add_argument('--environment', type=Path, default=ROOT / 'demo' / 'environment')
    parser.add_argument('--out', type=Path, default=ROOT / 'build' / 'demo')
    parser.add_argument('--refine-seconds', type=float, default=120.0, help='time to train for')
    parser.add_argument(
        '--view',
        nargs='?',
        const='browser',
        metavar='WHERE',
        help='show it live: browser (default), screen, or a file FILE.rrd',
    )
    arguments = parser.parse_args()
    for name, folder in (('bag', arguments.bag), ('environment', arguments.environment)):
        if not folder.is_dir():
            raise SystemExit(
                f'demo: the {name} folder {folder} is missing: check the repository '
                f'out again, or give another with --{name}'
            )

    # Real robots near by are none of our business, unless the user says so.
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    view = None
    try:
        if arguments.view:
            view = LiveView(arguments.view, arguments.out / 'view.log')
        run(arguments.bag, arguments.environment, arguments.out, arguments.refine_seconds)
        if view is not None:
            view.linger()
    except Failed as error:
        raise SystemExit(f'demo: {error}') from None
    except KeyboardInterrupt:
        print('\nstopped')
        sys.exit(130)
    finally:
        if view is not None:
            view.stop()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
