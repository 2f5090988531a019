"""Two robots in one place: each in a namespace, with its own topics and its own TF tree.

    ros2 launch posemap_ros two_robots.launch.py environment:=... image_topic:=camera/image_raw

image_topic is relative here: /robot1/camera/image_raw, /robot2/camera/image_raw. Whatever else
publishes a robot's TF has to do so in its namespace, too: /robot1/tf, as nav2 does.
"""

from launch.actions import GroupAction, IncludeLaunchDescription
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

ROBOTS = ('robot1', 'robot2')


def generate_launch_description() -> LaunchDescription:
    """Describe the launch. Arguments of localize.launch.py but namespace are passed on to it."""
    localize = PathJoinSubstitution(
        [FindPackageShare('posemap_ros'), 'launch', 'localize.launch.py']
    )
    return LaunchDescription(
        [
            GroupAction(
                [IncludeLaunchDescription(localize, launch_arguments={'namespace': name}.items())]
            )
            for name in ROBOTS
        ]
    )
