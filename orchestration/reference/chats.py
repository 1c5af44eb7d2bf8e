"""Report 2, chats: conversations on live chat or Facebook Messenger."""

from orchestration.reference.crm import OWNER_COLUMNS, Crm, Owner, Row, group_rows

GRAIN = ("created_date", "channel", *OWNER_COLUMNS)
MEASURES = ("chat_count", "open_count", "closed_count")
CHANNELS = {"LIVE_CHAT": "live_chat", "FB_MESSENGER": "facebook_messenger"}


def rpt_chats(crm: Crm) -> list[Row]:
    """One row per local day of the creation, original channel and present assignee."""
    if not (crm.is_available("conversation_threads") and crm.is_available("conversation_channels")):
        return []  # K11
    return group_rows(
        [_chat(crm, thread) for thread in chat_threads(crm) if thread["created_at"] is not None],
        GRAIN,
        MEASURES,
    )


def chat_threads(crm: Crm) -> list[Row]:
    """The threads that are chats: original channel of a chat kind, not spam, not archived (2a)."""
    return [
        thread
        for thread in crm.population("conversation_threads")
        if channel_kind(crm, thread) in CHANNELS and not thread["spam"]
    ]


def channel_kind(crm: Crm, thread: Row) -> str | None:
    for channel in crm.rows("conversation_channels"):
        if channel["id"] == thread["original_channel_id"]:
            return channel["kind"]
    return None


def _chat(crm: Crm, thread: Row) -> Row:
    is_closed = thread["status"] == "CLOSED"  # NULL is OPEN (2a)
    return {
        "created_date": crm.day(thread["created_at"]),
        "channel": CHANNELS[channel_kind(crm, thread)],
        **assignee(crm, thread["assigned_to"]).columns,
        "chat_count": 1,
        "open_count": int(not is_closed),
        "closed_count": int(is_closed),
    }


def assignee(crm: Crm, actor: str | None) -> Owner:
    """Agents are `A-<user id>`; a bot, the system and nobody are (Unassigned) (2a)."""
    user_id = (actor or "").removeprefix("A-")
    is_agent = (actor or "").startswith("A-") and user_id
    return crm.owner_of_user(user_id if is_agent else None)
