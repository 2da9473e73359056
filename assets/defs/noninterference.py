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

    judged: list[Certificate] = []
    for member in members():
        certificate = certify(member)
        record(certificate)
        judged.append(certificate)
        context.log.info("%s %s: %s", member.kind, member.name, "causal" if certificate.passed else "leaks")
    leaking = [certificate for certificate in judged if not certificate.passed]
    counts = {
        "certified": len(judged) - len(leaking),
        "leaking": len(leaking),
        "futures tried": sum(certificate.verdict.futures for certificate in judged),
    }
    rows = "\n".join(map(_row, judged))
    table = dg.MetadataValue.md(f"| what | | cuts | futures | seconds | code | first leak |\n|{'---|' * 7}\n{rows}")
    check = dg.AssetCheckResult(passed=bool(judged) and not leaking, check_name=CHECK, metadata=counts)
    return dg.MaterializeResult(metadata={**counts, "certificates": table}, check_results=[check])


def _row(certificate: "Certificate") -> str:
    verdict = certificate.verdict
    leak = str(verdict.leaks[0]) if verdict.leaks else ""
    cells = (
        f"{certificate.kind} {certificate.name}",
        "causal" if certificate.passed else "**leaks**",
        len(verdict.cuts),
        verdict.futures,
        f"{certificate.seconds:.3f}",
        certificate.code_hash,
        leak,
    )
    return f"| {' | '.join(map(str, cells))} |"


nightly = dg.ScheduleDefinition(
    name="certify_everything",
    target=dg.AssetSelection.assets(["quality", "noninterference"]),
    cron_schedule="20 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
defs = dg.Definitions(assets=[certificates], schedules=[nightly])
