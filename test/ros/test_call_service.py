"""The executables `refine` and `reset`, as someone without `ros2 service call` uses them."""

import subprocess
import sys


def run(name, *arguments):
    program = f'import sys; from posemap_ros.node.call_service import {name}; sys.exit({name}())'
    return subprocess.run(
        [sys.executable, '-c', program, *arguments], capture_output=True, text=True, timeout=120
    )


def test_the_node_does_it_or_says_why_not(start_node, robot):
    start_node(tf_mode='none', refine_min_frames=12)
    done = run('reset', '--wait', '60')
    assert done.returncode == 0 and done.stdout.strip() and not done.stderr
    refused = run('refine', '--wait', '60')
    assert refused.returncode == 1
    assert refused.stderr.startswith('refine: ') and 'refine needs 12' in refused.stderr


def test_a_node_that_is_not_there_is_one_sentence():
    absent = run('refine', '--node', '/robot/nobody', '--wait', '0.5')
    assert absent.returncode == 1 and absent.stderr.count('\n') == 1
    assert '/robot/nobody/refine is not there' in absent.stderr
