"""The node's benchmark finds what a node can do, on nodes whose limits are known."""

import numpy as np
import pytest

from benchmarks.bare_network import time_bare_network
from benchmarks.bench_node import (
    SITUATIONS,
    highest_rate,
    keeps_up,
    print_rates,
    print_ratios,
    print_rest,
    write_photos,
    write_random_environment,
)
from posemap_ros.camera import Camera
from posemap_ros.localizer import Localizer


def node_that_makes(most_hz: float):
    """A pass of a node that makes at most so many poses a second."""

    def measure(rate: float) -> dict:
        images = round(10 * rate)
        made = min(rate, most_hz)
        poses = round(10 * made)
        return {'rate': rate, 'sent_hz': rate, 'images': images, 'poses': poses, 'poses_hz': made}

    return measure


@pytest.mark.parametrize('most_hz', [0.8, 3.3, 24.0, 61.0, 240.0])
def test_the_highest_rate_is_found(most_hz: float) -> None:
    found = highest_rate(node_that_makes(most_hz))
    assert keeps_up(found)
    # A rate counts as kept up with when 95 % get a pose, and the search stops within 6 %.
    assert 0.94 * most_hz <= found['rate'] <= 1.06 * most_hz


def test_one_hiccup_does_not_count() -> None:
    measure, passes = node_that_makes(40.0), []

    def with_hiccups(rate: float) -> dict:
        passes.append(rate)
        figures = measure(rate)
        if passes.count(rate) == 1 and len(passes) > 1:
            figures['poses'] = 0
        return figures

    assert highest_rate(with_hiccups)['rate'] == pytest.approx(40.0, rel=0.06)


def test_a_node_without_poses_keeps_up_with_nothing() -> None:
    def measure(rate: float) -> dict:
        return {'rate': rate, 'sent_hz': rate, 'images': 20, 'poses': 0}

    assert highest_rate(measure) is None


def test_a_robot_that_cannot_send_so_fast_says_nothing_about_the_node() -> None:
    figures = node_that_makes(100.0)(50.0)
    assert keeps_up(figures)
    assert not keeps_up(figures | {'sent_hz': 40.0})


def test_the_random_environment_is_vgg16_at_the_recipes_size(tmp_path) -> None:
    camera = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)
    localizer = Localizer(write_random_environment(tmp_path / 'vgg16', camera), 'cpu')
    assert localizer.environment.recipe.aprnet.backbone == 'vgg16'
    assert (localizer.network_camera.width, localizer.network_camera.height) == (320, 240)
    estimate = localizer.localize(np.zeros((480, 640, 3), np.uint8), camera.resized(640, 480))
    assert np.isfinite(estimate.T_map_cam).all()


def test_the_bare_network_is_timed_on_any_device() -> None:
    times = time_bare_network('cpu', width=64, height=48, calls=2)
    assert set(times) == {'network', 'pose', 'plain'} and min(times.values()) > 0


def test_tables_of_nodes_that_do_and_do_not_keep_up(capsys) -> None:
    figures = node_that_makes(50.0)(40.0) | {
        'median_ms': 9.0,
        'p95_ms': 12.0,
        'longest_gap_s': 0.1,
        'robot_cores': 0.1,
        'stages': {},
    }
    light = {name: figures for name in (*SITUATIONS, 'first', 'steady')}
    light |= {'ready_s': 2.0, 'megabytes_early': 500.0, 'megabytes_late': 510.0}
    light['refining'] = figures | {'refine': 'better', 'poses_hz': 36.0}
    light['steady'] = figures | {'cores': 0.25}
    plain = light | {'alone': None, 'refining': None}
    print_rates({'light': light, 'plain': plain})
    print_ratios({'light': light, 'plain': plain})
    print_rest({'light': light, 'plain': plain})
    lines = capsys.readouterr().out.splitlines()
    [alone] = [line for line in lines if line.startswith('plain   alone')]
    assert alone.endswith('does not keep up')
    [share] = [line for line in lines if line.startswith('light refining over alone')]
    assert share.endswith('90%')
    assert not any('over plain' in line for line in lines)


def test_photos_are_of_the_whole_drive(tmp_path) -> None:
    names = [path.name for path in sorted(write_photos(tmp_path / 'photos').iterdir())]
    assert names[0] == '0000.jpg' and names[-1] == '0441.jpg' and len(names) == 50
