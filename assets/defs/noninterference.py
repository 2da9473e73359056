"""Group `quality`: the certificates of non-interference, of everything that is offered to users."""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from assets.certificates.certificate import Certificate

CHECK = "nothing_reads_the_future"


@dg.asset(
    key=["quality", "noninterference"],
    group_name="quality",
    kinds={"numba", "polars"},
    owners=["team:quality"],
    check_specs=[dg.AssetCheckSpec(CHECK, asset=["quality", "noninterference"], blocking=True)],
    description="All that is offered is given other futures; what it said before must stay bit-equal.",
)
def certificates(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads [None] as two outputs
    """Certify all and put the certificates on record."""
    from assets.certificates.certificate import certify, record
    from assets.certificates.members import members

    made: list[Certificate] = []
    for one in members():
        made.append(certify(one))
        record(made[-1])
        context.log.info("%s %s: %s", one.kind, one.name, "causal" if made[-1].passed else "leaks")
    leaking = [one for one in made if not one.passed]
    counts = {
        "certified": len(made) - len(leaking),
        "leaking": len(leaking),
        "futures tried": sum(one.verdict.futures for one in made),
    }
    rows = "\n".join(map(_row, made))
    told = dg.MetadataValue.md(f"| what | | cuts | futures | seconds | code | first leak |\n|{'---|' * 7}\n{rows}")
    check = dg.AssetCheckResult(passed=bool(made) and not leaking, check_name=CHECK, metadata=counts)
    return dg.MaterializeResult(metadata={**counts, "certificates": told}, check_results=[check])


def _row(one: "Certificate") -> str:
    verdict = one.verdict
    leak = str(verdict.leaks[0]) if verdict.leaks else ""
    cells = (f"{one.kind} {one.name}", "causal" if one.passed else "**leaks**", len(verdict.cuts), verdict.futures,
             f"{one.seconds:.3f}", one.code_hash, leak)  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


nightly = dg.ScheduleDefinition(
    name="certify_everything",
    target=dg.AssetSelection.assets(["quality", "noninterference"]),
    cron_schedule="20 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
defs = dg.Definitions(assets=[certificates], schedules=[nightly])
