"""Send one message with the official A2A SDK of version 0.3 and print the answer as JSON.

python send.py http://127.0.0.1:20128 "the text" [key]
"""

import asyncio
import json
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, TextPart


async def main() -> None:
    base_url, text, *key = sys.argv[1:]
    headers = {"authorization": f"Bearer {key[0]}"} if key else {}
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        card = await A2ACardResolver(http, base_url).get_agent_card()
        client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
        message = Message(
            role=Role.user, parts=[Part(root=TextPart(text=text))], message_id=uuid.uuid4().hex
        )
        answers = []
        async for event in client.send_message(message):
            task = event[0] if isinstance(event, tuple) else event
            answers.append(task.model_dump(mode="json", exclude_none=True))
    print(json.dumps({"protocol": card.protocol_version, "answers": answers}))


asyncio.run(main())
