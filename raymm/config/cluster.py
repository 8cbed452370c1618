"""How Ray is used: the section `cluster` of the settings."""

from pydantic import Field, field_validator

from raymm.config.base import Settings

__all__ = ["ClusterConfig", "check_mirror"]


class ClusterConfig(Settings):
    """How Ray is used; of this, `--backend local` reads only `mirror`."""

    workers: int = Field(default=2, ge=1, description="train workers, which share each batch")
    cpus_per_worker: float = Field(default=1.0, gt=0, description="CPU cores of each")
    gpus_per_worker: float = Field(default=0.0, ge=0, description="GPUs of each; 0 trains on CPUs")
    actors: int = Field(default=2, ge=0, description="valuation actors; 0: the first train worker values by itself")
    cpus_per_actor: float = Field(
        default=0.0,
        ge=0,
        description="0: the actors work while the train workers wait, so they need no CPUs of their own",
    )
    gpus_per_actor: float = Field(default=0.0, ge=0, description="GPUs of each valuation actor; may be a part of one")
    max_failures: int = Field(default=3, ge=0, description="times the worker group is started again")
    start_timeout: float = Field(default=120.0, gt=0, description="seconds to wait for the resources")
    mirror: str | None = Field(default=None, description="s3://bucket/prefix: committed epochs are copied there")

    @field_validator("mirror")
    @classmethod
    def _mirror_is_a_place(cls, mirror: str | None) -> str | None:
        if mirror is not None:
            check_mirror(mirror)
        return mirror


def check_mirror(uri: str) -> None:
    """Refuse what is no place of a mirror, or holds credentials.

    Raises
    ------
    ValueError
        Saying what to give instead, without the credentials.
    """
    scheme, separator, rest = uri.partition("://")
    if not uri.startswith("/") and not (scheme and separator and rest):
        raise ValueError(f"'{uri}' is no place; give s3://bucket/prefix, gs://bucket/prefix or an absolute path")
    if "@" in rest:
        raise ValueError("holds credentials, which would be written into every run; give them by the environment")
