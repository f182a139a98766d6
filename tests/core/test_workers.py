import pytest

from clip2point.core.workers import map_in_order


def test_results_come_in_order():
    items = ["__import__('time').sleep(0.2) or 0", *(str(number) for number in range(1, 12))]
    assert list(map_in_order(eval, items, 2, str)) == list(range(12))


@pytest.mark.slow
def test_an_item_that_ends_its_process_takes_no_other_with_it():
    items = ["1", "2", "__import__('os')._exit(3)", *(str(number) for number in range(4, 14))]
    results = list(map_in_order(eval, items, 2, lambda item: f"died: {item}"))
    assert results == [1, 2, f"died: {items[2]}", *range(4, 14)]


def test_workers_have_one_thread_and_errors_come_through(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    results = map_in_order(eval, ["__import__('numba').get_num_threads()", "1/0"], 1, str)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
