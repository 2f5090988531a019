from collections import defaultdict
from glob import glob
from os.path import dirname, isfile, join

from setuptools import find_packages, setup

package = 'posemap_ros'


def share(*patterns):
    """
    The files that match, each for the folder of share/posemap_ros that it has in the repository.
    """
    files = defaultdict(list)
    for pattern in patterns:
        for path in sorted(glob(pattern, recursive=True)):
            if isfile(path):
                files[join('share', package, dirname(path))].append(path)
    return list(files.items())


setup(
    name=package,
    version='0.1.0',
    # posemap_ros/training is a link to training/: one folder in a checkout, one package when
    # installed.
    packages=find_packages(include=[package, f'{package}.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package}']),
        *share(
            'package.xml',
            'launch/*.py',
            'examples/*',
            'config/*.yaml',
            'config/*.rviz',
            'config/*.xml',
            'config/training/**/*.yaml',
            'demo/environment/**',
        ),
    ],
    # Everything else is declared in package.xml for rosdep, and pinned in requirements/ for pip.
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    python_requires='>=3.10',
    zip_safe=True,
    maintainer='posemap_ros maintainers',
    maintainer_email='maintainers@users.noreply.github.com',
    description='Visual localization in a known place with a learned map that adapts.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            f'localize = {package}.node.localize:main',
            f'refine = {package}.node.call_service:refine',
            f'reset = {package}.node.call_service:reset',
            f'seed_amcl = {package}.node.seed_amcl:main',
            f'view = {package}.live_view.view:main',
            f'extract_bag = {package}.training.extract_bag:main',
            f'convert_dataset = {package}.training.convert_dataset:main',
            f'split_dataset = {package}.training.split_dataset:main',
            f'sfm_poses = {package}.training.sfm_poses:main',
            f'rescale_dataset = {package}.training.rescale_dataset:main',
            f'check_dataset = {package}.training.check_dataset:main',
            f'build_environment = {package}.training.build_environment:main',
            f'train_nerf_p = {package}.training.train_nerf_p:main',
            f'train_aprnet = {package}.training.train_aprnet:main',
            f'map_landmarks = {package}.training.map_landmarks:main',
            f'ablate = {package}.training.ablate:main',
            f'paper = {package}.training.paper:main',
            f'align = {package}.training.align:main',
            f'evaluate = {package}.training.evaluate:main',
        ],
    },
)
