"""Contracts for upstream: the AsyncAPI document and the JSON Schemas are up to date and valid.

Twice: by AsyncAPI's own schema from Python, which always runs, and by AsyncAPI's parser and Ajv on
Node.js, which come from Debian and npm where that is possible.
"""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema

from app.contracts.files import ASYNCAPI_FILE, SCHEMAS_FOLDER, contract_files, write_contracts
from app.rules_file.load import load_rules
from app.settings.model import Settings
from deploy.checks.support.place import Place, debian_programs
from deploy.checks.support.place import run as run_program
from deploy.checks.support.results import Broken, NotHere, Result, failed, judged, ok, skipped

#: AsyncAPI's schema of documents, as @asyncapi/specs of SPECS ships it (Apache-2.0), unchanged.
PACKED_SCHEMA: Final = "asyncapi/asyncapi-3.0.0.schema.json.gz"
_SHIPPED_SCHEMA: Final = "@asyncapi/specs/schemas/3.0.0-without-$id.json"
_PACKAGES: Final = ("@asyncapi/parser@3.6.3", "@asyncapi/specs@6.11.1", "ajv@8.18.0")
_OLDEST_NODE: Final = 18


def write(place: Place) -> None:
    """Make the files what the code and deploy/rules.yaml say."""
    write_contracts(Settings(), load_rules(place.deploy / "rules.yaml"), place.deploy)


def run(place: Place) -> Iterator[Result]:
    """Up to date, and valid by two readers."""
    yield _drift(place)
    yield _by_schema(place)
    yield _schemas(place)
    try:
        modules = _node_modules(place)
    except NotHere as exc:
        yield skipped("asyncapi.json by AsyncAPI's parser, schemas by Ajv", str(exc))
        return
    yield from _by_parser(place, modules)


def _drift(place: Place) -> Result:
    expected = dict(contract_files(Settings(), load_rules(place.deploy / "rules.yaml")))
    problems = [
        f"deploy/{path}: is not what the code says; deploy/check --write contracts"
        for path, content in expected.items()
        if not (place.deploy / path).is_file() or (place.deploy / path).read_bytes() != content
    ]
    problems += [
        f"deploy/{path}: nothing makes it any more; deploy/check --write contracts"
        for path in _schema_paths(place)
        if path not in expected
    ]
    return judged("contracts are what the code says", problems, f"{len(expected)} files")


def _schema_paths(place: Place) -> list[str]:
    found = (place.deploy / SCHEMAS_FOLDER).glob("*/*.json")
    return sorted(path.relative_to(place.deploy).as_posix() for path in found)


def _document(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.deploy / ASYNCAPI_FILE).read_text())
    return found


def _by_schema(place: Place) -> Result:
    schema = json.loads(gzip.decompress((place.deploy / PACKED_SCHEMA).read_bytes()))
    validator = jsonschema.Draft7Validator(schema)
    document = _document(place)
    problems = [
        f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)
    ]
    if not list(validator.iter_errors(document | {"channels": []})):
        problems.append("the schema accepts a document that is wrong")
    detail = f"AsyncAPI {document['asyncapi']}, {len(document['channels'])} channels"
    return judged("asyncapi.json by AsyncAPI's JSON Schema", problems, detail)


def _schemas(place: Place) -> Result:
    problems = []
    paths = _schema_paths(place)
    for path in paths:
        schema = json.loads((place.deploy / path).read_text())
        try:
            jsonschema.Draft7Validator.check_schema(schema)
        except jsonschema.SchemaError as exc:
            problems.append(f"deploy/{path}: {exc.message[:200]}")
            continue
        problems += [
            f"deploy/{path}: its example: {error.json_path}: {error.message[:200]}"
            for example in schema.get("examples", ())
            for error in jsonschema.Draft7Validator(schema).iter_errors(example)
        ]
    return judged(
        "schemas are JSON Schema draft 07, with their examples", problems, f"{len(paths)} schemas"
    )


def _node_modules(place: Place) -> Path:
    """Where the npm packages are. Raises NotHere."""
    if shutil.which("npm") is None:
        debian_programs({"node": "nodejs", "npm": "npm"})
    version = run_program(["node", "--version"]).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
        raise NotHere(f"Node.js {_OLDEST_NODE} or newer is needed, found {version}")
    names = "-".join(name.rpartition("@")[2] for name in _PACKAGES)
    folder = place.cache / f"asyncapi-{names}"
    modules = folder / "node_modules"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}')
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", "--loglevel=error")
        try:
            run_program(["npm", "install", *quiet, *_PACKAGES], cwd=folder, timeout_s=300)
        except Broken as exc:
            raise NotHere(f"npm packages cannot be installed: {exc}") from exc
        (folder / "complete").touch()
    return modules


def _by_parser(place: Place, modules: Path) -> Iterator[Result]:
    schemas = [place.deploy / path for path in _schema_paths(place)]
    parsed = _parsed(place, modules, place.deploy / ASYNCAPI_FILE, schemas)
    version = _PACKAGES[0].rpartition("@")[2]
    counts = ", ".join(f"{count} {what}" for what, count in (parsed["found"] or {}).items())
    yield judged(
        f"asyncapi.json by @asyncapi/parser {version}",
        parsed["problems"] or ([] if parsed["found"] else ["the parser gives no document"]),
        counts,
    )
    wrong = _document(place)
    wrong["operations"]["receive_orders"]["action"] = "read"
    broken = place.folder("asyncapi") / "asyncapi.json"
    broken.write_text(json.dumps(wrong))
    refused = _parsed(place, modules, broken, [])["problems"]
    yield (
        ok("the parser refuses a document that is wrong", refused[0][:80])
        if refused
        else failed("the parser refuses a document that is wrong", "it says nothing")
    )
    yield judged("schemas and their examples by Ajv", parsed["schemaProblems"], f"{len(schemas)}")
    packed = gzip.decompress((place.deploy / PACKED_SCHEMA).read_bytes())
    same = packed == (modules / _SHIPPED_SCHEMA).read_bytes()
    yield judged(
        "the kept AsyncAPI schema is the published one",
        [] if same else [f"deploy/{PACKED_SCHEMA}: differs from {_PACKAGES[1]}"],
        _PACKAGES[1],
    )


def _parsed(place: Place, modules: Path, document: Path, schemas: list[Path]) -> dict[str, Any]:
    script = place.deploy / "asyncapi" / "parse.mjs"
    done = run_program(["node", script, modules, document, *schemas])
    found: dict[str, Any] = json.loads(done.stdout)
    return found
