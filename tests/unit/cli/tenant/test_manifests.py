"""What a file of documents may hold: YAML or JSON, and nothing that JSON could not say."""

import json

import pytest
import yaml

from higgins import errors
from higgins.cli.tenant import manifests


def documents(text: str) -> list[object]:
    return [each.document for each in manifests.parsed(text, "file")]


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod\nspec: {a: [1, 0.5, true, null, x]}",
        '{"kind": "Pod", "spec": {"a": [1, 0.5, true, null, "x"]}}',
        '{\n\t"kind":\t"Pod",\n\t"spec": {"a": [1, 0.5, true, null, "x"]}}',
        "{kind: Pod, spec: {a: [1, 0.5, true, null, x]}}",
        "---\n# nothing\n---\nkind: Pod\nspec:\n  a: [1, 0.5, true, ~, x]\n---\n",
        "\n  \nbase: &base {a: [1, 0.5, true, null, x]}\nkind: Pod\nspec: {<<: *base}",
    ],
)
def test_yaml_and_json_say_the_same(text):
    (found,) = documents(text)
    assert isinstance(found, dict)
    assert {key: found[key] for key in ("kind", "spec")} == {"kind": "Pod", "spec": {"a": [1, 0.5, True, None, "x"]}}


def test_several_documents_are_numbered_and_one_is_not():
    assert [each.place for each in manifests.parsed("a: 1\n---\na: 2", "file")] == [
        "file, document 1",
        "file, document 2",
    ]
    assert [each.place for each in manifests.parsed("---\na: 1\n---\n", "file")] == ["file"]


def test_a_date_stays_the_text_that_it_is():
    assert documents("a: 2026-11-21\nb: 2026-11-21 12:00:00") == [{"a": "2026-11-21", "b": "2026-11-21 12:00:00"}]
    assert yaml.safe_load("a: 2026-11-21") != {"a": "2026-11-21"}  # Others' YAML is left as it was.


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "neither YAML nor JSON"),
        ("a: b: c", "neither YAML nor JSON"),
        ('{"a": 1', "neither YAML nor JSON"),
        ("a: !!python/object/apply:os.system [id]", "neither YAML nor JSON"),
        ("a: \x00", "neither YAML nor JSON"),
        ("a: 1\nb: 2\na: 3", "a stands there twice"),
        ("- a", "it must be an object"),
        ("5", "it must be an object"),
        ("a: 1\n---\n- b", "file, document 2: it must be an object"),
        ("a: {80: b}", "a.80: a key must be text"),
        ("on: b", "True: a key must be text"),
        ("a: [b, .nan]", "a[1]: nan is no number"),
        ('{"a": Infinity}', "a: inf is no number"),
        ("a: !!binary aGVsbG8=", "a: JSON has no word for a bytes"),
        ("a: !!set {b}", "a: JSON has no word for a set"),
        ("a: &a [*a]", "too much in it"),
        (BOMB, "too much in it"),
        ("[" * 5000, "nesting"),
        ('{"a":' * 5000, "nesting"),
        (f"a: {'9' * 5000}", "a number"),
    ],
    ids=lambda each: each[:24],
)
def test_what_json_could_not_say_is_refused_with_its_place(text, complaint):
    with pytest.raises(errors.Invalid) as refused:
        manifests.parsed(text, "file")
    assert complaint in refused.value.message
    assert len(refused.value.message) < 600


def test_a_file_that_cannot_be_read_or_is_empty_is_refused(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa")
    for name, complaint in (
        ("empty", "nothing in it"),
        ("binary", "UTF-8"),
        ("gone", "No such file"),
        (".", "directory"),
    ):
        with pytest.raises(errors.Invalid) as refused:
            manifests.read(str(tmp_path / name))
        assert complaint in refused.value.message


def test_a_mark_of_byte_order_is_no_part_of_the_text(tmp_path):
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    (found,) = manifests.read(str(tmp_path / "file"))
    assert found.document == {"a": 1}
