"""The simulated provider as the catalogue knows it: its models, their prices, its account.

Its answers come from the simulator, in process. The prices are made up but not free, so that
costs, budgets and the cheapest-first strategy have something to show without any key.
"""

from ..model import Account, Capability, ModelFacts, Price

SIMULATED_PROVIDER = "sim"
DIRECTIVES_MARK = "@"
"""What follows it in a simulated model's name says how to answer (`fast@latency=0`)."""


def _facts(
    price: Price,
    *,
    context_tokens_max: int,
    output_tokens_max: int | None = None,
    capability: Capability = "chat",
) -> ModelFacts:
    return ModelFacts(
        context_tokens_max=context_tokens_max,
        output_tokens_max=output_tokens_max,
        price=price,
        capabilities=(capability,),
        tools=capability == "chat",
        images=False,
        price_source="simulator",
    )


def _of_units(capability: Capability, unit_usd_nanos: int) -> ModelFacts:
    return ModelFacts(
        price=Price(0, 0, unit=unit_usd_nanos),
        capabilities=(capability,),
        tools=False,
        images=False,
        price_source="simulator",
    )


SIMULATED_MODELS: dict[str, ModelFacts] = {
    "fast": _facts(
        Price(100_000_000, 400_000_000), context_tokens_max=128_000, output_tokens_max=16_384
    ),
    "smart": _facts(
        Price(3_000_000_000, 15_000_000_000, cached_input=300_000_000),
        context_tokens_max=200_000,
        output_tokens_max=64_000,
    ),
    "cheap": _facts(
        Price(50_000_000, 200_000_000), context_tokens_max=32_000, output_tokens_max=8_192
    ),
    "embed": _facts(Price(20_000_000, 0), context_tokens_max=8_192, capability="embedding"),
    "moderation": _of_units("moderation", 0),
    "rerank": _of_units("rerank", 2_000_000),
    "image": _of_units("image", 40_000_000),
    "speech": _of_units("speech", 15_000),
    "transcription": _of_units("transcription", 100_000),
    "video": _of_units("video", 500_000_000),
    "music": _of_units("music", 100_000_000),
}

SIMULATED_ACCOUNT = Account(
    account_id="simulator",
    provider=SIMULATED_PROVIDER,
    dialect="openai_chat",
    # Answered in process: there is no address to call.
    base_url="",
    models=tuple(SIMULATED_MODELS),
    simulated=True,
    source="builtin",
    name="simulator",
)
"""The account that a gateway holds from its first start on."""


def simulated_facts(model: str) -> ModelFacts:
    """Give the facts of a simulated model, whatever directives its name carries."""
    return SIMULATED_MODELS.get(plain_model(model), ModelFacts())


def plain_model(model: str) -> str:
    """Give a simulated model's name without its directives."""
    return model.partition(DIRECTIVES_MARK)[0]
