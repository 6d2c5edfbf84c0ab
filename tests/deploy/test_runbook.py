"""The runbook: links and commands hold. What it says of procedures: tests/process."""

from pathlib import Path

from deploy.monitoring import runbook


def test_links_lead_somewhere() -> None:
    """Links between sections have their anchors."""
    assert runbook.dead_links() == []


def test_every_command_exists() -> None:
    """Each ``triggers`` line is parsed by the command line itself."""
    found = list(runbook.commands())
    assert len(found) > 15
    assert {"triggers topics check", "triggers worker --clock records"} <= set(found)
    assert runbook.unknown_commands() == []


def test_wrong_links_and_commands_are_found(tmp_path: Path) -> None:
    """The checks are not blind."""
    path = tmp_path / "RUNBOOK.md"
    path.write_text(
        "# One place\n[a](#one-place) [b](#nowhere)\n"
        "```sh\nkubectl exec $POD -- triggers topics chek\ntriggers backtest --rulez r\n```\n"
        "`triggers explain c1` `triggers heal`\n"
    )
    assert runbook.dead_links(path) == ["#nowhere: no such section"]
    wrong = runbook.unknown_commands(path)
    assert [each.partition(":")[0] for each in wrong] == [
        "triggers topics chek",
        "triggers backtest --rulez r",
        "triggers heal --help",
    ]
