"""JSON schemas of the wire's types: of answers as they are written, of requests as ``jsonapi.fields`` reads them."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Final, TypeAlias, get_args

import msgspec

from kassa.jsonapi import fields

Schema: TypeAlias = dict[str, Any]

PREFIX: Final = "#/components/schemas/"
_NULL: Final = {"type": "null"}
_EMPTY_LIST: Final = {"type": "array", "maxItems": 0}
"""How PHP clients write an empty map."""


def written(types: Iterable[Any]) -> dict[str, Schema]:
    """Return the schemas of answers, by name: every member is there unless its type is UNSET."""
    return {name: _written(schema) for name, schema in _components(types).items()}


def read(types: Iterable[Any]) -> dict[str, Schema]:
    """Return the schemas of requests, with all that ``fields.read`` accepts beside the plain types."""
    wanted = list(types)
    needed = {each.__name__: fields.required(each) for each in _structs(wanted)}
    return {name: _read(schema, needed, needed.get(name, frozenset())) for name, schema in _components(wanted).items()}


def reference(kind: Any) -> Schema:
    """Return the reference to a type's schema."""
    return {"$ref": f"{PREFIX}{kind.__name__}"}


def nested(kind: Any) -> list[str]:
    """Return the names of a struct's members that have members of their own."""
    return [
        member.encode_name
        for member in msgspec.structs.fields(kind)
        if any(
            isinstance(option, msgspec.inspect.StructType | msgspec.inspect.DictType)
            for option in _options(member.type)
        )
    ]


def _options(kind: Any) -> tuple[msgspec.inspect.Type, ...]:
    found = msgspec.inspect.type_info(kind)
    return found.types if isinstance(found, msgspec.inspect.UnionType) else (found,)


def _components(types: Iterable[Any]) -> dict[str, Schema]:
    wanted = list(types)
    _, found = msgspec.json.schema_components(wanted, ref_template=f"{PREFIX}{{name}}")
    for each in _structs(wanted):
        descriptions = _descriptions(each)
        for member in msgspec.structs.fields(each):
            if member.name in descriptions:
                found[each.__name__]["properties"][member.encode_name]["description"] = descriptions[member.name]
    return found


def _structs(types: Iterable[Any]) -> Iterator[type[msgspec.Struct]]:
    """Yield every struct that the types are made of."""
    for each in types:
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            yield each
            yield from _structs(member.type for member in msgspec.structs.fields(each))
        else:
            yield from _structs(get_args(each))


@cache
def _descriptions(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """Return the descriptions of a struct's members, by name: the docstrings below them in its source."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not issubclass(each, msgspec.Struct) or each is msgspec.Struct:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101 - a struct is a class
        for member, text in pairwise(definition.body):
            match member, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as description)):
                    found[name] = inspect.cleandoc(description)
                case _:
                    pass
    return found


def _written(schema: Schema) -> Schema:
    made = _described(schema)
    if "properties" not in schema:
        return made
    required = set(schema["required"])
    made["properties"] = {}
    for name, member in schema["properties"].items():
        found = dict(member)
        if "default" in found:
            required.add(name)
            found["const"] = found.pop("default")
        made["properties"][name] = _joined([found])
    made["required"] = [name for name in schema["properties"] if name in required]
    return made


def _read(schema: Schema, needed: Mapping[str, frozenset[str]], required: frozenset[str]) -> Schema:
    made = _described(schema)
    if "properties" not in schema:
        return made
    made["properties"] = {}
    for name, member in schema["properties"].items():
        options = [option for option in member.get("anyOf", [member]) if option != _NULL]
        taken = [wide for option in options for wide in _taken(option, needed, alone=len(options) == 1)]
        if name not in required:
            taken.append(_NULL)
        description = {"description": member["description"]} if "description" in member else {}
        made["properties"][name] = _joined([{"anyOf": taken, **description}])
    made["required"] = [name for name in schema["properties"] if name in required]
    return made


def _taken(option: Schema, needed: Mapping[str, frozenset[str]], *, alone: bool) -> list[Schema]:
    """Return all that is taken for one plain type. A decimal in a request is always an amount of money."""
    option = {name: value for name, value in option.items() if name not in {"default", "description"}}
    if "$ref" in option:
        return [option, _EMPTY_LIST]
    if option.get("format") == "decimal":
        return [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": f"^{fields.NUMBER}$"}]
    if option.get("type") == "object":
        return [option, _EMPTY_LIST]
    if option.get("type") == "string" and alone:
        return [option, {"type": "number"}]
    return [option]


def _described(schema: Schema) -> Schema:
    """Return a schema's title and the first paragraph of its description."""
    kept = {name: value for name, value in schema.items() if name not in {"properties", "required"}}
    if "description" in kept:
        kept["description"] = kept["description"].split("\n\n")[0].replace("\n", " ")
    return kept


def _joined(options: list[Schema]) -> Schema:
    """Return one schema for any of several: ``{"type": [...]}`` where they do not conflict."""
    if len(options) == 1 and "anyOf" in options[0]:
        outer = {name: value for name, value in options[0].items() if name != "anyOf"}
        return {**_joined(options[0]["anyOf"]), **outer}
    if any("$ref" in option for option in options):
        return {"anyOf": options} if len(options) > 1 else options[0]
    if any("enum" in option for option in options):
        return {"enum": [value for option in options for value in option.get("enum", [None])]}
    made: Schema = {}
    for option in options:
        made.update({name: value for name, value in option.items() if name != "type"})
    kinds = [kind for option in options for kind in _kinds(option)]
    if kinds:
        made = {"type": kinds[0] if len(kinds) == 1 else kinds, **made}
    return made


def _kinds(option: Schema) -> list[str]:
    kinds: str | list[str] = option.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds
