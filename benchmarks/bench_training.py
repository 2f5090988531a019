"""How fast NeRF-P and APRNet train, against plain references, in one run.

Fields: rays a second, PSNR on held-out rays after a fixed time, and when each level of PSNR was
first reached; the reference is NeRF-H in eager PyTorch (benchmarks/nerf_h.py). APRNet: steps a
second with all losses, and its PoseMap loss against one that renders the whole image in every
step. Each measurement runs in a process of its own, which tells its peak memory.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.nerf_h import NerfH
from posemap_ros.aprnet.losses import posemap_loss
from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.trainer import train_aprnet
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.building.build import Build, prepare_build
from posemap_ros.building.field import photo_rays
from posemap_ros.building.scene import scene_of
from posemap_ros.camera import Camera
from posemap_ros.environment import make_aprnet, make_nerf_p
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.from_bag import extract_bag
from posemap_ros.nerf_p.nerf_p import NeRFP, view_rays
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE
from posemap_ros.recipe import load_recipe
from posemap_ros.support.command_line import run_stage
from posemap_ros.training_phases import Phases

DEMO_BAG = Path(__file__).parents[1] / 'demo' / 'bags' / 'mapping'
# One frame in so many is held out, and so many rays of those frames are judged by.
HELD_OUT_EVERY = 10
JUDGED_RAYS = 1024
# Each judgement comes so much later than the one before.
JUDGE_GROWTH = 1.15
LEVELS_DB = (14, 16, 18, 20, 22, 24)
APRNET_PHOTOS = 24
APRNET_STEPS = 8
POSEMAP_BATCH = 4

FIELDS = ('grid', 'mlp', 'reference')
POSEMAPS = ('some cells', 'all cells', 'reference')


def measure_field(
    field: str, data: Path, work: Path, seconds: float, device: str, busy: bool
) -> dict[str, Any]:
    """Train a field for a time; judging does not count.

    Args:
        field: one of ``FIELDS``.
        data, work, device: see `prepare_build`.
        seconds: for how long.
        busy: count processor time, all threads together, instead of time.
    """
    clock = time.process_time if busy else time.perf_counter
    recipe = load_recipe('fast' if field == 'grid' else 'paper_indoor')
    build = prepare_build(data, replace(recipe, data_fraction=1.0), work, device=device)
    photos = photo_rays(build)
    apart = torch.arange(len(build.dataset)) % HELD_OUT_EVERY == HELD_OUT_EVERY // 2
    seen, held_out = (~apart).nonzero()[:, 0], apart.nonzero()[:, 0]
    scene, recipe = scene_of(build), build.recipe.nerf_p
    torch.manual_seed(0)
    if field == 'reference':
        centre = scene.T_world_scene[:3, 3]
        near, far = scene.near_m, recipe.mlp.reach * scene.middle_m
        model = NerfH(centre, scene.radius_m, near / scene.radius_m, far / scene.radius_m)
    else:
        model = make_nerf_p(scene, recipe)
        model.pose_branch.requires_grad_(False)
    model = model.to(build.device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=recipe.learning_rate, eps=1e-15, fused=True)

    def loss(index: int, generator: torch.Generator) -> Tensor:
        rays = photos.draw(seen, recipe.rays_per_step, generator)
        if isinstance(model, NeRFP):
            return model.loss(rays, index, generator)[0]
        return model.loss(rays.origins, rays.directions, rays.histogram, rays.rgb)

    judged = photos.draw(held_out, JUDGED_RAYS, torch.Generator().manual_seed(1))
    judged = judged.origins, judged.directions, judged.histogram, judged.rgb

    @torch.no_grad()
    def psnr() -> float:
        squared = []
        for part in zip(*(v.split(512) for v in judged)):
            origins, directions, histogram, true = part
            if isinstance(model, NeRFP):
                samples = model.sample(origins, directions)
                rgb = model.shade(samples, directions, histogram)
            else:
                rgb = model.render(origins, directions, histogram, False)[1]
            squared.append((rgb.clamp(0.0, 1.0) - true).square())
        return float(-10.0 * torch.cat(squared).mean().log10())

    elapsed, index, next_judgement, curve = 0.0, 0, 0.5, []
    while elapsed < seconds:
        started = clock()
        value = loss(index, torch.Generator().manual_seed(index))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        finish(build.device)
        elapsed += clock() - started
        index += 1
        if elapsed >= next_judgement or elapsed >= seconds:
            curve.append((elapsed, psnr()))
            next_judgement = elapsed * JUDGE_GROWTH
    return {
        'steps': index,
        'rays_per_s': index * recipe.rays_per_step / elapsed,
        'seconds': elapsed,
        'curve': curve,
        'peak_gb': peak_memory_gb(build.device),
    }


def first_time(curve: list[tuple[float, float]], level_db: float) -> float:
    """Seconds of training after which a PSNR was first found; infinite if it never was."""
    return next((t for t, found in curve if found >= level_db), math.inf)


def untrained(build: Build) -> tuple[NeRFP, APRNet, PosedViews]:
    """Networks with random weights, which cost what trained ones do, and a few photos."""
    torch.manual_seed(0)
    few = build.dataset.thinned(min(1.0, APRNET_PHOTOS / len(build.dataset)))
    nerf = make_nerf_p(scene_of(build), build.recipe.nerf_p).to(build.device)
    net = make_aprnet(scene_of(build), build.network_camera, build.recipe.aprnet)
    few = replace(build, dataset=few)
    photos = PosedViews(few.images(build.network_camera), few.poses)
    nerf = nerf.requires_grad_(False).eval()
    return nerf, net.to(build.device, memory_format=torch.channels_last), photos


def measure_aprnet(data: Path, work: Path, device: str) -> dict[str, Any]:
    """Steps of the real training with all losses, renders made before."""
    build = prepare_build(data, load_recipe('fast'), work, device=device)
    nerf, net, photos = untrained(build)
    recipe = replace(build.recipe.aprnet, rendering_losses_from=0.0)
    checkpoint = work / 'aprnet.pt'
    source = ViewSource(nerf, photos, net.camera, recipe.views, 0, work)
    frames = torch.arange(len(photos))

    def train(steps: int) -> float:
        started = time.perf_counter()
        recipe_of_run = replace(recipe, steps=steps)
        phases = Phases(frames, frames[:1], steps)
        train_aprnet(net, source, phases, recipe_of_run, 0, checkpoint, lambda: None)
        finish(build.device)
        return time.perf_counter() - started

    train(1)  # renders, and is the checkpoint that the next one goes on from
    steps = APRNET_STEPS
    return {'steps_per_s': steps / train(1 + steps), 'peak_gb': peak_memory_gb(build.device)}


def measure_posemap(kind: str, data: Path, work: Path, device: str) -> dict[str, Any]:
    """Steps of APRNet with the PoseMap loss alone."""
    build = prepare_build(data, load_recipe('fast'), work, device=device)
    nerf, net, photos = untrained(build)
    camera, poses = net.camera, photos.T_world_cam[:POSEMAP_BATCH].to(build.device)
    images = network_input(photos.images[:POSEMAP_BATCH].to(build.device), camera)
    with torch.no_grad():
        kept = nerf.posemap(poses, camera)  # the training renders it once, too
    cells = kept.opacity.shape[1]
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)

    def from_grid(estimate: Tensor, count: int) -> None:
        chosen = torch.randperm(cells)[:count].to(build.device)
        found = nerf.posemap(estimate, camera, chosen).features
        true, opacity = kept.features[:, chosen], kept.opacity[:, chosen]
        posemap_loss(found, true, opacity).backward()

    def from_whole_images(estimate: Tensor) -> None:
        # One image after the other: together they would not fit into memory.
        for index in range(len(poses)):
            with torch.no_grad():
                true, opacity = whole_posemap(nerf, poses[index], camera)
            found, _ = whole_posemap(nerf, estimate[index], camera)
            posemap_loss(found, true, opacity).div(len(poses)).backward()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        estimate = net(images).T_world_cam
        leaf = estimate.detach().requires_grad_(True)
        if kind == 'reference':
            from_whole_images(leaf)
        else:
            few = build.recipe.aprnet.posemap_cells
            from_grid(leaf, few if kind == 'some cells' else cells)
        estimate.backward(leaf.grad)
        optimiser.step()
        finish(build.device)

    step()
    seconds = repeat(step, at_least_s=3.0)
    return {'steps_per_s': 1.0 / seconds, 'peak_gb': peak_memory_gb(build.device)}


def whole_posemap(nerf: NeRFP, pose: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Pose features and opacity of every pixel, of which the middles of the cells are kept."""
    origins, directions = view_rays(pose, camera)
    samples = nerf.sample(origins, directions)
    size, half = (1, camera.height, camera.width), POSEMAP_STRIDE // 2
    features = nerf.pose_features(samples, directions).reshape(*size, -1)
    opacity = samples.weights.sum(-1).reshape(*size)
    middles = (slice(None), slice(half, None, POSEMAP_STRIDE), slice(half, None, POSEMAP_STRIDE))
    return features[middles].flatten(1, 2), opacity[middles].flatten(1, 2)


def repeat(work: Callable[[], None], at_least_s: float) -> float:
    """Mean seconds of one of as many calls as take so long together."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < at_least_s:
        work()
        count += 1
    return (time.perf_counter() - started) / count


def finish(device: torch.device) -> None:
    """Wait for what a GPU still has to do."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def peak_memory_gb(device: torch.device) -> float:
    """Of this process: the GPU's memory on a GPU, else main memory."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call in a new process, so that its peak memory is its own."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def machine(device: str) -> str:
    """What this runs on, in one line."""
    processor = platform.processor() or platform.machine()
    if Path('/proc/cpuinfo').exists():
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        processor = next((x.split(': ')[1] for x in lines if 'model name' in x), processor)
    gpu = device != 'cpu' and torch.cuda.is_available()
    where = torch.cuda.get_device_name() if gpu else f'{torch.get_num_threads()} threads'
    load = f', load {os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else ''
    return f'{processor}, {where}, torch {torch.__version__}{load}'


def print_fields(results: dict[str, dict[str, Any]]) -> None:
    """Two tables: what each field did in its time, and when it reached what."""
    names = {'reference': 'NeRF-H, eager PyTorch'}
    print(f'\n{"field":24}{"rays/s":>10}{"steps":>8}{"seconds":>9}{"PSNR":>9}{"peak":>10}')
    for field, r in results.items():
        psnr = f'{r["curve"][-1][1]:.1f} dB'
        print(
            f'{names.get(field, field):24}{r["rays_per_s"]:>10.0f}{r["steps"]:>8}'
            f'{r["seconds"]:>9.0f}{psnr:>9}{r["peak_gb"]:>7.1f} GB'
        )
    print('\nseconds to PSNR         ' + ''.join(f'{level:>9} dB' for level in LEVELS_DB))
    times = {
        field: [first_time(r['curve'], level) for level in LEVELS_DB]
        for field, r in results.items()
    }
    for field, reached in times.items():
        limit = results[field]['seconds']
        cells = [f'{t:.1f}' if math.isfinite(t) else f'> {limit:.0f}' for t in reached]
        print(f'{names.get(field, field):24}' + ''.join(f'{c:>12}' for c in cells))
    for field in results:
        if field == 'grid' or 'grid' not in results:
            continue
        ratios = []
        for ours, theirs in zip(times['grid'], times[field]):
            if not math.isfinite(ours):
                ratios.append('')
            elif math.isfinite(theirs):
                ratios.append(f'{theirs / ours:.1f}')
            else:
                ratios.append(f'> {results[field]["seconds"] / ours:.1f}')
        print(f'{f"{field} over grid":24}' + ''.join(f'{r:>12}' for r in ratios))


def print_aprnet(all_losses: dict[str, Any], posemaps: dict[str, dict[str, Any]]) -> None:
    """APRNet's steps, and the PoseMap loss in three forms."""
    print(f'\n{"APRNet":44}{"steps/s":>10}{"peak":>10}')
    print(
        f'{"recipe fast, all losses":44}{all_losses["steps_per_s"]:>10.3f}'
        f'{all_losses["peak_gb"]:>7.1f} GB'
    )
    names = {
        'some cells': 'random cells',
        'all cells': 'whole stride-16 grid',
        'reference': 'whole images rendered, both poses, each step',
    }
    title = f'PoseMap loss alone, batch {POSEMAP_BATCH}'
    print(f'\n{title:44}{"steps/s":>10}{"peak":>10}{"ratio":>8}')
    for kind, r in posemaps.items():
        ratio = r['steps_per_s'] / posemaps['reference']['steps_per_s']
        print(f'{names[kind]:44}{r["steps_per_s"]:>10.3f}{r["peak_gb"]:>7.1f} GB{ratio:>7.1f}x')


def run(arguments: argparse.Namespace) -> None:
    """Measure everything and print it."""
    data, device = arguments.data, arguments.device
    results: dict[str, Any] = {'machine': machine(device)}
    print(results['machine'])
    with tempfile.TemporaryDirectory() as folder:
        if data is None:
            data = Path(folder) / 'demo'
            extract_bag(DEMO_BAG, data, BagOptions(pose_frame='camera_optical'))
        work = Path(folder) / 'work'
        work.mkdir()
        choices = data, work, arguments.seconds, device, arguments.processor_time
        fields = {field: apart(measure_field, field, *choices) for field in arguments.fields}
        results['fields'] = fields
        print_fields(fields)
        if not arguments.only_fields:
            aprnet = apart(measure_aprnet, data, work, device)
            posemaps = {
                kind: apart(measure_posemap, kind, data, work, device) for kind in POSEMAPS
            }
            results.update(aprnet=aprnet, posemap_loss=posemaps)
            print_aprnet(aprnet, posemaps)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1))


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='bench_training', description=__doc__)
    add = parser.add_argument
    add('--data', type=Path, metavar='DIR', help="dataset folder (default: the demo's room)")
    add(
        '--seconds',
        type=float,
        default=90.0,
        metavar='S',
        help='how long each field trains (default: %(default)g)',
    )
    add(
        '--processor-time',
        action='store_true',
        help="count the fields' processor time instead, on a machine that is busy otherwise",
    )
    add(
        '--fields',
        nargs='+',
        choices=FIELDS,
        default=FIELDS,
        help='which to measure (default: all)',
    )
    add('--only-fields', action='store_true', help='leave APRNet out')
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    add('--out', type=Path, metavar='FILE', help='write everything that was measured, as JSON')
    arguments = parser.parse_args(argv)
    return run_stage('bench_training', lambda: run(arguments), ValueError)


if __name__ == '__main__':
    sys.exit(main())
