"""Where cloud regions are, and how long light in fibre takes between them: the floor that no network gets below.

Coordinates are of the metropolitan area that the provider names, in ``regions.json``. Light in fibre makes 204,000 km a
second, so 1,000 km of great circle take 9.8 ms there and back; real routes are longer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources

EARTH_RADIUS_KM = 6371.0
FLOOR_S_PER_KM = 9.8e-6


@cache
def coordinates() -> Mapping[str, tuple[float, float]]:
    """Region's name to latitude and longitude in degrees; providers' names do not collide."""
    text = (resources.files(__package__) / "regions.json").read_text()
    return {name: (lat, lon) for places in json.loads(text).values() for name, (lat, lon) in places.items()}


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Along the great circle between two points in degrees (haversine)."""
    (lat_a, lon_a), (lat_b, lon_b) = ((math.radians(lat), math.radians(lon)) for lat, lon in (a, b))
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


def floors(regions: Mapping[str, str]) -> dict[tuple[str, str], float]:
    """Seconds there and back for each ordered pair of datacenters in two known regions."""
    known = {name: coordinates()[region] for name, region in regions.items() if region in coordinates()}
    return {
        (a, b): distance_km(known[a], known[b]) * FLOOR_S_PER_KM
        for a in known
        for b in known
        if a != b and known[a] != known[b]
    }
