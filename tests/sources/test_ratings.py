"""Ratings hold what a reading line by line gives, however they are separated; side tables go with their ids."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from helpers import search, write_space

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.data.preprocess import fit
from tuner.errors import DataError
from tuner.report import load as results_of
from tuner.sources import ratings

ROWS = [(10, 2, 3.5, 880), (9, 2, 4, 870), (10, 7, 1, 890), (1, 30, 5, 860)]
HEADED = "userId,movieId,rating,timestamp"
WRITTEN = {
    "u.data": "\n".join("\t".join(map(str, row)) for row in ROWS),
    "ratings.csv": "\n".join([HEADED, *(",".join(map(str, row)) for row in ROWS)]),
    "ratings.dat": "\n".join("::".join(map(str, row)) for row in ROWS) + "\n",
    "bars.txt": "\n".join("|".join(map(str, row)) for row in ROWS),
    "short.csv": "\n".join(",".join(map(str, row[:3])) for row in ROWS),
    "other.csv": "\n".join(["stars;Product ID;Customer_ID", *(f"{r};{i};{u}" for u, i, r, _ in ROWS)]),
    "m.inter": "\n".join(
        ["user_id:token\titem_id:token\trating:float\ttimestamp:float", *("\t".join(map(str, row)) for row in ROWS)]
    ),
    "bom.csv": "\ufeff" + "\r\n".join([HEADED, *(",".join(map(str, row)) for row in ROWS)]),
}


def load(folder, content, name="r.csv", **wish):
    (folder / name).write_text(content)
    return check(ratings.load(ratings.Settings(path=name, **wish), folder))


def refused(folder, content, name="r.csv", **wish):
    with pytest.raises(DataError) as caught:
        load(folder, content, name, **wish)
    return error_text(caught.value)


@pytest.mark.parametrize("name", [*WRITTEN, "r.parquet", "r.feather", "r.arrow", "r.xlsx"])
def test_the_same_ratings_however_they_are_written(tmp_path, name):
    """Ids are in the order of their numbers; codes 0 and 1 are padding and unknown."""
    if name not in WRITTEN:
        frame = pd.DataFrame(ROWS, columns=HEADED.split(","))
        write = {"r.parquet": frame.to_parquet, "r.xlsx": lambda path: frame.to_excel(path, index=False)}
        write.get(name, frame.to_feather)(tmp_path / name)
        dataset = ratings.load(ratings.Settings(path=name), tmp_path)
    else:
        dataset = load(tmp_path, WRITTEN[name], name)
    assert dataset.vocabularies == (
        ("<padding>", "<unknown>", "1", "9", "10"),
        ("<padding>", "<unknown>", "2", "7", "30"),
    )
    assert dataset.features.tolist() == [[4, 2], [3, 2], [4, 3], [2, 4]]
    assert dataset.targets[:, 0].tolist() == [3.5, 4, 1, 5]
    assert (dataset.layout, dataset.task, dataset.of_users, dataset.roles.order) == ("ids", "regression", True, None)


def test_ids_may_be_words_and_007_is_not_7(tmp_path):
    dataset = load(tmp_path, "user,item,rating\nann,007,1\nbob,7,2\n")
    assert dataset.vocabularies[0][2:] == ("ann", "bob") and len(dataset.vocabularies[1]) == 4
    assert dataset.features.tolist() == [[2, 2], [3, 3]]


def test_quote_marks_between_colons_are_letters(tmp_path):
    """As MovieLens' movies.dat has them in titles."""
    dataset = load(tmp_path, '"a::1::3\nb::2::4\n"c"::1::5\n')
    assert dataset.vocabularies[0][2:] == ('"a', '"c"', "b") and len(dataset) == 3


def test_time_cuts_forward_only_where_it_is_named(tmp_path):
    dataset = load(tmp_path, WRITTEN["u.data"], time="timestamp")
    assert (dataset.roles.order.tolist(), dataset.hints) == ([880, 870, 890, 860], ())
    (hint,) = load(tmp_path, WRITTEN["u.data"]).hints
    assert hint == "column 'timestamp' looks like time: dataset.time: timestamp trains on the past only"


def test_a_pair_that_is_rated_again_is_hinted_at(tmp_path):
    (hint,) = load(tmp_path, WRITTEN["short.csv"] + "\n9,2,1").notes
    assert hint == "1 of 5 (user, item) pairs occur more than once"


REFUSED = {
    "below": (WRITTEN["u.data"], {"lowest": 2}, "'rating' of data row 3 is 1, outside 2 … inf"),
    "above": (WRITTEN["u.data"], {"lowest": 0, "highest": 4.5}, "'rating' of data row 4 is 5, outside 0 … 4.5"),
    "a column for two": (WRITTEN["ratings.csv"], {"user": "rating"}, "'rating' is named twice, by user and by rating"),
    "text": (WRITTEN["u.data"].replace("\t4\t", "\tgood\t"), {},
             "column 'rating' of data row 2 holds 'good', which is not a number"),
    "a header in the middle": (WRITTEN["ratings.csv"] + "\n" + HEADED, {},
                               "column 'rating' of data row 5 holds 'rating', which is not a number"),
    "a missing rating": (WRITTEN["short.csv"] + "\n9,7,", {}, "'rating' of data row 5 is missing (1 of 5 rows)"),
    "a missing user": (WRITTEN["short.csv"] + "\n,7,3", {}, "'user' of data row 5 is missing (1 of 5 rows)"),
    "infinite": (WRITTEN["short.csv"] + "\n9,7,inf", {}, "the target of data row 5 is missing or infinite"),
    "no item": ("user,rating,when\n1,2,3\n", {}, "no column could be the item, by name\n  = item: one of user, rating"),
    "two items": ("user,item,movie,score\n1,2,3,4\n", {}, "'item' and 'movie' could be the item, by name"),
    "a near miss": (WRITTEN["ratings.csv"], {"item": "movie"},
                    "r.csv has no column 'movie'\n  = did you mean 'movieId'?"),
    "too many columns": ("1,2,3,4,5\n", {}, "r.csv has no header and 5 columns"),
    "two columns": ("1\t2\n3\t4\n", {}, "no column could be the user"),
    "ragged": (WRITTEN["short.csv"] + "\n1,2,3,4,5", {}, "r.csv is not a readable table: line 5 has 5 fields"),
    "short": (WRITTEN["short.csv"] + "\n1,2", {}, "line 5 has 2 fields, and the first 3\n  = a missing value is"),
    "an open quote": (HEADED + '\n"1,2,3,4\n2,3,4,5"\n', {}, "r.csv, line 2: the quote mark of field 1 is not closed"),
    "empty": ("", {}, "r.csv is empty"),
    "a header alone": (HEADED + "\n", {}, "r.csv has a header but no rows"),
    "the same twice": ("user,user,rating\n1,2,3\n", {}, "r.csv has two columns called 'user'"),
    "one column": ("my notes\n", {}, "r.csv has one column"),
    "no side table": (WRITTEN["u.data"], {"users": "none.csv"}, "none.csv: no such file\n  = dataset.users is"),
    "dates": (WRITTEN["ratings.csv"].replace("870", "soon"), {"time": "timestamp"}, "neither numbers nor dates"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_told_in_a_sentence(tmp_path, case):
    content, wish, text = REFUSED[case]
    assert text in refused(tmp_path, content, **wish)


USERS = "9|24|M|x1\n1|30|F|x2\n10|41|M|x3\n77|1|M|x4\n"  # MovieLens' u.user has no header
MOVIES = 'movieId,title,genres\n30,"A, B",Drama|War\n2,C,War\n7,D,\n'


def test_side_tables_stand_beside_their_ids(tmp_path):
    (tmp_path / "u.user").write_text(USERS)
    (tmp_path / "movies.csv").write_text(MOVIES)
    wish = {"users": "u.user", "items": "movies.csv", "drop": ("4", "title"), "impute": "mean"}
    dataset = load(tmp_path, WRITTEN["ratings.csv"], **wish)
    nan = np.nan
    expected = [[41, 0, 1, 0, 1], [24, 0, 1, 0, 1], [41, 0, 1, nan, nan], [30, 1, 0, 1, 1]]  # age, F, M; Drama, War
    np.testing.assert_array_equal(dataset.side.values, expected)
    assert dataset.numbers.categories == (slice(1, 3),)
    prepared = fit(dataset, np.array([0, 1]))
    assert prepared.scale[1:3].tolist() == [0, 1], "no woman is in training"
    with pytest.raises(DataError, match=r"movies\.csv: 'genres' of data row 3 is missing"):
        load(tmp_path, WRITTEN["ratings.csv"], **{**wish, "impute": "none"})


SIDES = {
    "no row": ("userId,age\n1,20\n9,30\n", "s.csv has no row for 'userId' '10', which has ratings"),
    "two rows": ("userId,age\n1,20\n9,30\n10,1\n9,2\n", "s.csv: 'userId' '9' of data row 4 has a row already"),
    "a name": ("userId,name\n" + "".join(f"{i},n{i}\n" for i in range(300)), "column 'name' has 300 different texts"),
    "missing": ("age,userId\n20,1\n,9\n30,10\n", "s.csv: 'age' of data row 2 is missing"),
    "nothing": ("userId\n1\n", "s.csv has one column"),
    "only dropped": ("userId,x\n1,1\n9,9\n10,1\n", "no column is left beside 'userId'"),
    "Latin-1": ("userId,town\n1,Orléans\n".encode("latin-1"), "s.csv is not UTF-8 (byte 17, line 2)"),
}


@pytest.mark.parametrize("case", SIDES)
def test_a_bad_side_table_is_told_in_a_sentence(tmp_path, case):
    content, text = SIDES[case]
    (tmp_path / "s.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    wish = {"drop": "x"} if case == "only dropped" else {}
    assert text in refused(tmp_path, WRITTEN["ratings.csv"], users="s.csv", **wish)


def test_what_is_dropped_must_be_there(tmp_path):
    (tmp_path / "s.csv").write_text("userId,age,sex\n1,20,F\n9,30,M\n10,1,M\n")
    said = refused(tmp_path, WRITTEN["ratings.csv"], users="s.csv", drop="town")
    assert "no side table has a column 'town'\n  = one of: age, sex, userId" in said


def test_items_are_ranked_for_users_of_a_file(tmp_path):
    random = np.random.default_rng(0)
    lines = [f"{u}\t{i}\t{1 + (u * i) % 5}\t{random.integers(999)}" for u in range(8) for i in range(9)]
    (tmp_path / "u.data").write_text("\n".join(lines))
    dataset = {"name": "ratings", "path": "u.data"}
    path = write_space(tmp_path, dataset=dataset, model="recommender", metric="ndcg@5", training={"epochs": 1},
                       search={"trials": 1})  # fmt: skip
    search(path, tmp_path / "study.db")
    assert 0 < results_of(tmp_path / "study.db").score.mean <= 1


def test_typed_columns_of_parquet_are_read_as_what_they_say(tmp_path):
    """Categories, decimals, whole numbers as fractions."""
    frame = pd.DataFrame(
        {"user": pd.Categorical(["b", "a", "b"]), "item": [2.0, 10.0, 2.0], "rating": [Decimal("1.5"), 2, 3]}
    )
    frame.to_parquet(tmp_path / "r.parquet")
    dataset = ratings.load(ratings.Settings(path="r.parquet"), tmp_path)
    assert [words[2:] for words in dataset.vocabularies] == [("a", "b"), ("2", "10")]
    assert dataset.features.tolist() == [[3, 2], [2, 3], [3, 2]]
    assert dataset.targets[:, 0].tolist() == [1.5, 2, 3]


@pytest.mark.parametrize("name", ["i.feather", "i.xlsx", "i.arrow", "i.parquet"])
def test_a_side_table_may_be_any_table(tmp_path, name):
    frame = pd.DataFrame({"movieId": [30, 2, 7], "year": [1990, 1980, 2000]})
    write = {"i.parquet": frame.to_parquet, "i.xlsx": lambda path: frame.to_excel(path, index=False)}
    write.get(name, frame.to_feather)(tmp_path / name)
    dataset = load(tmp_path, WRITTEN["ratings.csv"], "ratings.csv", items=name)
    assert dataset.side.values.tolist() == [[1980], [1980], [2000], [1990]]


def test_a_side_table_that_knows_no_user_is_refused_also_where_missing_values_are_filled(tmp_path):
    (tmp_path / "us.csv").write_text("name,id2,age\n" + "".join(f"n{i},{i},{20 + i}\n" for i in range(1, 5)))
    with pytest.raises(DataError, match=r"us\.csv: none of the \d+ names with ratings has a row"):
        load(tmp_path, WRITTEN["u.data"], users="us.csv", drop="id2", impute="mean")


def test_comments_above_the_ratings_are_left_out_and_told(tmp_path):
    commented, plain = (load(tmp_path, above + WRITTEN["ratings.csv"]) for above in ("# from the shop\n", ""))
    assert commented.fingerprint() == plain.fingerprint()
    assert "a line of comment above the header is left out" in {*commented.notes} - {*plain.notes}
