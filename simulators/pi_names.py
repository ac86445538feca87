"""The historian's names for things: WebIds, points, servers.

Put here: WebId 2.0 and the descriptions of attributes, points and servers. Keep out: data (pi_archive.py), HTTP
(pi.py).
"""

from __future__ import annotations

import struct
import uuid
from base64 import urlsafe_b64encode
from typing import Any, Final

from simulators.pi_archive import SERVER, TAGS, Tag

_FIRST_POINT: Final = 4711


def _guid(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, text)


SERVER_GUID: Final = _guid(SERVER)


def _code(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def guid_code(guid: uuid.UUID) -> str:
    """Return a GUID as WebIds write it: its sixteen bytes in Microsoft order.

    >>> guid_code(uuid.UUID("85bb49d6-f101-4807-baf9-57c2fbd33000"))
    '1km7hQHxB0i6-VfC-9MwAA'
    """
    return _code(guid.bytes_le)


def path_code(path: str) -> str:
    r"""Return a path as WebIds write it: upper case, without the leading backslashes.

    >>> path_code("PISRV1\\HYDRO.UNIT1.MW")
    'UElTUlYxXEhZRFJPLlVOSVQxLk1X'
    """
    return _code(path.removeprefix("\\\\").upper().encode())


def point_code(number: int) -> str:
    """Return a point's number as WebIds write it.

    >>> point_code(4711)
    'ZxIAAA'
    """
    return _code(struct.pack("<i", number))


def attribute_path(tag: Tag) -> str:
    """Return the full path of an attribute."""
    return f"\\\\{SERVER}\\{tag.path}"


def point_name(tag: Tag) -> str:
    """Return the name of the point behind an attribute."""
    return tag.path.replace("\\", ".").replace("|", ".").replace(" ", "_").upper()


def point_number(tag: Tag) -> int:
    """Return the number of the point behind an attribute."""
    return _FIRST_POINT + TAGS.index(tag)


def attribute_id(tag: Tag, kind: str = "Full") -> str:
    """Return an attribute's WebId: ``Full`` (server, element and attribute GUID, path) or ``PathOnly``."""
    if kind.lower() == "pathonly":
        return "P1AbE" + path_code(attribute_path(tag))
    guids = (SERVER_GUID, _guid(tag.path.rpartition("|")[0]), _guid(tag.path))
    return "F1AbE" + "".join(guid_code(guid) for guid in guids) + path_code(attribute_path(tag))


def point_id(tag: Tag, kind: str = "Full") -> str:
    """Return a point's WebId: ``Full``, ``IDOnly`` or ``PathOnly``."""
    path = path_code(f"{SERVER}\\{point_name(tag)}")
    numbered = guid_code(SERVER_GUID) + point_code(point_number(tag))
    return {"pathonly": f"P1DP{path}", "idonly": f"I1DP{numbered}"}.get(kind.lower(), f"F1DP{numbered}{path}")


def server_id() -> str:
    """Return the data server's WebId, by its GUID alone."""
    return "I1DS" + guid_code(SERVER_GUID)


def by_web_id() -> dict[str, Tag]:
    """Return every WebId that names a stream -> its tag."""
    found: dict[str, Tag] = {}
    for tag in TAGS:
        found |= dict.fromkeys((attribute_id(tag), attribute_id(tag, "PathOnly")), tag)
        found |= dict.fromkeys((point_id(tag), point_id(tag, "IDOnly"), point_id(tag, "PathOnly")), tag)
    return found


def by_path() -> dict[str, tuple[Tag, bool]]:
    """Return path in upper case -> tag and whether it names the point rather than the attribute."""
    found = {attribute_path(tag).upper(): (tag, False) for tag in TAGS}
    return found | {f"\\\\{SERVER}\\{point_name(tag)}".upper(): (tag, True) for tag in TAGS}


def _links(base: str, web_id: str) -> dict[str, str]:
    reads = {
        "InterpolatedData": "interpolated",
        "RecordedData": "recorded",
        "SummaryData": "summary",
        "Value": "value",
        "EndValue": "end",
    }
    return {name: f"{base}/streams/{web_id}/{path}" for name, path in reads.items()}


def describe_attribute(tag: Tag, base: str, kind: str) -> dict[str, Any]:
    """Return the attribute object."""
    web_id = attribute_id(tag, kind)
    return {
        "WebId": web_id,
        "Id": str(_guid(tag.path)),
        "Name": tag.path.rpartition("|")[2],
        "Description": "",
        "Path": attribute_path(tag),
        "Type": "EnumerationValue" if tag.digital else "Double",
        "TypeQualifier": "CCS Mode" if tag.digital else "",
        "DefaultUnitsName": tag.unit,
        "DefaultUnitsNameAbbreviation": tag.unit,
        "DataReferencePlugIn": "PI Point",
        "Step": tag.step,
        "Links": {"Self": f"{base}/attributes/{web_id}", **_links(base, web_id)},
    }


def describe_point(tag: Tag, base: str, kind: str) -> dict[str, Any]:
    """Return the point object."""
    web_id = point_id(tag, kind)
    return {
        "WebId": web_id,
        "Id": point_number(tag),
        "Name": point_name(tag),
        "Path": f"\\\\{SERVER}\\{point_name(tag)}",
        "Descriptor": tag.path,
        "PointClass": "classic",
        "PointType": "Digital" if tag.digital else "Float64",
        "DigitalSetName": "CCS Mode" if tag.digital else "",
        "Span": 100.0,
        "Zero": 0.0,
        "EngineeringUnits": tag.unit,
        "Step": tag.step,
        "Future": False,
        "DisplayDigits": -5,
        "Links": {"Self": f"{base}/points/{web_id}", **_links(base, web_id)},
    }


def describe_server(base: str) -> dict[str, Any]:
    """Return the data server object."""
    return {
        "WebId": server_id(),
        "Id": str(SERVER_GUID),
        "Name": SERVER,
        "Path": f"\\\\{SERVER}",
        "IsConnected": True,
        "ServerVersion": "stand-in",
        "Links": {"Self": f"{base}/dataservers/{server_id()}"},
    }
