"""How a command follows a job: its deadlines, and what becomes of the unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from receptor_runner.cli.parameters import option, seconds

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.follow_policy import FollowPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOptions:
    """How a job is followed."""

    keep: bool = option("--keep", is_flag=True, help="Keep the unit if the job does not succeed.")
    wait_timeout: float | None = seconds(
        "--wait-timeout", None, "Stop following after this long. The job goes on."
    )
    contact_timeout: float | None = seconds(
        "--contact-timeout", None, "Give up after this much silence from a worker that sends keepalives."
    )
    pending_timeout: float = seconds(
        "--pending-timeout", 600.0, "Withdraw the job if it has not started by then."
    )
    node_timeout: float = seconds(
        "--node-timeout",
        300.0,
        "How long a running job's target node may be out of the mesh before the job counts as lost.",
    )
    runner_timeout: float = seconds(
        "--runner-timeout",
        10.0,
        "How long a silent job may go without its command runner before it counts as lost.",
    )
    results_timeout: float = seconds(
        "--results-timeout", 300.0, "How long to wait for missing results of a job that has ended."
    )
    cancel_timeout: float = seconds(
        "--cancel-timeout", 15.0, "How long a canceled job may be silent before it counts as ended."
    )

    def policy(self) -> FollowPolicy:
        """Return the policy that the options describe."""
        from receptor_runner.receptor.jobs.follow_policy import FollowPolicy

        return FollowPolicy(
            wait_timeout_s=self.wait_timeout,
            contact_timeout_s=self.contact_timeout,
            pending_timeout_s=self.pending_timeout,
            node_timeout_s=self.node_timeout,
            runner_timeout_s=self.runner_timeout,
            results_timeout_s=self.results_timeout,
            cancel_timeout_s=self.cancel_timeout,
        )
