"""``make simulate``: so many seeds, or the one that failed."""

import argparse
import sys
import time

from tests.simulation.simulate import simulate
from tests.simulation.store import Broken


def main() -> int:
    """Run seeds and tell which broke a law."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--seed", type=int, help="this one alone")
    asked = parser.parse_args()
    seeds = range(asked.seeds) if asked.seed is None else [asked.seed]
    started, events, deaths, refused, broken = time.monotonic(), 0, 0, 0, 0
    for seed in seeds:
        try:
            run = simulate(seed)
        except Broken as error:
            broken += 1
            sys.stdout.write(f"seed {seed}: {error}\n")
            continue
        events, deaths, refused = events + run.events, deaths + run.deaths, refused + run.refused
    seconds = time.monotonic() - started
    sys.stdout.write(
        f"{len(seeds)} seeds, {events} events, {deaths} deaths, {refused} lost races, {broken} broken;"
        f" {events / seconds:.0f} events a second\n"
    )
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
