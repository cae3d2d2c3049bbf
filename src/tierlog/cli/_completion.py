"""
``tierlog completion``.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


__all__ = ["completion"]

_SHELLS = ("bash", "zsh", "fish")
_EPILOG = """\b
What to type, once:
  bash   tierlog completion bash > ~/.local/share/bash-completion/completions/tierlog
  zsh    tierlog completion zsh > ~/.zfunc/_tierlog     (~/.zfunc is in fpath)
  fish   tierlog completion fish > ~/.config/fish/completions/tierlog.fish
"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """
    Print what makes a shell complete commands, options and their values.
    """
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(context.find_root().command, {}, "tierlog", "_TIERLOG_COMPLETE").source())
