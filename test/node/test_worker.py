"""A worker's thread."""

import threading

from posemap_ros.node.worker import Worker

PATIENCE_SECONDS = 60.0


class Log:
    """What a worker handled; the first item takes until it is let go."""

    def __init__(self) -> None:
        self.items: list = []
        self.entered, self.go_on, self.done = (threading.Event() for _ in range(3))

    def handle(self, item):
        self.items.append(item)
        if item == 'first':
            self.entered.set()
            assert self.go_on.wait(PATIENCE_SECONDS)
        if item == 'last':
            self.done.set()


def no_error(error: Exception) -> None:
    raise AssertionError(error)


def test_handles_the_newest_and_drops_what_it_did_not_get_to():
    log = Log()
    worker = Worker('test', log.handle, no_error)
    worker.offer('first')
    assert log.entered.wait(PATIENCE_SECONDS)
    assert [worker.offer(item) for item in ('second', 'third', 'last')] == [False, True, True]
    log.go_on.set()
    assert log.done.wait(PATIENCE_SECONDS)
    worker.stop()
    assert log.items == ['first', 'last']


def test_an_error_costs_one_item():
    told, done = [], threading.Event()

    def handle(item):
        if item == 'bad':
            raise ZeroDivisionError('as asked')
        done.set()

    def on_error(error):
        told.append(error)
        worker.offer('good')

    worker = Worker('test', handle, on_error)
    worker.offer('bad')
    assert done.wait(PATIENCE_SECONDS)
    worker.stop()
    assert [str(error) for error in told] == ['as asked']


def test_asks_again_until_there_is_nothing_to_wait_for():
    calls, done = [], threading.Event()

    def handle(item):
        calls.append(item)
        if len(calls) < 4:
            return 0.001
        done.set()
        return None

    worker = Worker('test', handle, no_error)
    worker.offer('image')
    assert done.wait(PATIENCE_SECONDS)
    worker.stop()
    assert calls == ['image', None, None, None]


def test_stops_while_it_waits():
    worker = Worker('test', no_error, no_error)
    worker.stop()
    assert 'test' not in {thread.name for thread in threading.enumerate()}
