from __future__ import annotations

import math

import numpy as np
import pandas
import pytest
from scipy.stats import norm

from dsn_book.study.intervals import Interval, bootstrap_interval, pooled_difference, spearman, witnesses


def test_interval_agrees_with_the_normal_theory_for_many_values() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    interval = bootstrap_interval(values, level=0.9, resamples=4000)
    half = float(norm.ppf(0.95)) * values.std(ddof=1) / math.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean(), abs=1e-12)
    assert interval.high - interval.mean == pytest.approx(half, rel=0.08)
    assert interval.mean - interval.low == pytest.approx(half, rel=0.08)


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    intervals = [bootstrap_interval(rng.exponential(1, 40), resamples=300, seed=k) for k in range(200)]
    covered = np.mean([interval.low <= 1 <= interval.high for interval in intervals])
    assert 0.85 <= covered <= 0.99


def test_interval_is_the_same_for_the_same_seed_and_made_of_plain_floats() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    first, again, other = (bootstrap_interval(values, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high) or first.mean == other.mean
    assert all(type(value) is float for value in first[:3])
    assert type(first.files) is int


def test_interval_leaves_out_what_is_not_finite_and_counts_the_rest() -> None:
    interval = bootstrap_interval([1.0, math.nan, 2.0, math.inf, 3.0])
    assert interval.files == 3
    assert interval.mean == 2.0
    assert 1.0 <= interval.low < 2.0 < interval.high <= 3.0


@pytest.mark.parametrize("values, files", [([], 0), ([math.nan], 0), ([1.0], 1), ([1.0, 3.0], 2)])
def test_no_interval_from_too_few_values(values: list[float], files: int) -> None:
    interval = bootstrap_interval(values)
    assert interval.files == files
    assert math.isnan(interval.low) and math.isnan(interval.high)
    assert math.isnan(interval.mean) == (files == 0)


def test_equal_values_give_an_interval_of_no_width() -> None:
    assert bootstrap_interval([0.25] * 5) == Interval(0.25, 0.25, 0.25, 5)


@pytest.mark.parametrize("options, named", [({"level": 1.0}, "level is 1.0"), ({"resamples": 5}, "resamples is 5")])
def test_interval_refuses_settings_without_sense(options: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        bootstrap_interval([1.0, 2.0, 3.0], **options)  # type: ignore[arg-type]


def test_rank_correlation_looks_at_order_alone() -> None:
    x = [1.0, 2.0, 3.0, 4.0]
    assert spearman(x, [math.exp(value) for value in x]) == pytest.approx(1)
    assert spearman(x, [-value for value in x]) == pytest.approx(-1)
    assert spearman(x, [1.0, 3.0, 2.0, 4.0]) == pytest.approx(0.8)


def test_rank_correlation_skips_pairs_with_a_hole() -> None:
    assert spearman([1.0, 2.0, math.nan, 3.0, 4.0], [4.0, 3.0, 9.0, 2.0, math.inf]) == pytest.approx(-1)


@pytest.mark.parametrize(
    "first, second", [([1.0, 2.0], [1.0, 2.0]), ([1.0, 2.0, 3.0], [0.5] * 3), ([0.5] * 3, [1.0, 2.0, 3.0]), ([], [])]
)
def test_rank_correlation_is_nan_where_it_is_not_defined(first: list[float], second: list[float]) -> None:
    assert math.isnan(spearman(first, second))


def test_rank_correlation_refuses_series_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="must be equal"):
        spearman([1.0, 2.0], [1.0, 2.0, 3.0])


def test_drawing_whole_groups_widens_the_interval_of_repeated_files() -> None:
    once = np.random.default_rng(7).normal(0, 1, 30)
    alone = bootstrap_interval(once)
    copies = np.repeat(once, 6)
    grouped = bootstrap_interval(copies, groups=[k // 6 for k in range(180)])
    assert (grouped.mean, grouped.low, grouped.high) == pytest.approx((alone.mean, alone.low, alone.high), abs=1e-12)
    assert grouped.files == 180
    naive = bootstrap_interval(copies)
    assert naive.high - naive.low < 0.6 * (grouped.high - grouped.low)


def test_groups_need_one_label_for_each_value_and_three_of_them() -> None:
    with pytest.raises(ValueError, match="2 groups for 3 values"):
        bootstrap_interval([1.0, 2.0, 3.0], groups=["a", "b"])
    assert math.isnan(bootstrap_interval([1.0, 2.0, 3.0, 4.0], groups=["a", "a", "b", "b"]).low)
    assert bootstrap_interval([1.0, math.nan, 3.0, 5.0], groups=["a", "b", "c", "d"]).files == 3


def seeds(values: dict[int, list[float]]) -> pandas.DataFrame:
    rows = [
        {"seed": seed, "file": f"f{k}", "group": f"g{k // 2}", "pesq_wb": value}
        for seed, column in values.items()
        for k, value in enumerate(column)
    ]
    return pandas.DataFrame(rows)


def test_seeds_are_paired_with_their_own_baseline_and_their_spread_is_told() -> None:
    base = seeds({0: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1: [2.0] * 6})
    ours = seeds({0: [1.1, 2.1, 3.1, 4.1, 5.1, 6.1], 1: [2.3] * 6, 2: [9.0] * 6})
    pooled = pooled_difference(ours, base, "pesq_wb", groups=("group",))
    assert pooled.interval.mean == pytest.approx(0.2) and pooled.interval.files == 6
    assert pooled.interval.low == pytest.approx(0.1) and pooled.interval.high == pytest.approx(0.3)
    assert pooled.seeds == 2
    assert pooled.spread == pytest.approx(0.2 / math.sqrt(2))


def test_two_way_interval_is_that_of_seeds_and_groups_together() -> None:
    """Effects of seeds and of groups that add up: the variance of the mean is the sum of both."""
    rng = np.random.default_rng(0)
    of_seed, of_group = rng.normal(0, 0.3, 8), rng.normal(0, 1.0, 60)
    rows = [
        {"seed": seed, "file": f"f{k}", "group": f"g{k}", "pesq_wb": of_seed[seed] + of_group[k]}
        for seed in range(8)
        for k in range(60)
    ]
    ours = pandas.DataFrame(rows)
    pooled = pooled_difference(ours, ours.assign(pesq_wb=0.0), "pesq_wb", resamples=4000, groups=("group",))
    error = math.sqrt(of_seed.var() / 8 + of_group.var() / 60)
    assert pooled.interval.high - pooled.interval.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    one = ours[ours["seed"] == 0]
    alone = pooled_difference(one, one.assign(pesq_wb=0.0), "pesq_wb", resamples=4000, groups=("group",)).interval
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * of_group.std() / math.sqrt(60), rel=0.08)


def test_values_that_are_missing_are_left_out_of_every_seed() -> None:
    base = seeds({0: [0.0] * 6, 1: [0.0] * 6})
    ours = seeds({0: [1.0, math.nan, 1.0, 1.0, 1.0, 1.0], 1: [1.0] * 6})
    assert pooled_difference(ours, base, "pesq_wb", groups=("group",)).interval == pytest.approx((1, 1, 1, 6))


def test_one_seed_has_no_spread_and_none_in_common_is_refused() -> None:
    ours = seeds({0: [1.0] * 6})
    assert math.isnan(pooled_difference(ours, ours, "pesq_wb", groups=("group",)).spread)
    with pytest.raises(ValueError, match="share no seed"):
        pooled_difference(ours, seeds({1: [1.0] * 6}), "pesq_wb", groups=("group",))


def test_speakers_and_noises_widen_an_interval_together() -> None:
    """Effects of crossed speakers and noises that add up: the variance of the mean is the sum of both."""
    rng = np.random.default_rng(1)
    of_speaker, of_noise = rng.normal(0, 0.5, 40), rng.normal(0, 1.0, 50)
    pairs = pandas.DataFrame([(s, n) for s in range(40) for n in range(50)], columns=["speaker", "noise"])
    values = of_speaker[pairs["speaker"]] + of_noise[pairs["noise"]]
    error = math.sqrt(of_speaker.var() / 40 + of_noise.var() / 50)
    both = bootstrap_interval(values, resamples=4000, groups=pairs)
    assert both.high - both.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    files = pairs.assign(seed=0, file=range(2000), pesq_wb=values)
    pooled = pooled_difference(files, files.assign(pesq_wb=0.0), "pesq_wb", resamples=4000).interval
    assert pooled.high - pooled.low == pytest.approx(both.high - both.low, rel=0.08)
    two = bootstrap_interval(values, groups=pairs.assign(speaker=pairs["speaker"] % 2))
    assert math.isnan(two.low) and two.mean == pytest.approx(values.mean())


def test_files_of_one_speaker_or_noise_are_one_witness_and_others_one_each() -> None:
    inputs = pandas.DataFrame({"group": [1, 2, 3], "speaker": ["a", "a", None], "noise": [None, "rain", "rain"]})
    assert witnesses(inputs)["speaker"].tolist() == ["a", "a", "3"]
    assert witnesses(inputs)["noise"].tolist() == ["1", "rain", "rain"]
    assert witnesses(inputs[["group"]]).to_numpy().tolist() == [["1", "1"], ["2", "2"], ["3", "3"]]
