"""`fencewatch explain`: why there was an alert about a subject, or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from pipeline.options import Columns, Form, columns_option, format_option, registry_at_option, time_option

if TYPE_CHECKING:
    from fences.fence_set import FenceSet
    from pipeline.explain.story import Explanation

EPILOG = (
    "Examples: fencewatch explain day.jsonl --registry registry --subject p-0017 --at 2026-03-02T02:14:00+08:00; "
    "fencewatch explain --config /etc/fencewatch/fencewatch.toml --subject p-0017"
)
Later = list[tuple[int, "FenceSet"]]


def explain(
    files: Annotated[
        list[str] | None, typer.Argument(help="Files or folders, as for replay; - is standard input.", metavar="[FILES...]")
    ] = None,
    *,
    subject: Annotated[str, typer.Option(help="Who is asked about.", metavar="S")],
    at: Annotated[
        str | None, typer.Option(help="The instant; of a running daemon, now where it is not given.", metavar="TIME")
    ] = None,
    registry: Annotated[
        Path | None, typer.Option(help="The registry; with --config instead of the one that it names.", metavar="DIR")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Of the daemon that is asked about, instead of FILES.", metavar="FILE")
    ] = None,
    registry_at: Annotated[
        list[str] | None, typer.Option(help="The registry becomes DIR at TIME; may be repeated.", metavar="TIME=DIR")
    ] = None,
    form: Form = "auto",
    columns: Columns = "",
    track_of: Annotated[
        str | None, typer.Option(help="Whose track a GPX or PLT file is (replay's --subject).", metavar="ID")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Leave out records before this time.", metavar="TIME")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Leave out records at or after this time.", metavar="TIME")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All facts as one JSON object.")] = False,
) -> None:
    """Say why there was an alert about a subject at an instant, or none: his rules then, verdict and state of every slot.

    Recorded files are judged again. With --config a running daemon says what it knows now; with --at too, the records that its
    streams still hold are judged again. Nothing is written anywhere.
    """
    # Imported here: numba takes a second, and --help need not wait for it.
    from pipeline.explain.page import as_json as json_of
    from pipeline.explain.page import page
    from pipeline.logs import configure_logs

    configure_logs()
    at_ms = time_option(at, "--at")
    later = [registry_at_option(text) for text in registry_at or []]
    if config is not None:
        if files or form != "auto" or columns or track_of or start or end:
            raise typer.BadParameter("write FILES with --registry, or --config; how files are read means nothing for a daemon")
        told = _of_daemon(config, registry, later, subject, at_ms)
    elif not files or registry is None or at_ms is None:
        raise typer.BadParameter("write FILES, --registry DIR and --at TIME; or --config FILE")
    else:
        from_ms, to_ms = time_option(start, "--from"), time_option(end, "--to")
        told = _of_files(
            files, (format_option(form), columns_option(columns), track_of), (registry, later), subject, (at_ms, from_ms, to_ms)
        )
    if as_json:
        typer.echo(orjson.dumps(json_of(told), option=orjson.OPT_INDENT_2).decode())
        return
    for line in page(told):
        typer.echo(line)


def _of_files(
    files: list[str],
    reading: tuple[str, dict[str, str], str | None],
    rules: tuple[Path, list[tuple[int, Path]]],
    subject: str,
    times_ms: tuple[int, int | None, int | None],
) -> Explanation:
    from pipeline.explain.from_files import explain_files
    from pipeline.sources.files import FileOptions
    from pipeline.sources.formats import files_below

    below = files_below(files, reading[0])
    fence_set, later = _fence_sets(*rules)
    at_ms, from_ms, to_ms = times_ms
    return explain_files(below, FileOptions(*reading), fence_set, later, subject, at_ms, from_ms, to_ms)


def _of_daemon(config: Path, registry: Path | None, later: list[tuple[int, Path]], subject: str, at_ms: int | None) -> Explanation:
    from fences.problems import WrongRegistryError
    from pipeline.configuration import load_configuration
    from pipeline.explain.from_daemon import ask_daemon
    from pipeline.explain.from_streams import explain_streams
    from pipeline.registry_loading import tell_and_exit

    try:
        configuration = load_configuration(config)
    except WrongRegistryError as error:
        tell_and_exit(error)
    if at_ms is None:
        if registry is not None or later:
            raise typer.BadParameter("the daemon knows its registry; --registry and --registry-at go with --at")
        return ask_daemon(configuration, subject)
    if configuration.clock is not None:
        raise typer.BadParameter("a demo's clock is known to its daemon alone; leave --at out to ask it", param_hint="--at")
    return explain_streams(configuration, *_fence_sets(registry or configuration.registry, later), subject, at_ms)


def _fence_sets(registry: Path, later: list[tuple[int, Path]]) -> tuple[FenceSet, Later]:
    from pipeline.registry_loading import load_fence_set

    # At night the answer comes first: what is odd about the registry was said by check, and at the daemon's start.
    return load_fence_set(registry, warn=False), [(time_ms, load_fence_set(directory, warn=False)) for time_ms, directory in later]
