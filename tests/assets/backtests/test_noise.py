"""What the platform says of strategies without an edge, and of one with; `python -m bench noise` does it at length."""

import pytest

from bench import noise


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_of_500_strategies_without_an_edge_is_called_luck_though_alone_it_would_pass(seed):
    best = noise.judged(seed, 0.0)
    assert len(best.ranking) == best.trials == 500
    assert best.psr > 0.95
    assert best.deflated < 0.95
    assert not best.significant


@pytest.mark.parametrize("seed", [0, 1])
def test_a_real_edge_passes_though_500_were_tried(seed):
    assert noise.judged(seed, noise.EDGE).significant
