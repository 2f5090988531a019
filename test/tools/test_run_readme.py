"""What runs the README's commands knows every one of them, and reads the demo's figures."""

from pathlib import Path

import pytest

from tools.run_readme import Command, Elsewhere, Failed, commands, compare_figures, how

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / 'README.md').read_text()
# Programs in .venv that are not the project's own.
OF_OTHERS = ('python', 'pip', 'tensorboard', 'torchrun')


def test_every_command_can_be_run_or_is_run_elsewhere():
    found = list(commands(README))
    texts = [command.text for command in found]
    for expected in ('make demo', 'make test', 'tools/with_ros refine', 'tools/with_ros reset'):
        assert expected in texts
    assert any(text.startswith('tools/with_ros build_environment ') for text in texts)
    assert any(text.startswith('ros2 launch posemap_ros ') for text in texts)
    for command in found:
        way = how(command)
        if isinstance(way, Elsewhere):
            assert way.shows in (ROOT / way.file).read_text(), command


def test_executables_of_commands_are_installed():
    setup = (ROOT / 'setup.py').read_text()
    for command in commands(README):
        first, *rest = command.text.split()
        if first == 'tools/with_ros' and rest[0] not in OF_OTHERS:
            assert f"f'{rest[0]} = " in setup, command


@pytest.mark.parametrize(
    'block',
    ['    frobnicate --all\n', '```\nfrobnicate --all\n```\n', '1. x\n\n       frobnicate'],
)
def test_an_unknown_program_is_an_error(block):
    with pytest.raises(Failed, match="README.md:.* 'frobnicate' begins no command"):
        list(commands(f'# Readme\n\n{block}'))


@pytest.mark.parametrize('text', ['make coffee', 'ros2 topic echo /tf', 'python3 -m that'])
def test_a_command_that_nobody_thought_of_is_an_error(text):
    [command] = commands(f'Try\n\n    {text}  # now\n')
    assert command == Command(3, text)
    with pytest.raises(Failed, match='does not know how to run it'):
        how(command)


def test_commands_are_found_in_blocks_and_in_sentences():
    text = (
        'Call `make demo` and `make` and `some words`.\n\n    make test\n\nprints\n\n'
        '                   poses               median error\n    before refine   450\n\n'
        '```bash\ntools/with_ros refine  # the same\n```\nor `make demo`\n'
    )
    assert [c.text for c in commands(text)] == ['make demo', 'make test', 'tools/with_ros refine']


def rows(before: str, after: str) -> str:
    return f'x\n    before refine   {before}   12.0 Hz\n    after refine    {after}   12.0 Hz\n'


def test_figures_are_compared():
    said = rows('450 of 450 images   0.002 m  0.15 deg', '450 of 450 images   0.002 m  0.15 deg')
    compare_figures(said, said)
    compare_figures(said, said.replace('450 of', '448 of').replace('0.15', '0.18'))
    for old, new in (('450 of', '400 of'), ('0.002', '0.021'), ('0.15', '0.51'), ('before', 'x')):
        with pytest.raises(Failed):
            compare_figures(said, said.replace(old, new))
