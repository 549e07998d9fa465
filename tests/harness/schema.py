# SPDX-License-Identifier: LGPL-2.1-or-later
"""The specification's own JSON schemas, as they stand in tests/data."""

import json
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent / "data/runtime-spec/schema"
OTHER_PLATFORMS = ("freebsd", "solaris", "vm", "windows", "zos")


def validate(document, name):
    """Checks DOCUMENT against NAME ("state-schema.json"); skips without python3-jsonschema."""
    import pytest  # not at the top: programs that are no tests read the schema, too
    jsonschema = pytest.importorskip("jsonschema", reason="needs python3-jsonschema")
    schema = load(name)
    resolver = jsonschema.RefResolver(base_uri=f"{PLACE.as_uri()}/", referrer=schema)
    jsonschema.Draft4Validator(schema, resolver=resolver).validate(document)


def load(name):
    return json.loads((PLACE / name).read_text())


def inline(node, file, files={}):
    """The schema with each $ref replaced by what it refers to; draft 4 ignores what stands beside a $ref."""
    if isinstance(node, list):
        return [inline(item, file) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {key: inline(value, file) for key, value in node.items()}
    name, _, pointer = node["$ref"].partition("#/")
    name = name or file
    target = files.setdefault(name, load(name))
    for key in pointer.split("/"):
        target = target[key]
    return inline(target, name)


def config_schema():
    """The schema of config.json in one piece."""
    return inline(load("config-schema.json"), "config-schema.json")


def properties(schema, path=""):
    """Yields (path, schema) of each value that SCHEMA describes, below PATH."""
    for part in [schema] + schema.get("allOf", []) + schema.get("anyOf", []):
        for name, value in part.get("properties", {}).items():
            below = f"{path}.{name}" if path else name
            yield below, value
            yield from properties(value, below)
        for key in ("additionalProperties", "items"):
            if isinstance(part.get(key), dict):
                below = path + (".*" if key == "additionalProperties" else "[]")
                yield below, part[key]
                yield from properties(part[key], below)
        for value in part.get("patternProperties", {}).values():
            yield path + ".*", value


def linux_properties():
    """{path: schema} of the values that a config for Linux may have: `a.b`, `a[]` for an item, `a.*` for a member."""
    return {path: value for path, value in properties(config_schema()) if path.split(".")[0] not in OTHER_PLATFORMS}


def type_of(value):
    """The JSON type that the schema VALUE wants."""
    if "anyOf" in value:
        return "object"
    return value.get("type") or value["allOf"][0]["type"]
