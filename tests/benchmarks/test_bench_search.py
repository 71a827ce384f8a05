import json

from reidzoo.bench import main


def test_a_small_gallery(tmp_path, capsys):
    file = tmp_path / "search.json"
    words = ["search", "--n", "3000", "--width", "32", "--rounds", "2", "--json", str(file)]
    assert main(words) == 0
    report = json.loads(file.read_text())
    assert report["recall"] == 1
    assert len(report["ways"]) == 2
    assert "One query among 3,000 rows of 32" in capsys.readouterr().out
