"""The configuration of a daemon (section 7 of the contract): read, checked whole, every problem told with its path."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fences.problems import Problem, WrongRegistryError
from fences.times import fault_of, to_ms
from sinks.redis_names import DEFAULT_PREFIX


def _name(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("is no name; write 1 to 64 printable characters")
    return text


def _instant(value: object) -> int:
    text = value if isinstance(value, str) else ""
    ms, fault = to_ms(text), fault_of(text)
    if ms is None or fault is not None:
        raise ValueError(f'{fault}; write RFC 3339 with an offset, such as "2026-03-02T06:00:00+08:00"')
    return ms


def _redis_url(text: str) -> str:
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError('is no Redis URL; write "redis://127.0.0.1:6379/0", or rediss:// or unix://')
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 1 << 16):
        raise ValueError('is no address; write host and port, such as "127.0.0.1:9464"')
    return text


Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_name)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RedisSection(_Section):
    """`[redis]`: the server; without `url` an embedded one with its data in the state folder."""

    url: RedisUrl | None = None
    password_file: Path | None = None
    prefix: Annotated[str, Field(min_length=1)] = DEFAULT_PREFIX
    keep_days: Annotated[float, Field(gt=0)] = 30


class SourceSection(_Section):
    """`[[sources]]`: where records come from."""

    name: Name
    kind: Literal["redis"]
    streams: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    url: RedisUrl | None = None


class HttpSection(_Section):
    """`[http]`: metrics and health."""

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9464"

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The address in two parts."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class ClockSection(_Section):
    """`[clock]`: the demo's scaled clock. `start_ms`: its first instant, UTC milliseconds."""

    demo: bool = False
    start_ms: Annotated[int, Field(alias="start"), BeforeValidator(_instant)]
    speed: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _only_in_a_demo(self) -> ClockSection:
        if not self.demo:
            raise ValueError("another clock than the wall's would move every deadline; write demo = true, or take [clock] out")
        return self


class Configuration(_Section):
    """A daemon's configuration. Paths are as written, relative ones to the folder of the file."""

    deployment: Name
    state_dir: Path
    registry: Path
    registry_max_drop_pct: Annotated[float, Field(ge=0, le=100)] = 5
    redis: RedisSection = RedisSection()
    sources: Annotated[list[SourceSection], Field(min_length=1)]
    http: HttpSection = HttpSection()
    clock: ClockSection | None = None

    @model_validator(mode="after")
    def _names_once(self) -> Configuration:
        seen: set[tuple[str | None, str]] = set()
        names: set[str] = set()
        for source in self.sources:
            if source.name in names:
                raise ValueError(f"the source {source.name!r} is named twice; give each a name of its own")
            names.add(source.name)
            for stream in source.streams:
                if (source.url, stream) in seen:
                    raise ValueError(f"the stream {stream!r} is read twice; name it once")
                seen.add((source.url, stream))
        return self


def load_configuration(path: Path) -> Configuration:
    """The configuration of a file. Raises WrongRegistryError with every problem."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, "", f"cannot be read: {error.strerror}", "name the configuration with --config FILE") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, "", f"is no TOML: {error}", "mend the line named") from error
    try:
        configuration = Configuration.model_validate(data)
    except ValidationError as error:
        raise WrongRegistryError([_problem(path, found) for found in error.errors()]) from error
    below = path.resolve().parent
    moved = {"state_dir": below / configuration.state_dir, "registry": below / configuration.registry}
    if configuration.redis.password_file is not None:
        moved_file = below / configuration.redis.password_file
        if not moved_file.is_file():
            raise _wrong(path, "redis.password_file", f"{moved_file} is no file", "write the file with the password alone in it")
        return configuration.model_copy(
            update={**moved, "redis": configuration.redis.model_copy(update={"password_file": moved_file})}
        )
    return configuration.model_copy(update=moved)


def _wrong(path: Path, place: str, what: str, write: str) -> WrongRegistryError:
    return WrongRegistryError([Problem(str(path), None, place, what, write)])


def _problem(path: Path, found: Any) -> Problem:  # noqa: ANN401 - pydantic's error record
    place = ".".join(str(part) if isinstance(part, str) else f"[{part}]" for part in found["loc"]).replace(".[", "[")
    if found["type"] == "extra_forbidden":
        near = get_close_matches(str(found["loc"][-1]), _known_keys(), n=1)
        return Problem(str(path), None, place, "this key is not known", f"write {near[0]}" if near else "take it out")
    if found["type"] == "missing":
        return Problem(str(path), None, place, "this key is missing", "write it")
    text = found["msg"].removeprefix("Value error, ")
    what, _, write = text.partition("; ")
    return Problem(str(path), None, place, what[0].lower() + what[1:], write)


def _known_keys() -> list[str]:
    sections = (Configuration, RedisSection, SourceSection, HttpSection, ClockSection)
    return [field.alias or key for section in sections for key, field in section.model_fields.items()]
