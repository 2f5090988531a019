"""What a node meets in a long life: much bag time, publishers that come and go, parameters."""

import math
import random
import time

import numpy as np
from robot import Robot
from soak import amount
from tiny_environment import CAMERA

T_ODOM_BASE = np.eye(4)
RATE = 12.0  # images a second of bag time
WARM_UP_IMAGES = 150
BAG_SECONDS = amount(30, 3600)
# Freed memory may stay with the process; a leak of 100 kB an image would be 36 MB in 30 s.
GROWTH_MB = 25
LOST_SECONDS = 3.0


def test_memory_stays_flat_over_bag_time_at_high_speed(start_node, next_view):
    """As fast as the node localizes, which is many times as fast as the bag was recorded."""
    with Robot(CAMERA, simulated_time=True) as robot:
        node = start_node(
            use_sim_time=True, refine_frames=50, refine_horizon=10.0, path_length=200
        )

        def localized(images: int) -> int:
            """How many images of so many became poses; for one that is lost it waits a while."""
            found = 0
            for _ in range(images):
                robot.tick(1 / RATE)
                stamp = robot.drive(next_view(), T_ODOM_BASE).nanoseconds
                deadline = time.monotonic() + LOST_SECONDS
                while not robot.new_poses([stamp]) and time.monotonic() < deadline:
                    time.sleep(0.001)
                found += bool(robot.new_poses([stamp]))
                robot.poses.clear()
            return found

        robot.wait_for(lambda: localized(1), 'a pose')
        localized(WARM_UP_IMAGES)
        before = node.megabytes
        images = int(BAG_SECONDS * RATE)
        assert localized(images) > 0.9 * images
        assert node.megabytes - before < GROWTH_MB
        assert node.stop() == 0


def test_publishers_that_start_again(start_node, next_view):
    """Each robot is a new process on the network, with topics of its own."""
    node = start_node(tf_mode='map_to_base')
    for _ in range(amount(4, 200)):
        with Robot(CAMERA) as robot:
            # A late joiner first gets the last pose of before.
            stamps = set()

            def new_poses(robot=robot, stamps=stamps) -> bool:
                stamps.add(robot.drive(next_view()).nanoseconds)
                return len(robot.new_poses(stamps)) > 2

            robot.wait_for(new_poses, f'poses; the log of the node:\n{node.log}')
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_a_storm_of_parameters(start_node, robot, next_view):
    node = start_node(tf_mode='map_to_base')
    rng = random.Random(0)
    sound = {
        'max_sigma_translation': 1000.0,
        'max_disagreement_rotation': 180.0,
        'max_image_age': 30.0,
        'fix_timeout': 30.0,
        'transform_tolerance': 0.1,
    }
    names = (*sound, 'tf_mode', 'environment', 'no_such_parameter')
    values = (0, -1, 10**9, 0.0, -0.5, 1.0, 1e-300, 1e308, math.nan, math.inf, '', 'x', True)
    for _ in range(amount(60, 5000)):
        name, value = rng.choice(names), rng.choice(values)
        refusal = robot.set_parameter(name, value)
        assert refusal or (name in sound and math.isfinite(value)), (name, value)
        robot.drive(next_view())
    for name, value in sound.items():
        assert robot.set_parameter(name, value) == ''
    before = len(robot.poses)
    robot.drive_until(lambda: len(robot.poses) > before + 2, 'poses', next_view)
    assert node.stop() == 0
    assert 'Traceback' not in node.log
