"""`layercraft plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layercraft.cli.choice import globs, recipes_of, refuse_beside_lock
from layercraft.cli.parameters import (
    Architecture,
    CacheDir,
    Constraint,
    Exclude,
    Html,
    IndexApiOption,
    IndexUrl,
    Json,
    KeepGpu,
    LayerName,
    LockFile,
    Names,
    Offline,
    Preset,
    Quiet,
    Require,
    Requirements,
    Runtime,
    RuntimePackages,
    Strip,
    Top,
    console_for,
    read_target,
    refuse_several,
    refuse_unknown,
    sources,
)

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.forecast import Forecast


def plan(  # noqa: PLR0913 (a command's options are its parameters)
    names: Names = None,
    *,
    require: Require = None,
    requirements: Requirements = None,
    constraint: Constraint = None,
    name: LayerName = None,
    runtime: Runtime = None,
    architecture: Architecture = None,
    exclude: Exclude = None,
    lock: LockFile = None,
    runtime_packages: RuntimePackages = None,
    keep_gpu: KeepGpu = False,
    preset: Preset = None,
    strip: Strip = None,
    top: Top = 10,
    html: Html = None,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell what `build` would make, its versions and sizes, without downloading the wheels."""
    from layercraft.cli.reports import save_treemap
    from layercraft.forecast import plan as plan_layer
    from layercraft.layer.presets import preset as known_preset
    from layercraft.recipe.options import RUNTIME_PACKAGES, BuildOptions

    console = console_for(as_json=as_json, quiet=quiet)
    refuse_beside_lock(
        lock,
        {"--require": require, "--requirements": requirements, "-c": constraint, "--exclude": exclude},
    )
    target = read_target(runtime, architecture, console, lock)
    if preset:
        known_preset(preset)
    recipes = recipes_of(names, require, requirements, constraint, name, lock)
    refuse_several("--html", html, len(recipes))
    refuse_unknown("--runtime-packages", runtime_packages, RUNTIME_PACKAGES)
    options = BuildOptions(
        lock=lock,
        exclude=globs(exclude),
        runtime_packages=runtime_packages,
        keep_gpu=keep_gpu,
        preset=preset,
        strip=strip,
    )
    documents = []
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        for recipe in recipes:
            forecast = plan_layer(recipe, target, options, sources=opened, reporter=console)
            _show(console, forecast, top)
            if html:
                title = f"{recipe.name} for {target}, planned"
                save_treemap(console, html, title, forecast.sizes, forecast.recorded(), forecast.changes)
            documents.append(_document(forecast, top))
    if as_json:
        console.document({"plans": documents})


def _show(console: Console, forecast: Forecast, top: int) -> None:
    from layercraft.cli.reports import show_changes, show_left_out, show_sizes
    from layercraft.console import columns
    from layercraft.layer.record import RecordedLeftOut
    from layercraft.layer.sizes import human_size, upload_notice

    console.out(f"{forecast.name} for {forecast.locked.lock.target}")
    console.out(console.styled("Wheels", "title"))
    for line in columns([(p.name, p.version, p.filename) for p in forecast.locked.pins], left=(0, 1, 2)):
        console.out(f"  {line}")
    show_left_out(console, map(RecordedLeftOut.of, forecast.locked.left_out))
    show_changes(console, forecast.recorded())
    if forecast.bounds:
        console.out(console.styled("Known by building only (unzipped, at most)", "title"))
    for line in columns(_bounds(forecast), left=(0, 1)):
        console.out(f"  {line}")
    show_sizes(console, forecast.sizes, top)
    notice = upload_notice(forecast.sizes.zipped)
    if notice:
        console.notice(notice)
    read = f"{human_size(forecast.fetched)} of the wheels' {human_size(forecast.packed)}"
    console.notice(f"read {read} from the index; nothing was written")


def _bounds(forecast: Forecast) -> list[tuple[str, str]]:
    """Give each step that is not applied, and in words what it can do."""
    from layercraft.layer.sizes import human_size

    rows = []
    for bound in forecast.bounds:
        saved = f"-{human_size(bound.at_most)}" if bound.at_most else ""
        grown = "may grow, by how much is not known" if bound.may_grow else ""
        rows.append((str(bound.reason), ", or ".join(filter(None, (saved, grown)))))
    return rows


def _document(forecast: Forecast, top: int) -> dict[str, Any]:
    """Give a plan as JSON values; sizes in bytes."""
    import msgspec

    from layercraft.cli.reports import sizes_document
    from layercraft.layer.record import RecordedLeftOut

    return {
        "name": forecast.name,
        "runtime": forecast.locked.lock.target.runtime.name,
        "architecture": forecast.locked.lock.target.architecture,
        "pins": [
            {"name": pin.name, "version": pin.version, "filename": pin.filename, "size": pin.size}
            for pin in forecast.locked.pins
        ],
        "left_out": [msgspec.to_builtins(RecordedLeftOut.of(left)) for left in forecast.locked.left_out],
        "changes": msgspec.to_builtins(forecast.recorded()),
        "bounds": [
            {
                "source": each.reason.source,
                "rule": each.reason.rule,
                "at_most": each.at_most,
                "may_grow": each.may_grow,
            }
            for each in forecast.bounds
        ],
        "sizes": sizes_document(forecast.sizes, top),
        "wheels": forecast.packed,
        "fetched": forecast.fetched,
    }
