"""Writes sbom.json, the bill of materials in the form of CycloneDX, from requirements.lock.

`python -m tests.chaos.bill`

Hashes stay in the lock; the bill names the lock's own SHA-256.
"""

import hashlib
import json
import re
from pathlib import Path

__all__ = ["BILL", "bill_of", "packages"]

ROOT = Path(__file__).parents[2]
BILL = ROOT / "sbom.json"
PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*\\?$", re.MULTILINE
)


def packages(lock):
    """Name, version and marker (or "") of every package that a lock pins; a name may stand twice, with markers."""
    return [match.groups(default="") for match in PIN.finditer(lock)]


def bill_of(lock):
    """The bill of materials of a lock, as values of JSON."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "raymm"},
            "properties": [{"name": "lock:sha256", "value": hashlib.sha256(lock.encode()).hexdigest()}],
        },
        "components": [_component(*found) for found in packages(lock)],
    }


def _component(name, version, marker):
    purl = f"pkg:pypi/{name}@{version}"
    found = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return found | ({"properties": [{"name": "marker", "value": marker}]} if marker else {})


if __name__ == "__main__":
    BILL.write_text(json.dumps(bill_of((ROOT / "requirements.lock").read_text()), indent=1) + "\n")
