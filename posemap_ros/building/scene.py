"""The scene of a build: where its cameras were, and how far they see."""

from __future__ import annotations

from posemap_ros.building.build import Build
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import Recipe
from posemap_ros.scene_extent import measure_scene
from posemap_ros.support.files import atomic_write
from posemap_ros.support.untrusted import FileRefused, dump_yaml, read_yaml
from posemap_ros.training_loop import InvalidCheckpoint

_LARGEST_SCENE = 64 << 10  # bytes


def recipe_of(build: Build) -> Recipe:
    """The recipe, with as many steps as a scene so large takes."""
    return build.recipe.for_scene(scene_of(build).radius_m)


def scene_of(build: Build) -> SceneFrame:
    """Measured once from the frames, and kept in the work folder: on another machine it could come
    out a little different, and what was trained in it would not be found again.

    Raises:
        InvalidCheckpoint: the file is damaged.
    """
    path = build.make_folder('scene') / 'scene.yaml'
    if not path.exists():
        scene = measure_scene(build.dataset.poses, build.seen_points)
        with atomic_write(path) as temporary:
            temporary.write_text(dump_yaml(scene.to_dict()))
    try:
        return SceneFrame.from_dict(read_yaml(path, _LARGEST_SCENE))
    except (FileRefused, KeyError, TypeError, ValueError) as error:
        raise InvalidCheckpoint(
            f'{path} is damaged ({error}): remove it, and it is measured again'
        ) from error
