"""Renders the demo's places with Mitsuba 3 and Open Image Denoise (requirements/render.txt)."""

from __future__ import annotations

import mitsuba as mi
import numpy as np

mi.set_variant('llvm_ad_rgb')

import mitsuba_oidn  # noqa: E402  (needs the variant)

from .camera import HEIGHT, HFOV_DEG, WIDTH  # noqa: E402
from .scene import TEXTURES, Light, Textures, Thing, texture_images  # noqa: E402
from .shapes import Mesh, joined  # noqa: E402

LIGHT_OF = {'outside': 'window', 'ceiling light': 'ceiling', 'lamp': 'lamp'}
GLOSSY = ('floor', 'oak', 'walnut')


class Renderer:
    """A room under one light, ready to be seen from anywhere."""

    def __init__(
        self,
        room: dict[str, Thing],
        light: Light,
        samples: int = 16,
        textures: Textures = TEXTURES,
    ):
        self.exposure, self.samples = light.exposure, samples
        self.scene = mi.load_dict(
            {
                'type': 'scene',
                'integrator': {'type': 'path', 'max_depth': 5, 'rr_depth': 3},
                'sensor': {
                    'type': 'perspective',
                    'fov': HFOV_DEG,
                    'fov_axis': 'x',
                    'near_clip': 0.02,
                    'film': {
                        'type': 'hdrfilm',
                        'width': WIDTH,
                        'height': HEIGHT,
                        'rfilter': {'type': 'box'},
                    },
                    'sampler': {'type': 'independent'},
                },
                **meshes(room, light, textures),
            }
        )
        self.camera = mi.traverse(self.scene.sensors()[0])
        self.features = mi.load_dict({'type': 'aov', 'aovs': 'albedo:albedo,normal:sh_normal'})

    def image(self, T_world_cam: np.ndarray, seed: int = 0, gain: float = 1.0) -> np.ndarray:
        """The view from a camera pose (4x4, OpenCV axes) as float sRGB [H, W, 3], 0 to 1."""
        self.camera['to_world'] = mitsuba_pose(T_world_cam)
        self.camera.update()
        noisy = mi.render(self.scene, spp=self.samples, seed=seed)
        features = np.array(
            mi.render(self.scene, integrator=self.features, spp=4 * self.samples, seed=seed),
            dtype=np.float32,
        )
        albedo, normal = (np.ascontiguousarray(part) for part in np.split(features, 2, axis=-1))
        clean = mitsuba_oidn.denoise(
            np.array(noisy, dtype=np.float32), albedo, normal, hdr=True, clean_aux=True
        )
        return tone_mapped(clean * self.exposure * gain)


def tone_mapped(radiance: np.ndarray) -> np.ndarray:
    """A camera's response: highlights roll off, then the sRGB curve."""
    linear = 1 - np.exp(-1.1 * np.maximum(radiance, 0))
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def mitsuba_pose(T_world_cam: np.ndarray) -> mi.ScalarTransform4f:
    """Mitsuba's camera looks along +z too, but with x to the left and y up."""
    return mi.ScalarTransform4f(T_world_cam @ np.diag([-1.0, -1.0, 1.0, 1.0]))


def meshes(room: dict[str, Thing], light: Light, textures: Textures) -> dict[str, mi.Mesh]:
    """One Mitsuba mesh for each texture, and one, coloured by vertex, for all plain colours."""
    by_texture: dict[str, list[Mesh]] = {}
    painted: list[tuple[Mesh, tuple]] = []
    for thing in room.values():
        for mesh, material in thing.placed():
            if isinstance(material, str):
                by_texture.setdefault(material, []).append(mesh)
            else:
                painted.append((mesh, material))
    images = texture_images(set(by_texture) - {'ceiling light', 'lamp'}, textures)
    shapes = {
        'plain colours': mitsuba_mesh(
            'plain',
            joined([mesh for mesh, _ in painted]),
            surface({'type': 'mesh_attribute', 'name': 'vertex_color'}),
            np.concatenate(
                [np.tile(linear(colour), (len(mesh.vertices), 1)) for mesh, colour in painted]
            ),
        )
    }
    for name, parts in by_texture.items():
        look = images.get(name)
        if name in LIGHT_OF:
            shapes[name] = mitsuba_mesh(
                name, joined(parts), glow(getattr(light, LIGHT_OF[name]), look)
            )
        else:
            shapes[name] = mitsuba_mesh(
                name,
                joined(parts),
                surface(
                    {'type': 'bitmap', 'bitmap': mi.Bitmap(np.ascontiguousarray(look[::-1]))},
                    glossy=name.endswith(GLOSSY),
                ),
            )
    return shapes


def linear(srgb) -> np.ndarray:
    srgb = np.asarray(srgb, np.float32)
    return np.where(srgb < 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def surface(reflectance: dict, glossy: bool = False) -> dict:
    matte = {'type': 'diffuse', 'reflectance': reflectance}
    shiny = {'type': 'roughplastic', 'diffuse_reflectance': reflectance, 'alpha': 0.25}
    return {'mesh_bsdf': {'type': 'twosided', 'bsdf': shiny if glossy else matte}}


def glow(radiance: tuple[float, float, float], look: np.ndarray | None) -> dict:
    """A surface that shines: evenly, or, for the window, as bright as what is seen through it."""
    if look is None:
        return {
            'mesh_emitter': {'type': 'area', 'radiance': {'type': 'rgb', 'value': list(radiance)}}
        }
    seen = linear(look[::-1] / 255) * np.asarray(radiance, np.float32)
    return {
        'mesh_emitter': {
            'type': 'area',
            'radiance': {
                'type': 'bitmap',
                'data': mi.TensorXf(np.ascontiguousarray(seen)),
                'raw': True,
            },
        }
    }


def mitsuba_mesh(name: str, mesh: Mesh, looks: dict, colours: np.ndarray | None = None) -> mi.Mesh:
    properties = mi.Properties()
    for key, description in looks.items():
        properties[key] = mi.load_dict(description)
    result = mi.Mesh(
        name,
        len(mesh.vertices),
        len(mesh.faces),
        has_vertex_normals=True,
        has_vertex_texcoords=True,
        props=properties,
    )
    if colours is not None:
        result.add_attribute('vertex_color', 3, colours.astype(np.float32).ravel())
    values = mi.traverse(result)
    values['vertex_positions'] = mesh.vertices.astype(np.float32).ravel()
    values['vertex_normals'] = mesh.normals.astype(np.float32).ravel()
    values['vertex_texcoords'] = mesh.uv.astype(np.float32).ravel()
    values['faces'] = mesh.faces.astype(np.uint32).ravel()
    values.update()
    return result
