"""`experiments/bench.py`: one line for every processor that was measured, and the newest of each."""

from pathlib import Path

import bench
import pandas


def test_a_processor_takes_the_place_of_its_earlier_line_only(tmp_path: Path) -> None:
    place = tmp_path / "processors.csv"

    def line(processor: str, instructions: str, taken: float) -> pandas.DataFrame:
        return pandas.DataFrame([(processor, instructions, taken)], columns=["processor", "instructions", "whole_us"])

    for one in (line("a", "AVX2", 1.0), line("b", "AVX2", 2.0), line("a", "AVX512", 3.0), line("a", "AVX2", 4.0)):
        bench.with_others(one, place).to_csv(place, index=False)
    assert pandas.read_csv(place).to_numpy().tolist() == [
        ["b", "AVX2", 2.0],
        ["a", "AVX512", 3.0],
        ["a", "AVX2", 4.0],
    ]
