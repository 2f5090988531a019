"""Runs the commands of README.md, in its order and as they stand there: `make readme`.

    tools/with_ros python -m tools.run_readme [--without-demo]

`my_bag` is the demo's mapping drive under the names that the README takes for a robot's, so that
nothing has to be changed in a command, except for what would take hours: `fast` is replaced by a
recipe of a minute, which is said. The folder build/readme keeps what the commands leave. What the
wheels of ROS lack (ros2, rosdep, colcon) is run where it is installed. A command that nothing here
knows how to run is an error, in the tests as well.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / 'README.md'
SCRATCH = ROOT / 'build' / 'readme'
# The first words of commands; of an indented block that is no text, each line must begin with one.
PROGRAMS = (
    *('make', 'tools/with_ros', 'ros2', 'pip', 'rosdep', 'colcon', 'export', 'python3', 'cd'),
    'source',
)
# How indented blocks begin that are no commands.
TEXTS = (r'\s*poses\s+median error', r'posemap_ros/\s+extraction/')
# Trains for about a minute: what `fast` says, but for these.
TOY = {
    ('nerf_p', 'steps'): 150,
    ('nerf_p', 'pose_steps'): 60,
    ('aprnet', 'steps'): 60,
    ('aprnet', 'views', 'per_frame'): 1,
    ('aprnet', 'views', 'at_least'): 0,
}
NODE_SECONDS, POSES = 120.0, 60
STAGE_SECONDS = 1800.0
REFINE_SECONDS = 20.0


class Failed(RuntimeError):
    """A command of the README does not do what it should, and which."""


@dataclass(frozen=True)
class Command:
    """A command of the README, and the line that it is in."""

    line: int
    text: str

    def __str__(self) -> str:
        return f'README.md:{self.line}: {self.text}'


def commands(readme: str) -> list[Command]:
    """All commands, those within sentences too, each once, in their order.

    Raises `Failed` where a block begins with what is no program that is known.
    """
    found = []
    for number, line in _code_lines(readme):
        if (word := line.split()[0]) not in PROGRAMS:
            raise Failed(
                f'README.md:{number}: {word!r} begins no command that tools/run_readme.py knows: '
                f'say there what {line.strip()!r} is'
            )
        found.append(Command(number, line.split('  #')[0].strip()))
    for number, line in enumerate(readme.splitlines(), start=1):
        for quoted in re.findall('`([^`]+)`', line):
            if len(words := quoted.split()) > 1 and words[0] in PROGRAMS:
                found.append(Command(number, quoted))
    found.sort(key=lambda command: command.line)
    first = {command.text: command for command in reversed(found)}
    return [command for command in found if first[command.text] is command]


def _code_lines(readme: str) -> Iterator[tuple[int, str]]:
    """Numbered lines of blocks, indented or fenced, that are no text."""
    fenced = is_text = within = False
    for number, line in enumerate(readme.splitlines(), start=1):
        if line.lstrip().startswith('```'):
            fenced, within = not fenced, False
        elif fenced or line.startswith('    '):
            if not within:
                is_text = any(re.match(text, line.strip() or line) for text in TEXTS)
            within = True
            if not is_text and line.strip():
                yield number, line
        elif line.strip() or not within:
            within = False


# ---- how each is run: the first pattern that fits at the start of a command counts


@dataclass(frozen=True)
class Elsewhere:
    """A command that something else runs: a file of the checkout, which shows it by a text."""

    file: str
    shows: str


@dataclass(frozen=True)
class ByHand:
    """A command that is not run here, and why."""

    reason: str


HOW: tuple[tuple[str, Callable[[Readme, Command], None] | Elsewhere | ByHand], ...] = (
    ('make demo$', lambda readme, command: readme.demo(command)),
    ('make demo ARGS=--view$', Elsewhere('test/ros/test_live_view.py', 'live_view')),
    ('make paper', Elsewhere('test/training/test_paper.py', 'paper')),
    ('make test', Elsewhere('.ci/run', 'make test')),
    ('export FASTRTPS', Elsewhere('test/ros/test_large_images.py', 'fastdds_large_images.xml')),
    ('pip install -r', Elsewhere('tools/bootstrap.py', "'pip', 'install'")),
    ('pip install torch', ByHand('it is several GB that .venv has already')),
    ('rosdep ', ByHand('it installs packages of the system')),
    ('cd |source |python3 -m (venv|colcon)', ByHand('it needs a colcon workspace around us')),
    ('make clean$', ByHand('it would remove what runs this')),
    (
        'tools/with_ros torchrun',
        Elsewhere('test/support/test_distributed.py', 'torch.distributed.run'),
    ),
    ('tools/with_ros tensorboard ', lambda readme, command: readme.tensorboard(command)),
    (r'tools/with_ros view\b', lambda readme, command: readme.view(command)),
    (r'tools/with_ros localize\b', lambda readme, command: readme.localize(command)),
    (r'tools/with_ros (refine|reset)\b', lambda readme, command: readme.service(command)),
    ('tools/with_ros python -m training', lambda readme, command: readme.show_help(command)),
    ('tools/with_ros', lambda readme, command: readme.stage(command)),
    ('ros2 run posemap_ros', lambda readme, command: readme.show_help(command)),
    ('ros2 launch', lambda readme, command: readme.localize(command)),
    ('ros2 service call', lambda readme, command: readme.service(command)),
)


def how(command: Command) -> Callable[[Readme, Command], None] | Elsewhere | ByHand:
    """How a command is run. Raises `Failed` where nobody said."""
    for pattern, way in HOW:
        if re.match(pattern, command.text):
            return way
    raise Failed(f'{command}: tools/run_readme.py does not know how to run it; say so there')


class Readme:
    """Runs commands in a folder in which they find what they name."""

    def __init__(self, stack: ExitStack, with_demo: bool) -> None:
        self._stack, self._with_demo = stack, with_demo
        self._node: subprocess.Popen | None = None
        shutil.rmtree(SCRATCH, ignore_errors=True)
        SCRATCH.mkdir(parents=True)
        for name in ('.venv', 'tools', 'training', 'requirements'):
            (SCRATCH / name).symlink_to(ROOT / name)
        self._write_inputs()

    def _write_inputs(self) -> None:
        import yaml

        from demo.as_my_bag import write_as_my_bag

        write_as_my_bag(ROOT / 'demo' / 'bags' / 'mapping', SCRATCH / 'my_bag')
        recipe = yaml.safe_load((ROOT / 'config' / 'training' / 'fast.yaml').read_text())
        for (*parts, key), value in TOY.items():
            section = recipe
            for part in parts:
                section = section[part]
            if key not in section:
                raise Failed(f'the recipe fast has no {key!r} any more: correct TOY')
            section[key] = value
        (SCRATCH / 'toy.yaml').write_text(yaml.safe_dump(recipe))

    def run(self, command: Command) -> None:
        """Run one, or say why not."""
        way = how(command)
        print(f'\n$ {command.text}', flush=True)
        if isinstance(way, Elsewhere):
            if way.shows not in (ROOT / way.file).read_text():
                raise Failed(f'{command}: {way.file} does not run it any more')
            print(f'  (run by {way.file})')
        elif isinstance(way, ByHand):
            print(f'  (not run: {way.reason})')
        elif command.text.startswith('ros2') and not shutil.which('ros2'):
            print('  (not run: there is no ros2 here)')
        else:
            way(self, command)

    def stage(self, command: Command) -> None:
        """To its end."""
        self._run(command, command.text.replace('--recipe fast', '--recipe toy.yaml'))

    def show_help(self, command: Command) -> None:
        """Of a stage that was run already."""
        self._run(command, f'{command.text} --help')

    def demo(self, command: Command) -> None:
        """In the checkout, and see that it prints what stands under it."""
        if not self._with_demo:
            print('  (not run: --without-demo)')
            return
        compare_figures(README.read_text(), self._run(command, command.text, ROOT))

    def tensorboard(self, command: Command) -> None:
        """Until it serves."""
        self._start(command, f'{command.text} --port 0', 'TensorBoard')[0].terminate()

    def view(self, command: Command) -> None:
        """Until it shows what comes; Ctrl-C ends it."""
        process, log = self._start(command, command.text, 'view: ')
        os.killpg(process.pid, signal.SIGINT)
        if code := process.wait(NODE_SECONDS):
            raise Failed(f'{command}: Ctrl-C ended it with exit code {code}; see {log}')

    def localize(self, command: Command) -> None:
        """While the bag plays, until there are poses; it runs on for what follows."""
        self._end_node(command)
        self._node, log = self._start(command, command.text, 'ready: waiting for images on')
        play = [sys.executable, '-m', 'demo.play_bag', SCRATCH / 'my_bag']
        player = subprocess.Popen(play, cwd=ROOT, stdout=subprocess.DEVNULL)
        self._stack.callback(player.kill)
        poses = self._count_poses(lambda: player.poll() is None)
        if poses < POSES:
            raise Failed(f'{command}: only {poses} poses came; see {log}')
        print(f'  {poses} poses')

    def service(self, command: Command) -> None:
        """Of the node that runs; that a refine does not help is an answer, too."""
        if self._node is None:
            raise Failed(f'{command}: no command before it has started the node')
        if 'refine' in command.text:
            self._set_refine_seconds()
        self._run(command, command.text, may_say=r'refine on \d+ frames: ')

    def end(self) -> None:
        """What still runs."""
        self._end_node(Command(0, 'the node'))

    def _end_node(self, command: Command) -> None:
        if self._node is not None:
            os.killpg(self._node.pid, signal.SIGINT)
            if code := self._node.wait(60.0):
                raise Failed(f'{command}: the node before it ended with exit code {code}')
            self._node = None

    def _run(self, command: Command, text: str, folder: Path = SCRATCH, may_say: str = '') -> str:
        """What it prints, which is shown as it comes."""
        if text != command.text:
            print(f'  as: {text}', flush=True)
        lines = []
        process = subprocess.Popen(
            ['bash', '-c', text],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=users_environment(),
            text=True,
            start_new_session=True,
        )
        self._stack.callback(_kill, process)
        for line in process.stdout:
            lines.append(line)
            print(f'  {line}', end='', flush=True)
        printed = ''.join(lines)
        if process.wait(STAGE_SECONDS) and not (may_say and re.search(may_say, printed)):
            raise Failed(f'{command}: it ended with exit code {process.returncode}')
        return printed

    def _start(self, command: Command, text: str, sign: str) -> tuple[subprocess.Popen, Path]:
        """In the background; returns when its output shows a sign of life."""
        log = SCRATCH / f'line{command.line}.log'
        with log.open('wb') as file:
            process = subprocess.Popen(
                ['bash', '-c', f'exec {text}'],
                cwd=SCRATCH,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=users_environment(),
                start_new_session=True,
            )
        self._stack.callback(_kill, process)
        deadline = time.monotonic() + NODE_SECONDS
        while sign not in log.read_text(errors='replace'):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f'{command}: it does not say {sign!r}; see {log}')
            time.sleep(0.1)
        print(f'  {sign} ...')
        return process, log

    def _count_poses(self, going_on: Callable[[], bool]) -> int:
        import rclpy
        from geometry_msgs.msg import PoseStamped

        poses = []
        listener = rclpy.create_node('readme')
        listener.create_subscription(PoseStamped, '/posemap/pose', poses.append, 10)
        while going_on():
            rclpy.spin_once(listener, timeout_sec=0.1)
        listener.destroy_node()
        return len(poses)

    def _set_refine_seconds(self) -> None:
        import rclpy
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        caller = rclpy.create_node('readme')
        client = caller.create_client(SetParameters, '/posemap/set_parameters')
        client.wait_for_service(NODE_SECONDS)
        value = Parameter('refine_seconds', value=REFINE_SECONDS).to_parameter_msg()
        future = client.call_async(SetParameters.Request(parameters=[value]))
        rclpy.spin_until_future_complete(caller, future, timeout_sec=NODE_SECONDS)
        caller.destroy_node()
        print(f'  with refine_seconds {REFINE_SECONDS:.0f}, in place of 120')


def users_environment() -> dict[str, str]:
    """What a user's shell has: this process's environment, without what tools/with_ros added."""
    venv = ROOT / '.venv'
    environment = dict(os.environ)
    for name in ('VIRTUAL_ENV', '_ROS_WHEELS_BOOTSTRAP_COMPLETE'):
        environment.pop(name, None)
    for name in ('PATH', 'AMENT_PREFIX_PATH', 'LD_LIBRARY_PATH'):
        parts = environment.pop(name, '').split(os.pathsep)
        kept = [part for part in parts if part and not Path(part).is_relative_to(venv)]
        if kept:
            environment[name] = os.pathsep.join(kept)
    return environment


_ROW = re.compile(
    r'(before|after) refine +(\d+) of (\d+) images +(\d+\.\d+) m +(\d+\.\d+) deg', re.MULTILINE
)


def compare_figures(readme: str, printed: str) -> None:
    """See that the README says of the demo what it printed. Rates and latencies are the machine's.

    Raises `Failed` where it does not.
    """
    said, is_so = ({row[0]: row[1:] for row in _ROW.findall(text)} for text in (readme, printed))
    for name in ('before', 'after'):
        if name not in said or name not in is_so:
            raise Failed(f'the row "{name} refine" is missing in the README or in what is printed')
        poses, images, metres, degrees = map(float, said[name])
        real_poses, real_images, real_metres, real_degrees = map(float, is_so[name])
        if (
            images != real_images
            or real_poses < 0.99 * poses
            or abs(metres - real_metres) > 0.0011
            or abs(degrees - real_degrees) > 0.06
        ):
            raise Failed(
                f'{name} refine the README says {" ".join(said[name])}, and the demo printed '
                f'{" ".join(is_so[name])}'
            )


def _kill(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--without-demo', action='store_true', help='do not run `make demo`')
    arguments = parser.parse_args()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        with ExitStack() as stack:
            readme = Readme(stack, not arguments.without_demo)
            for command in commands(README.read_text()):
                readme.run(command)
            readme.end()
    except Failed as error:
        print(f'readme: {error}', file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    print('\nEvery command of README.md was run, or it is said why not.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
