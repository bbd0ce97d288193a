"""`omniroute serve` and `omniroute simulator`: the commands that go on until they are stopped."""

from argparse import Namespace

from ..settings import Settings, Sources


def serve(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Serve the gateway."""
    from ..store.apart import migrating

    with migrating(settings.store_url, settings.data_dir):
        # Importing the rest takes as long as a first migration.
        from ..serve import run

    return run(settings, sources)


def simulate(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Serve simulated providers."""
    from ..simulator.main import run

    return int(run(arguments.host, arguments.port))
