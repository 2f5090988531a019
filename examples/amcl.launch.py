"""posemap beside nav2's amcl: the camera tells amcl where the robot is when it starts, and when
amcl is lost. amcl localizes, and broadcasts map -> odom.

    ros2 launch posemap_ros amcl.launch.py environment:=... image_topic:=...
"""

from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetRemap
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe the launch. Arguments of localize.launch.py are passed on to it; namespace counts
    for seed_amcl, too, which needs no clock.
    """
    localize = PathJoinSubstitution(
        [FindPackageShare('posemap_ros'), 'launch', 'localize.launch.py']
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the robot.'
            ),
            GroupAction(
                [
                    # What is meant for amcl must not make posemap forget what it knows. For the
                    # node of this name alone: a "2D Pose Estimate" in RViz is for amcl.
                    SetRemap('posemap:initialpose', 'posemap/initialpose'),
                    IncludeLaunchDescription(
                        localize, launch_arguments={'tf_mode': 'none'}.items()
                    ),
                ]
            ),
            Node(
                package='posemap_ros',
                executable='seed_amcl',
                namespace=LaunchConfiguration('namespace'),
                output='screen',
            ),
        ]
    )
