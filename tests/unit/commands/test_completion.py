"""Completion as a shell gives it."""

import subprocess

import pytest

from app.cli import main

_ASK = """
eval "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
"$(complete -p triggers | sed -E 's/.*-F ([^ ]+).*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(bash_script: str, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    done = subprocess.run(
        ["bash", "-c", _ASK, "bash", bash_script, "triggers", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return set(done.stdout.split())


def test_bash_completes_commands_options_choices_and_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of each command its own."""
    bash = script("bash", capsys)
    assert completed(bash, "va") == {"validate"}
    assert completed(bash, "st") == {"studio"}
    assert "--show-personal" in completed(bash, "studio", "--s")
    assert completed(bash, "explain", "--format", "h") == {"html"}
    assert "pyproject.toml" in completed(bash, "validate", "pyproj")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_with_every_command(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether they are on this machine or not."""
    text = script(shell, capsys)
    assert all(name in text for name in ("studio", "backtest", "show-personal"))


def test_another_shell_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """With the ones that are known."""
    assert main(["completion", "fish"]) == 2
    assert "tcsh" in capsys.readouterr().err
