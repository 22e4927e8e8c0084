"""The decisions of Kassa's heart, walked by chance: no seed breaks a law, and each tells the same story every time."""

from tests.simulation.simulate import Run, simulate

SEEDS = 400
"""``make simulate`` runs 2,000."""


def test_no_seed_breaks_a_law() -> None:
    runs = [simulate(seed) for seed in range(SEEDS)]
    # The storm was one: deaths, lost races, late successes, refunds and disputes all came to pass.
    assert sum(run.deaths for run in runs) > SEEDS
    assert sum(run.refused for run in runs) > SEEDS
    ends = {status for run in runs for status in run.statuses}
    assert {"processed", "process_failed", "partially_refunded", "partially_charged_back"} <= ends
    kinds = {kind for run in runs for kind in run.kinds}
    assert {"attempt.unexpected", "review.held", "review.approved", "review.rejected", "review.returned"} <= kinds
    assert {"dispute.opened", "dispute.booked", "dispute.won", "dispute.lost", "refund.reversed"} <= kinds


def test_a_seed_is_replayed_exactly() -> None:
    first: Run = simulate(7)
    assert simulate(7) == first
    assert simulate(8) != first
