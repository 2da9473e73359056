"""How long the supervisor waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """All in seconds. The pause before a restart doubles up to a cap and is never given up."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    healthy_after: float = 60.0
    """A process that lived this long starts again after the first pause."""
    futile_starts: int = 4
    """A vital server that ends so often before it was ever ready makes the platform give up."""
    probe_pause: float = 0.1
    news: float = 10.0
    """How often a line says that a service is not ready yet, and why."""
    stop: float = 3.5
    """Given to each round of services to end in order, before SIGKILL; there are two rounds, and 10 s for all."""

    def pause(self, failures: int) -> float:
        """Return the pause after so many ends in a row.

        >>> [Patience().pause(n) for n in (1, 2, 3, 7, 2000)]
        [0.5, 1.0, 2.0, 30.0, 30.0]
        """
        return float(min(self.longest_pause, self.first_pause * 2 ** min(failures - 1, 30)))
