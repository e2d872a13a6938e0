"""Where regions are, and how long light takes between them."""

from __future__ import annotations

import pytest

from meshkit.federation.probing import regions


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [("eu-west-1", "eu-central-1", 1090), ("us-east-1", "westeurope", 6200), ("ap-southeast-1", "asia-southeast1", 10)],
)
def test_distances_are_those_of_the_map(a: str, b: str, km: float) -> None:
    places = regions.coordinates()
    assert regions.distance_km(places[a], places[b]) == pytest.approx(km, rel=0.05, abs=15)


def test_a_thousand_kilometres_take_9_8_ms() -> None:
    floor = regions.floors({"a": "eu-west-1", "b": "eu-central-1"})
    places = regions.coordinates()
    distance = regions.distance_km(places["eu-west-1"], places["eu-central-1"])
    assert floor == {pair: pytest.approx(9.8e-6 * distance) for pair in (("a", "b"), ("b", "a"))}


def test_unknown_regions_and_the_same_one_have_no_floor() -> None:
    assert regions.floors({"a": "mars-north-1", "b": "eu-west-1", "c": "eu-west-1"}) == {}


def test_every_coordinate_is_on_the_globe() -> None:
    assert all(-90 <= lat <= 90 and -180 <= lon <= 180 for lat, lon in regions.coordinates().values())
    assert len(regions.coordinates()) > 100
