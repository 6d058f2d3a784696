"""Words that errors are made of."""

from scalingfit._arguments import nearest


def test_the_nearest_names_whatever_their_capitals() -> None:
    assert nearest("u", ["N", "D", "U"]) == ["U"]
    assert nearest("Chinchila", ["kaplan", "chinchilla"]) == ["chinchilla"]
    assert nearest("A", ["alpha", "a", "A"]) == ["a", "A"]
    assert nearest("speed", ["N", "D"]) == []
