"""How fast the node is, through the middleware, beside a plain one; `make bench`.

From publishing an image of 640x480 (rgb8, 0.9 MB) to receiving its pose over DDS, at the highest
rate the node keeps up with: at least 95 of 100 images get a pose. Alone, while another process
burns a core, with all on one core, and while it refines. Then at 12 Hz: the node's share of a
core; and how soon it is ready, how soon the first pose comes, how much memory it takes.

    light    the demo's environment: EfficientNet-Lite0, 192x144
    verified the same, and as many images matched against its landmarks as the processor allows
    vgg16    VGG-16 of the recipe paper_indoor, 320x240, with random weights
    plain    VGG-16, 320x240, in eager float32 PyTorch in the image callback (plain_node.py)
    echo     no network at all: what DDS and Python cost by themselves

On CUDA also VGG-16 at 854x480 without ROS, one image at a time (bare_network.py).

Fast DDS runs with config/fastdds_large_images.xml, unless FASTRTPS_DEFAULT_PROFILES_FILE says
otherwise; echo tells what would arrive without.

Times depend on the machine and on what else it does; ratios within one run mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from rosbags.highlevel import AnyReader

from benchmarks.bare_network import time_bare_network
from benchmarks.bench_training import machine
from demo.processes import stop
from posemap_ros.camera import Camera
from posemap_ros.environment import Environment, make_aprnet, make_nerf_p, write_environment
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import load_recipe
from posemap_ros.support.command_line import run_stage

ROOT = Path(__file__).parents[1]
DEMO = ROOT / 'demo'
NODES = ('light', 'verified', 'vgg16', 'plain', 'echo')
OURS = ('light', 'verified', 'vgg16')
PATIENCE_S = 120.0
REFINE_PATIENCE_S = 400.0  # it rests for most of the time, while the node is given all it can take
KEEPS_UP = 0.95
TOO_MUCH_HZ = 100.0
LOWEST_HZ = 0.1
LEAST_IMAGES, LONGEST_PASS_S = 20, 8.0  # of a pass at one rate
STEADY_HZ = 12.0
LARGE_IMAGES = 'FASTRTPS_DEFAULT_PROFILES_FILE', str(ROOT / 'config' / 'fastdds_large_images.xml')
EVERY = 9  # image of the demo's drive is shown
# Random weights give random poses, and no pose counts for more than another here.
PARAMETERS = {
    'max_image_age': 0.0,
    'max_sigma_translation': 1000.0,
    'max_sigma_rotation': 180.0,
    'max_disagreement_translation': 1000.0,
    'max_disagreement_rotation': 180.0,
    'refine_min_frames': 8,
}


class NodeEnded(ValueError):
    """A process of the benchmark ended while it was needed."""


class NodeProcess:
    """A node under test in a process of its own; knows what the system knows about it.

    Attributes:
        ready_s: seconds from the start of the process until it said `ready`.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        started = time.monotonic()
        with log.open('wb') as file:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
            )
        while 'ready' not in log.read_text(errors='replace'):
            if self._process.poll() is not None or time.monotonic() > started + PATIENCE_S:
                self.stop()
                raise NodeEnded(f'the node did not get ready:\n{log.read_text()[-2000:]}')
            time.sleep(0.01)
        self.ready_s = time.monotonic() - started

    def processor_seconds(self) -> float:
        """That all its threads have used."""
        fields = Path(f'/proc/{self._process.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def resident_megabytes(self) -> float:
        """Of main memory, now."""
        pages = int(Path(f'/proc/{self._process.pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6

    def stop(self) -> None:
        stop(self._process)


class RobotProcess:
    """The robot_process of this benchmark, and one pass after the other of it."""

    def __init__(self, photos: Path, camera: Camera, prefix: list[str]) -> None:
        module = [sys.executable, '-m', 'benchmarks.robot_process', str(photos)]
        self._process = subprocess.Popen(
            [*prefix, *module, json.dumps(camera.to_dict())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, rate: float, seconds: float, refine: bool = False) -> dict:
        """One pass, see robot_process; says how it went."""
        order = {'rate': rate, 'seconds': seconds, 'refine': refine}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise NodeEnded('the robot of the benchmark ended; what it said is above')
        figures = {'rate': rate, **json.loads(line)}
        print(
            f'  {rate:6.1f} images/s: {figures["poses"]} of {figures["images"]} got a pose',
            flush=True,
        )
        return figures

    def stop(self) -> None:
        self._process.stdin.close()  # which ends it
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            stop(self._process)


@contextmanager
def burning_core() -> Iterator[None]:
    """Another process that does nothing but use a core."""
    process = subprocess.Popen([sys.executable, '-c', 'while True: pass'])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def highest_rate(measure: Callable[[float], dict]) -> dict | None:
    """The pass at the highest rate, to about 5 %, at which the node still keeps up; None where it
    does not at any.

    `measure` makes a pass at a rate in Hz. A rate is too high when it fails twice: a hiccup of the
    machine is not the node's.
    """
    # A node that is given too much makes as many poses as it can.
    figures = measure(STEADY_HZ)
    if keeps_up(figures):
        figures = measure(TOO_MUCH_HZ)
    rate = figures.get('poses_hz', LOWEST_HZ)
    best, low, high = None, 0.0, float('inf')
    while high > 1.06 * low:
        figures = measure(rate)
        if not keeps_up(figures):
            figures = measure(rate)
        if keeps_up(figures):
            best, low = figures, rate
        elif rate < LOWEST_HZ:
            return None
        else:
            high = rate
        if high == float('inf'):
            rate = 1.3 * low
        else:
            rate = (low * high) ** 0.5 if low else high / 1.2
    return best


def keeps_up(figures: dict) -> bool:
    """Whether nearly all images of a pass got a pose, and the robot sent as many as it should."""
    sent_in_time = figures['sent_hz'] >= KEEPS_UP * figures['rate']
    return sent_in_time and figures['poses'] >= KEEPS_UP * figures['images']


class Bench:
    """Runs the nodes one after the other; `results` has what was measured."""

    def __init__(self, work: Path, environment: Path, seconds: float, device: str) -> None:
        self.work, self.seconds, self.device = work, seconds, device
        self.light = environment
        self.photos = write_photos(work / 'photos')
        self.camera = Environment.load(DEMO / 'environment').camera
        self.results: dict[str, dict] = {}

    def measure(self, node: str) -> None:
        """All about one node, in `results[node]`."""
        r = self.results[node] = {}
        with self.running(node) as (process, robot):
            r['ready_s'] = process.ready_s
            r['first'] = robot.run(STEADY_HZ, 1.0)
            r['megabytes_early'] = process.resident_megabytes()
            r['steady'] = self.steady(process, robot)
            r['alone'] = highest_rate(self.passes(robot))
            if node != 'echo':
                with burning_core():
                    r['beside a busy process'] = highest_rate(self.passes(robot))
            if node == 'light' and r['alone']:
                r['refining'] = robot.run(r['alone']['rate'], REFINE_PATIENCE_S, refine=True)
            r['megabytes_late'] = process.resident_megabytes()
        if node != 'echo':
            with self.running(node, ['taskset', '-c', '0']) as (_, robot):
                robot.run(STEADY_HZ, 1.0)
                r['all on one core'] = highest_rate(self.passes(robot))
            return
        with self.running(node, ['env', '-u', LARGE_IMAGES[0]]) as (_, robot):
            r['Fast DDS as it comes'] = robot.run(60.0, self.seconds)
            with burning_core():
                r['Fast DDS as it comes, beside a busy process'] = robot.run(60.0, self.seconds)

    def passes(self, robot: RobotProcess) -> Callable[[float], dict]:
        """Long enough for some images at any rate."""
        return lambda rate: robot.run(
            rate, max(self.seconds, min(LEAST_IMAGES / rate, LONGEST_PASS_S))
        )

    def steady(self, process: NodeProcess, robot: RobotProcess) -> dict:
        """At 12 Hz; also the node's share of a core meanwhile."""
        before, began = process.processor_seconds(), time.monotonic()
        figures = robot.run(STEADY_HZ, 3 * self.seconds)
        used = process.processor_seconds() - before
        return figures | {'cores': used / (time.monotonic() - began)}

    @contextmanager
    def running(
        self, node: str, prefix: list[str] | None = None
    ) -> Iterator[tuple[NodeProcess, RobotProcess]]:
        """A node and its robot, both started by `prefix`."""
        prefix = prefix or []
        with ExitStack() as stack:
            process = NodeProcess([*prefix, *self.command(node)], self.work / f'{node}.log')
            stack.callback(process.stop)
            robot = RobotProcess(self.photos, self.camera, prefix)
            stack.callback(robot.stop)
            yield process, robot

    def command(self, node: str) -> list[str]:
        """That starts it."""
        if node not in OURS:
            echo = ['--echo'] if node == 'echo' else ['--device', self.device]
            return [sys.executable, '-m', 'benchmarks.plain_node', *echo]
        executable = shutil.which('localize')
        if executable is None:
            raise NodeEnded('the node is not installed here: run `make bench`')
        values = PARAMETERS | {'environment': self.environment(node), 'device': self.device}
        # In quotes, because to YAML a bare off is false.
        values['verification'] = 'as_able' if node == 'verified' else 'off'
        values['refine_seconds'] = 4 * self.seconds
        parameters = [x for name, value in values.items() for x in ('-p', f'{name}:={value}')]
        config = str(ROOT / 'config' / 'localize.yaml')
        return [executable, '--ros-args', '--params-file', config, *parameters]

    def environment(self, node: str) -> Path:
        """A fresh one, that refine may add to."""
        path = self.work / 'environments' / node
        shutil.rmtree(path, ignore_errors=True)
        if node == 'vgg16':
            return write_random_environment(path, self.camera)
        return Path(shutil.copytree(self.light, path))


def write_random_environment(path: Path, camera: Camera) -> Path:
    """VGG-16 of the recipe paper_indoor with random weights; its poses mean nothing."""
    recipe = load_recipe('paper_indoor')
    scene = SceneFrame(tuple(np.eye(4).ravel().tolist()), radius_m=1.0, near_m=0.1, middle_m=2.0)
    height = recipe.aprnet.image_height
    small = camera.resized(round(camera.width * height / camera.height), height)
    net = make_aprnet(scene, small, recipe.aprnet)
    nerf = make_nerf_p(scene, recipe.nerf_p)
    return write_environment(path, camera, net, nerf, recipe, (1.0, 1.0), {}).path


def write_photos(folder: Path) -> Path:
    """Some images of the demo's later drive, as files in a new folder."""
    folder.mkdir()
    with AnyReader([DEMO / 'bags' / 'later']) as reader:
        images = [c for c in reader.connections if c.topic.endswith('/compressed')]
        for index, (c, _, data) in enumerate(reader.messages(images)):
            if index % EVERY == 0:
                image = reader.deserialize(data, c.msgtype)
                (folder / f'{index:04d}.jpg').write_bytes(image.data.tobytes())
    return folder


SITUATIONS = ('alone', 'beside a busy process', 'all on one core', 'refining')


def print_rates(results: dict[str, dict]) -> None:
    """The highest rates, and latency there."""
    print(
        f'\n{"":8}{"":24}{"images/s":>10}{"poses/s":>9}{"median":>10}{"95 %":>10}'
        f'{"longest gap":>13}{"robot":>8}'
    )
    for node, r in results.items():
        for situation in SITUATIONS:
            if situation in r and (not r[situation] or r[situation]['poses'] < 2):
                print(f'{node:8}{situation:24}{"does not keep up":>19}')
            elif f := r.get(situation):
                print(
                    f'{node:8}{situation:24}{f["rate"]:>10.1f}{f["poses_hz"]:>9.1f}'
                    f'{f["median_ms"]:>7.1f} ms{f["p95_ms"]:>7.1f} ms{f["longest_gap_s"]:>11.2f} s'
                    f'{f["robot_cores"]:>8.0%}'
                )


def print_ratios(results: dict[str, dict]) -> None:
    """What one run says whatever the machine."""
    lines = []
    rate = {node: r['alone']['rate'] for node, r in results.items() if r['alone']}
    if 'plain' in rate:
        for node in rate.keys() & set(OURS):
            lines.append((f'{node} over plain, images/s', f'{rate[node] / rate["plain"]:.1f}'))
    if refining := results.get('light', {}).get('refining'):
        share = refining.get('poses_hz', 0.0) / results['light']['alone']['poses_hz']
        lines.append(('light refining over alone, poses/s', f'{share:.0%}'))
        lines.append(('refine', refining['refine']))
    if lines:
        print()
    for name, value in sorted(lines):
        print(f'{name:42}{value}')


def print_rest(results: dict[str, dict]) -> None:
    """At 12 Hz, start-up, memory, and the stages inside."""
    print(
        f'\n{"":8}{"12 Hz: of a core":>18}{"median":>11}{"ready":>9}{"first pose":>12}'
        f'{"memory":>9}{"later":>9}'
    )
    for node, r in results.items():
        first = r['first'].get('first_pose_s')
        first = f'{first:.2f} s' if first else '-'
        cores, median = '-', '-'
        if s := r.get('steady'):
            cores, median = f'{s["cores"]:.0%}', f'{s.get("median_ms", float("nan")):.1f} ms'
        print(
            f'{node:8}{cores:>18}{median:>11}{r["ready_s"]:>7.1f} s{first:>12}'
            f'{r["megabytes_early"]:>6.0f} MB{r["megabytes_late"]:>6.0f} MB'
        )
    if echo := results.get('echo'):
        for key in (k for k in echo if k.startswith('Fast DDS')):
            share = echo[key]['poses'] / echo[key]['images']
            print(f'\n{key}: {share:.0%} of images at {echo[key]["rate"]:g} Hz were answered')
    print()
    for node, r in results.items():
        if stages := (r['alone'] or r['steady'])['stages']:
            text = '   '.join(f'{name} {ms:.1f} ms' for name, ms in stages.items())
            print(f'{node:8}inside: {text}')


def run(arguments: argparse.Namespace) -> None:
    """Measure everything and print it."""
    # Real robots near by are none of our business, unless the user says so.
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault(*LARGE_IMAGES)
    where = machine(arguments.device)
    print(where, flush=True)
    with tempfile.TemporaryDirectory(prefix='bench_node_') as folder:
        bench = Bench(Path(folder), arguments.environment, arguments.seconds, arguments.device)
        for node in arguments.nodes:
            if node == 'verified' and not Environment.load(bench.light).landmarks:
                print(f'{bench.light} has no landmarks to verify by')
                continue
            print(f'measuring {node}', flush=True)
            bench.measure(node)
    print_rates(bench.results)
    print_ratios(bench.results)
    print_rest(bench.results)
    results = {'machine': where, **bench.results}
    if arguments.device == 'cuda':
        results['bare_network'] = times = time_bare_network('cuda')
        text = '   '.join(f'{name} {ms:.2f} ms' for name, ms in times.items())
        print(f'\nvgg16 at 854x480 without ROS: {text}')
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1))


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='bench_node',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--nodes', nargs='+', choices=NODES, default=NODES, help='which (default: all)')
    add(
        '--environment',
        type=Path,
        default=DEMO / 'environment',
        metavar='DIR',
        help="of light and verified (default: the demo's)",
    )
    add('--seconds', type=float, default=4.0, help='of a pass at one rate (default: %(default)g)')
    add(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='cpu or cuda (default: %(default)s)',
    )
    add('--out', type=Path, metavar='FILE', help='write everything that was measured, as JSON')
    return run_stage('bench_node', lambda: run(parser.parse_args(argv)), ValueError)


if __name__ == '__main__':
    sys.exit(main())
