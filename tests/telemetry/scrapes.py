"""Figures as a Prometheus server reads them: by its own parser."""

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]


def read(page: str) -> dict[str, dict[Labels, float]]:
    """Give the samples of a page: by name, then by their labels in order.

    Fails where a metric has no type or stands twice.
    """
    families = list(text_string_to_metric_families(page))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert [family.name for family in families if family.type == "unknown"] == []
    found: dict[str, dict[Labels, float]] = {}
    for family in families:
        for sample in family.samples:
            values = found.setdefault(sample.name, {})
            key = tuple(sorted(sample.labels.items()))
            assert key not in values
            values[key] = sample.value
    return found


def total(page: str, name: str, **labels: str) -> float:
    """Give the sum of a metric's samples that have these labels."""
    return sum(
        value
        for key, value in read(page).get(name, {}).items()
        if labels.items() <= dict(key).items()
    )
