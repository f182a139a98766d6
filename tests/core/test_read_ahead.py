import threading

import pytest

from clip2point.core.read_ahead import read_ahead


def test_reading_ahead_keeps_order_and_one_thread():
    names = set()

    def work(item):
        names.add(threading.current_thread().name)
        return item * 2

    assert list(read_ahead(work, range(50), 7)) == [2 * item for item in range(50)]
    assert len(names) == 1
    assert threading.current_thread().name not in names


def test_only_a_few_items_are_taken_ahead_of_the_results():
    taken = []
    results = read_ahead(lambda item: item, (taken.append(item) or item for item in range(100)), 3)
    assert next(results) == 0
    assert len(taken) <= 4
    results.close()


def test_an_error_reaches_the_caller_at_its_place():
    results = read_ahead(lambda item: 1 // item, [1, 0, 1], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
