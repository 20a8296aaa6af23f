"""From China's map coordinates (GCJ-02), in which WeChat pins places, to WGS 84.

GCJ-02 shifts every place in China by up to some 700 m. The shift is the published series that open map tools agree on; it is
taken back by approaching, to less than a millimetre of that series. Outside China nothing is shifted.
"""

from __future__ import annotations

import math

_AXIS = 6378245.0  # the half axis of Krasovsky's ellipsoid, m, which the series is written for
_SQUARED = 0.00669342162296594323  # its first eccentricity, squared
_STEPS = 6


def to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees GCJ-02 to degrees WGS 84."""
    if not (0.8293 <= latitude <= 55.8271 and 72.004 <= longitude <= 137.8347):
        return latitude, longitude
    found = latitude, longitude
    for _ in range(_STEPS):
        north, east = _shift(*found)
        found = latitude - north, longitude - east
    return found


def _shift(latitude: float, longitude: float) -> tuple[float, float]:
    """How far GCJ-02 moves a place north and east, in degrees."""
    x, y = longitude - 105.0, latitude - 35.0
    waves = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + waves
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + waves
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = math.radians(latitude)
    bent = 1 - _SQUARED * math.sin(radians) ** 2
    north = math.degrees(north / (_AXIS * (1 - _SQUARED) / (bent * math.sqrt(bent))))
    east = math.degrees(east / (_AXIS / math.sqrt(bent) * math.cos(radians)))
    return north, east
