"""The Helm chart and the overlays: every combination rendered, validated and asserted, offline.

Validated at the oldest and the newest Kubernetes that Chart.yaml names, strictly, kinds of
operators included.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import yaml

from deploy.checks.support.assertions import ASSERTIONS
from deploy.checks.support.binaries import helm
from deploy.checks.support.cases import REFUSED, cases, everything, good_values
from deploy.checks.support.mutations import FAULTS, MALFORMED, unnoticed
from deploy.checks.support.place import Place
from deploy.checks.support.place import run as call
from deploy.checks.support.render import (
    NEWEST,
    OLDEST,
    OVERLAYS,
    Manifest,
    chart,
    overlay,
    template,
)
from deploy.checks.support.results import Broken, Result, judged, ok
from deploy.checks.support.schemas import operator_kinds, problems

#: name -> objects
Rendered = dict[str, list[Manifest]]

_PARALLEL: Final = 2


def run(place: Place) -> Iterator[Result]:
    """Lint, refusals, then all renderings against schemas and assertions, then the checks."""
    servers = "kafka.bootstrapServers=kafka:9092"
    call([helm(place), "lint", "--strict", "--set", servers, chart(place)])
    yield ok("helm lint --strict", call([helm(place), "version", "--short"]).stdout.strip())
    yield _versions(place)
    yield judged("bad values are refused", list(_taken(place)), f"{len(REFUSED)} of {len(REFUSED)}")
    rendered = _render(place)
    count = sum(len(manifests) for manifests in rendered.values())
    yield ok("combinations rendered", f"{len(rendered)} of the chart, {count} objects")
    overlays = {f"overlays/{name}": overlay(place, name) for name in OVERLAYS}
    count = sum(len(manifests) for manifests in overlays.values())
    yield ok("overlays rendered", f"{', '.join(OVERLAYS)}: {count} objects")
    rendered |= overlays
    for kubernetes in (OLDEST, NEWEST):
        yield _validated(rendered, kubernetes)
    for words, assertion in ASSERTIONS.items():
        wrong = [
            f"{name}: {problem}"
            for name, manifests in rendered.items()
            for problem in assertion(manifests)
        ]
        yield judged(words, wrong, f"{len(rendered)} renderings")
    yield judged(
        "faults put in are noticed",
        unnoticed(template(place, everything())),
        f"{len(FAULTS)} by assertions, {len(MALFORMED)} by schemas",
    )


def _versions(place: Place) -> Result:
    """The chart says the oldest that is checked here, and installs this project's release."""
    found = yaml.safe_load((chart(place) / "Chart.yaml").read_text())
    release = tomllib.loads((place.root / "pyproject.toml").read_text())["project"]["version"]
    expected = {
        "kubeVersion": f">={OLDEST}-0",
        "appVersion": release,
    }
    wrong = [
        f"Chart.yaml: {name}: {found[name]}, expected {value}"
        for name, value in expected.items()
        if found[name] != value
    ]
    return judged("versions", wrong, f"of the engine {release}, Kubernetes {OLDEST} to {NEWEST}")


def _taken(place: Place) -> Iterable[str]:
    """Bad values that the chart renders, or refuses in other words than expected."""
    for name, (change, words) in REFUSED.items():
        try:
            template(place, good_values(change))
        except Broken as exc:
            if words not in str(exc):
                yield f"{name}: expected {words!r} in: {exc}"
        else:
            yield f"{name}: rendered"


def _render(place: Place) -> Rendered:
    """All cases. Raises Broken, naming the first that does not render."""

    def one(case: tuple[str, dict[str, object]]) -> tuple[str, list[Manifest]]:
        name, values = case
        try:
            return name, template(place, values)
        except Broken as exc:
            raise Broken(f"{name}: {exc}") from exc

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return dict(pool.map(one, cases()))


def _validated(rendered: Rendered, kubernetes: str) -> Result:
    """Objects that are alike are looked at once."""
    kinds = {f"{each['apiVersion']} {each['kind']}" for all_ in rendered.values() for each in all_}
    wrong = []
    seen: set[str] = set()
    for name, manifests in rendered.items():
        for manifest in manifests:
            text = json.dumps(manifest, sort_keys=True)
            if text not in seen:
                seen.add(text)
                wrong += [f"{name}: {problem}" for problem in problems(manifest, kubernetes)]
    unused = set(operator_kinds()) - kinds
    wrong += [f"{kind}: has a schema, and is never rendered" for kind in sorted(unused)]
    detail = f"{len(seen)} different objects of {len(kinds)} kinds"
    return judged(f"schemas, strict, Kubernetes {kubernetes}", wrong, detail)
