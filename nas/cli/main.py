"""The commands, and how errors become messages and exit codes.

Exit codes: 0 done; 1 failed; 2 bad usage; 130 interrupted, what is done is saved; 141 done, and nobody read what was
printed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import click

from nas.cli import comparing, correlating, fitting, generating, inspecting, looking, ranking, searching, taking
from nas.cli.streams import keep_going
from nas.searchspace.errors import BadInput, MissingExtra, NasError

FAILED, BAD_USAGE, INTERRUPTED, UNREAD = 1, 2, 130, 141


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="gnn-nas", prog_name="nas")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Neural architecture search for graph neural networks.

    Search a space of architectures on your data, look at what was found, take the winner away as plain PyTorch:

    \b
        nas search --data digits --trials 30 --name first
        nas show first
        nas export first --to model/
    """


for command in (
    *fitting.COMMANDS,
    *searching.COMMANDS,
    *comparing.COMMANDS,
    *ranking.COMMANDS,
    *correlating.COMMANDS,
    *generating.COMMANDS,
    *looking.COMMANDS,
    *inspecting.COMMANDS,
    *taking.COMMANDS,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit."""
    given_up = keep_going()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background jobs ignore Ctrl-C
        signal.signal(signal.SIGINT, _interrupt)
    code = run(sys.argv[1:])
    sys.exit(UNREAD if given_up() and code == 0 else code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become messages on stderr, and what is returned is the exit code.

    ``--debug`` may stand anywhere and lets errors through.
    """
    debug = "--debug" in arguments
    try:
        code = cli.main([a for a in arguments if a != "--debug"], prog_name="nas", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except NasError as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        return BAD_USAGE if isinstance(error, BadInput | MissingExtra) else FAILED
    except Exception as error:
        if debug:
            raise
        click.echo(f"Error: {type(error).__name__}: {error}", err=True)
        click.echo("This should not happen: with --debug the command shows where it did.", err=True)
        return FAILED


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Stop in good order: workers are ended, and what is done is printed. Whoever asks again has no time for that."""
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is _interrupt:
            signal.signal(each, _at_once)
    raise KeyboardInterrupt


def _at_once(_signal: int, _frame: FrameType | None) -> None:
    """End now, as ``kill -9`` would, with the workers: what is in the store is whole at any moment."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    from multiprocessing import active_children

    with suppress(Exception):  # what was interrupted may be at the very list of these
        for worker in active_children():
            worker.kill()
    shown = "\x1b[?25h\n" if os.isatty(2) else ""  # the cursor, which a progress bar hides
    with suppress(OSError):
        os.write(2, f"{shown}Stopped at once.\n".encode())
    os._exit(INTERRUPTED)
