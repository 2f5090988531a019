"""The launch files of examples/: what is given to them reaches every node that they start.

The wheels have no ros2 launch; a ROS installation has.
"""

import shutil
import subprocess

import pytest
import rclpy
from launching import wait_for
from rcl_interfaces.srv import GetParameters
from robot import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.skipif(
    shutil.which('ros2') is None, reason='`ros2 launch` is not installed here'
)


@pytest.fixture
def node():
    """Looks at the graph."""
    made = rclpy.create_node('examples')
    yield made
    made.destroy_node()


def topics_of(node, name, namespace, expected):
    """What a node subscribes to and publishes, once all that is expected is there."""

    def look():
        if (name, namespace) not in node.get_node_names_and_namespaces():
            return None
        heard = dict(node.get_subscriber_names_and_types_by_node(name, namespace))
        sent = dict(node.get_publisher_names_and_types_by_node(name, namespace))
        both = {*heard, *sent}
        return (set(heard), set(sent)) if expected <= both else None

    return wait_until(look, f'{namespace}/{name} with {expected}')


def test_amcl_is_told_in_the_namespace_and_posemap_is_not(launch, environment, node):
    process, output = launch(
        'amcl.launch.py', f'environment:={environment}', 'namespace:=robot1', 'device:=cpu'
    )
    wait_for('ready: waiting for images on /robot1/image', output, process)
    seeding = {'/robot1/initialpose', '/robot1/amcl_pose', '/robot1/posemap/pose_with_covariance'}
    _, sent = topics_of(node, 'seed_amcl', '/robot1', seeding)
    assert '/robot1/initialpose' in sent
    heard, _ = topics_of(node, 'posemap', '/robot1', {'/robot1/posemap/initialpose'})
    assert '/robot1/initialpose' not in heard
    assert "tf_mode: 'none'" in output()


def test_the_filter_is_in_the_namespace_and_follows_simulated_time(launch, environment, node):
    if subprocess.call(['ros2', 'pkg', 'prefix', 'robot_localization']):
        pytest.skip('robot_localization is not installed here')
    process, output = launch(
        'robot_localization.launch.py',
        f'environment:={environment}',
        'namespace:=robot1',
        'device:=cpu',
        'use_sim_time:=true',
        'odom_topic:=wheels/odom',
    )
    wait_for('ready: waiting for images on /robot1/image', output, process)
    expected = {
        *('/robot1/wheels/odom', '/robot1/posemap/pose_with_covariance'),
        *('/robot1/odometry/filtered_map', '/robot1/tf', '/clock'),
    }
    heard, sent = topics_of(node, 'ekf_filter_node_map', '/robot1', expected)
    assert '/tf' not in heard | sent
    get = node.create_client(GetParameters, '/robot1/ekf_filter_node_map/get_parameters')
    assert get.wait_for_service(PATIENCE_SECONDS)
    future = get.call_async(GetParameters.Request(names=['use_sim_time', 'world_frame']))
    rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE_SECONDS)
    simulated, world = future.result().values
    assert simulated.bool_value and world.string_value == 'map'


def test_two_robots_share_no_topic(launch, environment, node):
    process, output = launch(
        'two_robots.launch.py',
        f'environment:={environment}',
        'image_topic:=camera/image_raw',
        'tf_mode:=map_to_camera',
        'device:=cpu',
    )
    for name in ('robot1', 'robot2'):
        wait_for(f'ready: waiting for images on /{name}/camera/image_raw', output, process)
        expected = {f'/{name}/tf', f'/{name}/posemap/pose'}
        heard, sent = topics_of(node, 'posemap', f'/{name}', expected)
        shared = {'/diagnostics', '/rosout', '/parameter_events', '/clock'}
        assert all(topic.startswith(f'/{name}/') for topic in (heard | sent) - shared)
