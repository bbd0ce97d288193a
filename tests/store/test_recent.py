"""Ids that were seen lately: bounded, and none of the last ones is forgotten."""

from omniroute.server.store.recent import IDS_MAX, Recent


def test_the_last_ids_are_known_and_old_ones_are_forgotten() -> None:
    recent = Recent()
    for number in range(IDS_MAX * 3):
        recent.add(str(number))

    known = [number for number in range(IDS_MAX * 3) if str(number) in recent]

    assert set(range(IDS_MAX * 2, IDS_MAX * 3)) <= set(known)
    assert len(known) <= IDS_MAX * 2
