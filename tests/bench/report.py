"""What was found as tables: what each life says and costs, and an earlier commit beside this one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.comparing import CREATIONS, READS, Contender, Found
from tests.bench.counting import Count
from tests.bench.load import Rate

_WHO: Final = ("Kassa", "PostgreSQL")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A figure of an earlier and of a later commit, and how many times the earlier the later is."""

    what: str
    earlier: float
    later: float
    ratio: float


def measured(earlier: Mapping[str, Sequence[Rate]], later: Mapping[str, Sequence[Rate]]) -> list[Line]:
    """Return the middle of each figure's rounds; a ratio is the middle of those that were measured in turn."""
    found = []
    for what, rounds in earlier.items():
        pairs = list(zip(rounds, later[what], strict=True))
        found.append(_line(f"{what}: a second", [(a.per_second, b.per_second) for a, b in pairs]))
        for place, who in enumerate(_WHO):
            found.append(_line(f"{what}: {who}, µs", [(a.spent[place], b.spent[place]) for a, b in pairs]))
        found.append(_line(f"{what}: both, µs", [(sum(a.spent), sum(b.spent)) for a, b in pairs]))
    return found


def counted(earlier: Contender, later: Contender) -> list[Line]:
    """Return the statements of each life of both, and of a gateway that is idle."""
    pairs = zip(earlier.lives, later.lives, strict=True)
    found = [_line(f"{a.what}: statements", [(a.in_all, b.in_all)]) for a, b in pairs]
    return [*found, _line("idle: statements a second", [(earlier.idle, later.idle)])]


def _line(what: str, pairs: Sequence[tuple[float, float]]) -> Line:
    ratio = median(_ratio(a, b) for a, b in pairs)
    return Line(what=what, earlier=median(a for a, _ in pairs), later=median(b for _, b in pairs), ratio=ratio)


def _ratio(earlier: float, later: float) -> float:
    return later / earlier if earlier else float("nan")


def show(console: Console, found: Found, *, all_statements: bool) -> None:
    """Print all of it; ``all_statements`` as well as how many they are."""
    for each in found.contenders:
        console.print(_counts(each))
        if all_statements:
            _statements(console, each.lives)
    here = found.contenders[-1]
    if len(found.contenders) > 1:
        console.print(_compared(found.contenders[0], here))
    else:
        console.print(_rates(here.rates))
    console.print(_beside(here, found))


def _counts(contender: Contender) -> Table:
    columns = ("requests", "worker", "in all", "in each life", "more looking for work")
    table = Table(f"statements of one, {contender.side.tree.name}", *columns)
    for count in contender.lives:
        said = (sum(count.requests.values()), sum(count.worker.values()), count.in_all, count.in_each, count.looking)
        table.add_row(count.what, *(f"{each:.1f}" for each in said))
    table.add_section()
    table.add_row("idle, a second", "–", "–", f"{contender.idle:.1f}", "–", "–")
    return table


def _statements(console: Console, lives: Iterable[Count]) -> None:
    for count in lives:
        console.print(f"\n{count.what}", style="bold")
        for who, said in (("requests", count.requests), ("worker", count.worker)):
            for text, times in said.items():
                console.print(f"{times:5.1f}  {who:8}  {text}", markup=False, highlight=False, no_wrap=True)


def _compared(earlier: Contender, later: Contender) -> Table:
    table = Table("", earlier.side.tree.name, later.side.tree.name, "ratio")
    for section in (counted(earlier, later), measured(earlier.rates, later.rates)):
        for line in section:
            table.add_row(line.what, f"{line.earlier:,.1f}", f"{line.later:,.1f}", f"{line.ratio:.2f}")
        table.add_section()
    return table


def _rates(rates: Mapping[str, Sequence[Rate]]) -> Table:
    table = Table("what one takes, the bank apart", "per second", *(f"{who} µs" for who in _WHO))
    for what, rounds in rates.items():
        spent = (median(rate.spent[place] for rate in rounds) for place in range(len(_WHO)))
        table.add_row(what, f"{median(rate.per_second for rate in rounds):,.0f}", *(f"{each:,.0f}" for each in spent))
    return table


def _beside(here: Contender, found: Found) -> str:
    if found.beside is None:
        return "localstripe: not installed, so nothing is measured beside it."
    pairs = ((found.beside.creations, here.rates[CREATIONS]), (found.beside.reads, here.rates[READS]))
    creations, reads = (
        median(_ratio(a.per_second, b.per_second) for a, b in zip(theirs, ours, strict=True)) for theirs, ours in pairs
    )
    return f"localstripe, in the same run: we do {creations:.2f} times its creations and {reads:.2f} times its reads."
