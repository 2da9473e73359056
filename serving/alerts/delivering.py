"""Brings events to webhooks, mailboxes and Telegram: tried again with longer and longer pauses, then kept as dead.

A delivery is claimed for a while before it is sent, so that none is sent by two at once; after a crash it is sent again
under the same id.
"""

import asyncio
import random
from email.message import EmailMessage

import httpx
import msgspec
import structlog

from infra.errors import UnavailableError
from infra.settings import Settings
from serving.accounts.database import Database, Row, change, rows
from serving.accounts.mail import Sender, letter
from serving.alerts import webhook
from serving.alerts.webhook import RefusedError

LOG = structlog.get_logger()
ROUND_SECONDS = 0.25
AT_ONCE = 20
CLAIM_SECONDS = 60
PAUSES_SECONDS = (5, 30, 120, 600, 3_600, 10_800, 21_600)
GONE = 410
CLAIM = """
UPDATE alert_deliveries d SET attempts = d.attempts + 1, next_at = now() + %s * interval '1 second'
FROM alert_events e, alerts a, destinations t, users u
WHERE (d.event_id, d.destination_id) IN (
    SELECT event_id, destination_id FROM alert_deliveries
    WHERE done_at IS NULL AND dead_at IS NULL AND next_at <= now()
    ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED)
AND e.id = d.event_id AND a.id = e.alert_id AND t.id = d.destination_id AND u.id = t.user_id
RETURNING d.event_id, d.destination_id, d.attempts, t.kind, t.address, t.secret, u.email, u.verified_at,
          e.opened_at, e.value, e.alert_id, a.symbol, a.timeframe, a.source, a.name, a.operator, a.threshold
"""
DONE = "UPDATE alert_deliveries SET done_at = now(), error = NULL WHERE event_id = %s AND destination_id = %s"
AGAIN = """
UPDATE alert_deliveries SET next_at = now() + %s * interval '1 second', error = %s
WHERE event_id = %s AND destination_id = %s
"""
DEAD = "UPDATE alert_deliveries SET dead_at = now(), error = %s WHERE event_id = %s AND destination_id = %s"


class Deliverer:
    """Claims due deliveries, AT_ONCE of them, and sends each."""

    def __init__(self, database: Database, sender: Sender, settings: Settings) -> None:
        """Open the HTTP client of webhooks and Telegram; `run` begins to send."""
        self._database, self._sender, self._settings = database, sender, settings
        self._client = httpx.AsyncClient(timeout=webhook.TIMEOUT_SECONDS, trust_env=False)

    async def run(self) -> None:
        """Send what is due, round after round, until cancelled."""
        try:
            while True:
                try:
                    busy = await self._round()
                except UnavailableError:
                    busy = False
                except Exception:  # the claim runs out, and it is tried again
                    LOG.exception("delivering failed")
                    busy = False
                if not busy:
                    await asyncio.sleep(ROUND_SECONDS)
        finally:
            await self._client.aclose()

    async def _round(self) -> bool:
        async with self._database.platform() as transaction:
            due = await rows(transaction, CLAIM, CLAIM_SECONDS, AT_ONCE)
        await asyncio.gather(*(self._deliver(delivery) for delivery in due))
        return bool(due)

    async def _deliver(self, delivery: Row) -> None:
        error, final = await self._try(delivery)
        key = (delivery["event_id"], delivery["destination_id"])
        async with self._database.platform() as transaction:
            if error is None:
                await change(transaction, DONE, *key)
            elif final or delivery["attempts"] > len(PAUSES_SECONDS):
                LOG.warning("a delivery is given up", delivery=str(key[0]), kind=delivery["kind"], reason=error)
                await change(transaction, DEAD, error, *key)
            else:
                pause = PAUSES_SECONDS[delivery["attempts"] - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
                await change(transaction, AGAIN, pause, error, *key)

    async def _try(self, delivery: Row) -> tuple[str | None, bool]:
        """Send once; return what went wrong, and whether it always will."""
        try:
            if delivery["kind"] == "email":
                if delivery["verified_at"] is None:
                    return "the address is not verified", False
                await asyncio.to_thread(self._sender.send, mail(delivery))
                return None, True
            if delivery["kind"] == "telegram":
                status = await self._telegram(delivery)
            else:
                private = self._settings.private_webhooks
                body = msgspec.json.encode(document(delivery)).decode()
                status = await webhook.post(
                    self._client,
                    delivery["address"],
                    delivery["secret"],
                    str(delivery["event_id"]),
                    body,
                    private=private,
                )
        except RefusedError as error:
            return str(error), True
        except (httpx.HTTPError, OSError) as error:
            return f"{type(error).__name__}", False
        return (None, True) if httpx.codes.is_success(status) else (f"status {status}", status == GONE)

    async def _telegram(self, delivery: Row) -> int:
        token = self._settings.telegram_token
        if token is None:
            raise RefusedError("this platform has no Telegram bot: CAP_TELEGRAM_TOKEN is not set")
        url = f"{self._settings.telegram_url}/bot{token.get_secret_value()}/sendMessage"
        answer = await self._client.post(url, json={"chat_id": delivery["address"], "text": sentence(delivery)})
        return answer.status_code


def document(event: Row) -> dict[str, object]:
    """Return the JSON of an event, the same for webhooks and on the WebSocket."""
    return {
        "type": "alert",
        "id": str(event["event_id"]),
        "alert": str(event["alert_id"]),
        "symbol": event["symbol"],
        "timeframe": event["timeframe"],
        "source": event["source"],
        "name": event["name"] or None,
        "operator": event["operator"],
        "threshold": event["threshold"],
        "opened_at": event["opened_at"],
        "value": event["value"],
    }


def sentence(event: Row) -> str:
    """Say an event to a person.

    >>> sentence({"symbol": "composite:BTC-USDT", "timeframe": "1m", "source": "indicator", "name": "rsi_14",
    ...           "operator": "crosses_above", "threshold": 70.0, "value": 70.5})
    'BTC-USDT 1m: rsi_14 crosses above 70 (70.5)'
    """
    symbol = event["symbol"].removeprefix("composite:")
    subject = event["name"] or event["source"]
    operator = event["operator"].replace("_", " ")
    return f"{symbol} {event['timeframe']}: {subject} {operator} {event['threshold']:g} ({event['value']:g})"


def mail(event: Row) -> EmailMessage:
    """Write the mail of an event; its id stays the same when it is sent again."""
    message = letter(event["email"], sentence(event), f"{sentence(event)}\n\nAlert {event['alert_id']}\n")
    message["Message-ID"] = f"<{event['event_id']}@alerts.localhost>"
    return message
