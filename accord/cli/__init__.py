"""The command line."""

import sys
from pkgutil import resolve_name

import click

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


class _LazyGroup(click.Group):
    """Imports a command when it is run, so that `--help` and `settings` import neither engine nor database."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = resolve_name(f"{__name__}.{COMMANDS[cmd_name][0]}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run Accord, the service that the OpenAPI contract under openapi/ describes."""


def main() -> None:
    """Run the command line. Errors of settings, contract and database are reported without a traceback."""
    try:
        cli(standalone_mode=True)
    except Exception as error:
        from accord.cli.errors import EXPECTED_ERRORS  # noqa: PLC0415  # It imports many packages, which not every command needs.

        if not isinstance(error, EXPECTED_ERRORS):
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
