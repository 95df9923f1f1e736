"""The metadata of a record: what is asked for, and one line for what is wrong."""

from __future__ import annotations

import pytest

from aiida_crucible.publishing.publication import (
    Author,
    Publication,
    as_yaml,
    from_content,
    missing_line,
    read_publication,
)


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("Ada Lovelace", Author("Ada Lovelace")),
        ("Ada Lovelace; Analytical Society, London", Author("Ada Lovelace", "Analytical Society, London")),
        ("Ada; London; 0000-0002-1825-0097", Author("Ada", "London", "0000-0002-1825-0097")),
        ("Ada; https://orcid.org/0000-0002-1694-233X", Author("Ada", "", "0000-0002-1694-233X")),
    ],
)
def test_an_author_is_read(text, author):
    assert Author.parse(text) == author


@pytest.mark.parametrize("text", ["", ";", "; London", "0000-0002-1825-0097", "a; b; c", "a; b; c; d"])
def test_what_is_no_author_is_refused(text):
    with pytest.raises(ValueError, match="is no author: give 'NAME; AFFILIATION; ORCID'"):
        Author.parse(text)


@pytest.mark.parametrize("orcid", ["0000-0002-1825-0098", "0000-0002-1694-2330", "0000-0002-1825-00977"])
def test_an_orcid_with_a_wrong_digit_is_refused(orcid):
    with pytest.raises(ValueError, match="is no ORCID iD"):
        Author.parse(f"Ada; {orcid}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"titel": "x"}, "there is no field 'titel': did you mean 'title'"),
        ({"title": 3}, "title of the metadata is 3"),
        ({"authors": "Ada"}, "authors of the metadata is 'Ada'"),
        ({"authors": [{"nam": "Ada"}]}, "the author has unknown fields"),
        ({"licence": "CC-BY"}, "is unknown: did you mean"),
        ({"keywords": [1]}, "keywords"),
        ([], "is no JSON object"),
    ],
)
def test_wrong_metadata_are_one_line(content, said):
    with pytest.raises(ValueError, match=said) as caught:
        from_content(content)
    assert "\n" not in str(caught.value)


def test_a_file_is_named_in_the_line(tmp_path):
    path = tmp_path / "record.yaml"
    path.write_text("title: [1")
    with pytest.raises(ValueError, match=rf"metadata of {path}: "):
        read_publication(path)
    with pytest.raises(ValueError, match=rf"metadata: {tmp_path / 'no.yaml'} is not a file"):
        read_publication(tmp_path / "no.yaml")


def test_it_reads_back_what_it_writes(tmp_path):
    record = Publication(
        "T", (Author("Ada", "London", "0000-0002-1825-0097"),), "MIT", "d", ("a", "b"), ("10.1/x",), "m"
    )
    (tmp_path / "record.yaml").write_text(as_yaml(record.as_dict()))
    assert read_publication(tmp_path / "record.yaml") == record


def test_what_is_missing_is_named_with_the_way_to_give_it():
    assert Publication(title="T").missing() == ["authors", "licence"]
    line = missing_line(["title"])
    assert line.startswith("title of the record is missing: give --title 'TITLE', or --metadata FILE")


def test_one_goes_before_the_other():
    first, second = Publication(title="A"), Publication(title="B", licence="MIT")
    assert first.over(second) == Publication(title="A", licence="MIT")
