"""The command line."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any

import click

from accord.cli.import_errors import describe_import_error

COMMANDS = {
    "check": ("contract:check", "Check settings, contract and migrations, and report errors."),
    "delete-orphan-files": ("files:delete_orphan_files", "Delete files that no row of the database refers to."),
    "migrate": ("database:migrate", "Migrate the database to the newest revision."),
    "openapi": ("contract:openapi", "Write the contract to FILE as one document."),
    "operations": ("contract:operations", "List the operations: id, method, path and scopes."),
    "seed": ("database:seed", "Add the demo data that is missing."),
    "serve": ("serve:serve", "Serve the contract over HTTP."),
    "settings": ("settings:settings", "Describe every setting."),
    "signing-keys": ("signing_keys:signing_keys", "Manage the keys that sign access tokens."),
}
"""Module and function of each command in this package, and the first sentence of its help."""


STARTUP_FAILURE = 3
"""The exit status of a worker that cannot start, after which uvicorn's supervisor does not start another one."""


class _LazyGroup(click.Group):
    """Imports a command when it is run, so that `--help` and `settings` import neither engine nor database."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # All that an import creates stays, so that the garbage collector would search it in vain.
        gc.disable()
        try:
            command: click.Command = resolve_name(f"{__name__}.{COMMANDS[cmd_name][0]}")
        finally:
            gc.freeze()
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run Accord, the service that the OpenAPI contract under openapi/ describes."""


def main() -> None:
    """Run the command line. Errors of settings, contract, modules and database are reported in a sentence."""
    with _exit_with_sentence(1):
        cli(standalone_mode=True)


def create_app() -> Any:
    """Return the application, for a process that uvicorn starts. Errors are reported as `main` does."""
    with _exit_with_sentence(STARTUP_FAILURE):
        from accord import app  # noqa: PLC0415  # The block reports errors of its import.

        return app.create_app()


@contextmanager
def _exit_with_sentence(status: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        sentence = describe_import_error(error)
        if sentence is None:
            from accord.cli.errors import describe_error  # noqa: PLC0415  # It imports many packages, which not every command needs.

            sentence = describe_error(error)
        if sentence is None:
            raise
        click.echo(f"Error: {sentence}", err=True)
        sys.exit(status)
