"""Frames like those that scikit-learn and seaborn ship, and the programs that write them: pandas, R, Arrow.

`FRAMES`, `TARGETS` and `frame_of` say what is written, `WRITERS` how, and `FILES` which pairs differ."""

import csv
from functools import cache

import numpy as np
import pandas as pd
from sklearn import datasets

ROWS = 60


def bundled(name):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    frame = frame[frame.columns[max(0, len(frame.columns) - 14) :]]
    return frame.sample(min(ROWS, len(frame)), random_state=0).reset_index(drop=True)


def tips(draw):
    return {
        "total_bill": draw.gamma(5, 4, ROWS).round(2),
        "tip": draw.gamma(3, 1, ROWS).round(2),
        "sex": draw.choice(["Male", "Female"], ROWS),
        "day": draw.choice(["Thur", "Fri", "Sat", "Sun"], ROWS),
        "size": draw.integers(1, 7, ROWS),
    }


def titanic(draw):
    return {
        "survived": draw.integers(0, 2, ROWS),
        "sex": draw.choice(["male", "female"], ROWS),
        "age": holes(draw, draw.integers(1, 80, ROWS) + draw.choice([0, 0.5], ROWS)),
        "sibsp": draw.integers(0, 4, ROWS),
        "fare": draw.gamma(2, 15, ROWS).round(4),
        "adult_male": draw.random(ROWS) < 0.5,
        "alone": pd.array(holes(draw, draw.random(ROWS) < 0.5), dtype="boolean"),
        "few": holes(draw, draw.integers(0, 2, ROWS)),
        "deck": draw.choice(list("ABC"), ROWS),
    }


def flights(draw):
    months = pd.date_range("1949-01-01", periods=ROWS, freq="MS")
    passengers = 110 + 2 * np.arange(ROWS) + draw.integers(0, 30, ROWS)
    return {"year": months.year, "month": months.month_name(), "start": months, "passengers": passengers}


def penguins(draw):
    hatched = pd.Timestamp("2007-01-01") + pd.to_timedelta(draw.integers(0, 999, ROWS), unit="D")
    return {
        "island": draw.choice(["Biscoe", "Dream"], ROWS),
        "bill_length_mm": holes(draw, draw.normal(44, 5, ROWS).round(1)),
        "body_mass_g": draw.integers(270, 630, ROWS) * 10,
        "flipper_length_mm": pd.array(holes(draw, draw.integers(170, 232, ROWS)), dtype="Int64"),
        "hatched": holes(draw, hatched),
        "seldom": holes(draw, hatched, 0.8),
    }


def planets(draw):
    return {
        "method": draw.choice(["Radial Velocity", "Transit"], ROWS),
        "number": draw.integers(1, 8, ROWS),
        "orbital_period": np.exp(draw.normal(3, 4, ROWS)),
        "mass": holes(draw, draw.gamma(1, 2, ROWS).round(3), 0.7),
        "distance": holes(draw, draw.gamma(2, 100, ROWS).round(2)),
        "year": draw.integers(1989, 2015, ROWS),
    }


def taxis(draw):
    pickup = pd.Series(pd.Timestamp("2019-03-01") + pd.to_timedelta(draw.integers(0, 3 * 10**6, ROWS), unit="s"))
    return {
        "pickup": pickup,
        "dropoff": pickup + pd.to_timedelta(draw.integers(60, 3600, ROWS), unit="s"),
        "took": pd.to_timedelta(draw.integers(60, 200_000, ROWS), unit="s"),
        "passengers": draw.integers(0, 7, ROWS),
        "distance": draw.gamma(2, 1.5, ROWS).round(2),
        "color": draw.choice(["yellow", "grün"], ROWS),
        "fare": draw.gamma(3, 4, ROWS).round(1),
        "billed": pickup.dt.tz_localize("America/New_York"),
    }


def extremes(draw):
    return {
        "tiny": draw.normal(size=ROWS) * 1e-9,
        "huge": draw.normal(size=ROWS) * 1e12,
        "thousands": draw.integers(1000, 10**7, ROWS),
        "halves": draw.integers(-9, 9, ROWS) / 2,
        "long": draw.integers(2**52, 2**62, ROWS),
        "sparse": holes(draw, draw.normal(size=ROWS).round(2), 0.9),
        "one": np.where(draw.random(ROWS) < 0.5, 7.0, np.nan),
        "flag": pd.Series(np.where(draw.random(ROWS) < 0.3, None, draw.random(ROWS) < 0.5), dtype=object),
        "y": draw.normal(size=ROWS),
    }


def holes(draw, values, share=0.1):
    """The values as a series, of which this share is missing."""
    return pd.Series(values).mask(draw.random(ROWS) < share)


MADE = {each.__name__: each for each in (tips, titanic, flights, penguins, planets, taxis, extremes)}
FRAMES = ("iris", "wine", "breast_cancer", "diabetes", "linnerud", "digits", *MADE)
TARGETS = {  # a number, nothing for the target that is proposed, a date
    "tips": ["tip", None],
    "titanic": ["fare", None],
    "flights": ["passengers", "start"],
    "penguins": ["body_mass_g", "hatched"],
    "planets": ["orbital_period", "mass", None],
    "taxis": ["fare", "pickup", None],
    "extremes": ["y", "flag", "sparse"],
}


@cache
def frame_of(name):
    return pd.DataFrame(MADE[name](np.random.default_rng(len(name)))) if name in MADE else bundled(name)


# Writers


def text(suffix=".csv", **how):
    """As pandas writes it."""

    def write(frame, stem):
        frame.to_csv(path := stem.with_suffix(suffix), **{"index": False, **how})
        return path

    return write


def binary(suffix, method, **how):
    """Of a kind that knows what its columns are."""

    def write(frame, stem):
        getattr(frame, method)(path := stem.with_suffix(suffix), **how)
        return path

    return write


# parameters: those of R's write.table
def as_r(*, sep=",", decimal=".", names='""', quote=True, suffix=".csv", na="NA"):
    """As R writes it: texts and the numbers of the rows in quotes, TRUE and FALSE, NA without quotes."""

    def cell(value):
        if pd.isna(value):
            return na
        if isinstance(value, bool | np.bool_):
            return str(value).upper()
        if isinstance(value, float | np.floating | pd.Timedelta):
            number = value.total_seconds() if isinstance(value, pd.Timedelta) else value
            return f"{number:.15g}".replace(".", decimal)
        if isinstance(value, pd.Timestamp):
            return str(value.tz_localize(None)) if value != value.normalize() else f"{value:%Y-%m-%d}"
        return quoted(value) if isinstance(value, str) else str(value)

    def quoted(value):
        return f'"{value}"' if quote else str(value)

    def write(frame, stem):
        lines = [[*([names] if names else []), *map(quoted, frame.columns)]]
        for number, row in enumerate(frame.itertuples(index=False), start=1):
            lines.append([*([quoted(number)] if names is not None else []), *map(cell, row)])
        path = stem.with_suffix(suffix)
        path.write_text("".join(sep.join(line) + "\n" for line in lines), "utf-8")
        return path

    return write


MISSING = ["NA", "NULL", "?", "nan", "NaN", "None", "<NA>", "#N/A", "n/a", "N/A", "NaT", "-nan", "1.#QNAN"]
SIGNS = [".", "-", "\\N", "missing", "--"]  # signs for a missing value that pandas and R read as text by default
WRITERS = {
    "plain": text(),
    "index": text(index=True),
    "named index": text(index=True, index_label="rownames"),
    "semicolons": text(sep=";"),
    "pipes": text(sep="|"),
    "tabs in csv": text(sep="\t"),
    "tsv": text(".tsv", sep="\t"),
    "tabs in txt": text(".txt", sep="\t"),
    "tsv.gz": text(".tsv.gz", sep="\t"),
    "German": text(sep=";", decimal=","),
    "German, tabs": text(".tsv", sep="\t", decimal=","),
    "German, dates": text(sep=";", decimal=",", date_format="%d.%m.%Y"),
    "decimal commas between commas": text(decimal=","),
    "all quoted": text(quoting=csv.QUOTE_ALL),
    "texts quoted": text(quoting=csv.QUOTE_NONNUMERIC),
    "CRLF": text(lineterminator="\r\n"),
    "utf-8-sig": text(encoding="utf-8-sig"),
    "utf-16": text(encoding="utf-16"),
    "latin-1": text(encoding="latin-1"),
    "American dates": text(date_format="%m/%d/%Y %I:%M:%S %p"),
    "British dates": text(date_format="%d/%m/%Y"),
    "dates with names": text(date_format="%d-%b-%Y"),
    "compact dates": text(date_format="%Y%m%d"),
    "ISO dates": text(date_format="%Y-%m-%dT%H:%M:%S"),
    "exponents": text(float_format="%.6e"),
    "fixed": text(float_format="%.3f"),
    "gz": text(".csv.gz"),
    "bz2": text(".csv.bz2"),
    "xz": text(".csv.xz"),
    "zip": text(".csv.zip"),
    **{f"missing is {word}": text(na_rep=word) for word in (*MISSING, *SIGNS)},
    "write.csv": as_r(),
    "write.csv without row names": as_r(names=None),
    "write.csv2": as_r(sep=";", decimal=","),
    "write.csv2 without row names": as_r(sep=";", decimal=",", names=None),
    "write.csv, na=''": as_r(na=""),
    "write_tsv": as_r(sep="\t", names=None, quote=False, suffix=".tsv"),
    "write_delim": as_r(sep="|", names=None, quote=False),
    "write.table": as_r(sep=" ", names="", suffix=".txt"),
    "write.table in csv": as_r(sep=" ", names=""),
    "write.table by tabs": as_r(sep="\t", names="", suffix=".txt"),
    "write.table without row names": as_r(sep=" ", names=None, suffix=".dat"),
    "parquet": binary(".parquet", "to_parquet", index=False),
    "parquet, index": binary(".parquet", "to_parquet", index=True),
    "parquet, gzip": binary(".pq", "to_parquet", compression="gzip"),
    "feather": binary(".feather", "to_feather"),
    "excel": binary(".xlsx", "to_excel", index=False),
    "excel, index": binary(".xlsx", "to_excel", index=True),
}


def differs(frame, writer):
    """Whether this writer writes the frame in another way than others do."""
    if writer.startswith("missing"):
        return frame_of(frame).isna().any(axis=None)
    return "dates" not in writer or frame_of(frame).dtypes.map(lambda dtype: dtype.kind == "M").any()


FILES = [(frame, writer) for frame in FRAMES for writer in WRITERS if differs(frame, writer)]
