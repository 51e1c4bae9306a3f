"""What the measurements make of their values."""

import pytest

from bench import figures


def test_between_two_values_lies_what_is_in_proportion():
    assert figures.percentile([2.0, 1.0], 50) == 1.5
    assert figures.percentile([0.0, 10.0, 20.0, 30.0, 40.0], 95) == 38.0


def test_one_slow_round_moves_the_tail_but_not_the_median():
    told = figures.of([10.0] * 19 + [1000.0])
    assert told.median == 10.0
    assert told.p95 > 10.0
    assert (told.least, told.most, told.count) == (10.0, 1000.0, 20)


def test_a_machine_that_is_slow_for_a_while_is_slow_for_both_sides():
    floor = [100.0, 100.0, 500.0, 500.0, 100.0]
    ours = [110.0, 110.0, 550.0, 550.0, 110.0]
    assert figures.ratio(ours, floor) == pytest.approx(1.1)


def test_sides_that_were_not_measured_in_turn_are_not_compared():
    with pytest.raises(ValueError, match="argument"):
        figures.ratio([1.0, 2.0], [1.0])


def test_nothing_measured_is_no_figure():
    with pytest.raises(ValueError, match="nothing was measured"):
        figures.of([])
