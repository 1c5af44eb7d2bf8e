"""Who looks, and which rows they may see.

Belongs here: the login by a reverse proxy's header, the file that says whose rows a user sees
(SALES_REPORTS_VIEWER_ACCESS_FILE), and what a restricted reader finds in each table. `database.py` puts
views made of it before the tables, so nothing that a page asks for gets around it.

A row belongs to its owner of today, a team's rows are those of its members of today and of all teams
below it. The file:

    rest = "everything"               # those who are not named here; or "nothing"

    [users]
    "ada@example.com" = { owners = ["Ada Lovelace"] }          # own rows, by owner id or name
    "max@example.com" = { teams = ["EMEA"] }                   # the team's and those of its sub-teams
    "eve@example.com" = { teams = ["120"], owners = ["4711"] } # both
    "cfo@example.com" = { everything = true }

A user who is named with an owner or team that the build does not know sees nothing: a slip in the file
must not open what it was to close.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.viewer.sql import conditions, literal, name

if TYPE_CHECKING:
    from orchestration.viewer.database import Build

REST = ("everything", "nothing")
_KEYS = {"owners", "teams", "everything"}
# Tables without rows of anybody: calendars, settings, what the account has configured. Whatever is
# neither here nor has an owner, deal or contact is empty for restricted readers.
OPEN_TABLES = {
    "core.build_info",
    "core.dim_business_days",
    "core.dim_call_outcomes",
    "core.dim_data_quality_issues",
    "core.dim_dates",
    "core.dim_deal_funnel_steps",
    "core.dim_lifecycle_stages",
    "core.dim_periods",
    "core.dim_pipelines",
    "core.dim_reports",
    "core.dim_snapshot_dates",
    "core.dim_stages",
    "core.fct_checks",
    "core.fct_missing_inputs",
    "reports.rpt_data_quality",
}
# Texts in open tables that are about single records.
_HIDDEN_COLUMNS = {"reports.rpt_data_quality": {"sample_ids"}, "core.build_info": {"settings"}}


class AccessDenied(RuntimeError):
    """This user sees nothing; the message says why, for the page."""


class AccessFileError(ValueError):
    """The access file cannot be used; the message names every problem."""


@dataclass(frozen=True)
class Scope:
    """Whose rows a reader sees, by id; `everything` for all of them."""

    owners: frozenset[str] = frozenset()
    """All owners whose rows are seen, those of the teams among them."""
    teams: frozenset[str] = frozenset()
    """Teams all of whose rows are seen: their goals, which belong to no single owner, too."""
    everything: bool = False


EVERYTHING = Scope(everything=True)


@dataclass(frozen=True)
class Entry:
    """A user's line in the access file: owners and teams by id or name."""

    owners: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True)
class AccessFile:
    """Who is restricted to what."""

    users: Mapping[str, Entry]
    rest: str = "everything"

    @classmethod
    def read(cls, path: Path) -> AccessFile:
        """Raises AccessFileError, so that a file with a slip restricts nobody to too much."""
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise AccessFileError(f"{path} cannot be read: {error}") from error
        problems = [
            f"“{key}” is not known; there are rest and users" for key in content.keys() - {"rest", "users"}
        ]
        rest = content.get("rest", "everything")
        if rest not in REST:
            problems.append(f"rest must be one of: {', '.join(REST)}")
        users: dict[str, Entry] = {}
        listed = content.get("users", {})
        for user, entry in listed.items() if isinstance(listed, dict) else [("users", listed)]:
            if words := _wrong_entry(entry):
                problems.append(f"{user}: {words}")
            elif _key(user) in users:
                problems.append(f"{user} is there twice")
            else:
                users[_key(user)] = Entry(
                    tuple(entry.get("owners", ())), tuple(entry.get("teams", ())), "everything" in entry
                )
        if problems:
            raise AccessFileError(f"{path}: " + "; ".join(problems))
        return cls(users, rest)

    def scope(self, user: str, build: Build) -> Scope:
        """What the user sees of a build. Raises AccessDenied if that is nothing, or not known.

        `build` must show everything: names are looked up in it.
        """
        entry = self.users.get(_key(user))
        if entry is None:
            if self.rest == "everything":
                return EVERYTHING
            raise AccessDenied(f"{user} is not in the list of those who may read these reports.")
        if entry.everything:
            return EVERYTHING
        owners = _ids(build, "core.dim_owners", "owner_id", "owner_name", entry.owners, user)
        teams = _ids(build, "core.dim_teams", "team_id", "team_name", entry.teams, user)
        below = build.records(
            "select distinct team_id from core.bridge_team_ancestors "
            f"where ancestor_team_id in (select unnest({literal(sorted(teams))}::varchar[]))"
        )
        teams = frozenset(row["team_id"] for row in below)
        members = build.records(
            "select owner_id from core.dim_owners "
            f"where team_id in (select unnest({literal(sorted(teams))}::varchar[]))"
        )
        return Scope(owners | frozenset(row["owner_id"] for row in members), teams)


def _wrong_entry(entry: object) -> str | None:
    """What is wrong with a user's entry, in words."""
    if not isinstance(entry, dict) or not entry or entry.keys() - _KEYS:
        return 'write { owners = ["…"] }, { teams = ["…"] } or { everything = true }'
    if "everything" in entry:
        return None if entry == {"everything": True} else "everything = true stands alone"
    for key, names in entry.items():
        if not isinstance(names, list) or not names or not all(isinstance(x, str) and x for x in names):
            return f'{key} must be a list of ids or names, such as ["…"]'
    return None


def _key(user: str) -> str:
    """Mail addresses are the same in any case."""
    return user.strip().casefold()


def _ids(
    build: Build, relation: str, id_column: str, label: str, names: Sequence[str], user: str
) -> frozenset[str]:
    """The ids that names mean: an id means itself, a name the one that bears it (as in the functions)."""
    known = build.records(f"select {id_column} as id, {label} as label from {relation}")
    ids = {row["id"] for row in known}
    found = set()
    for wanted in names:
        bearing = {wanted} & ids or {row["id"] for row in known if row["label"] == wanted}
        bearing -= {"none"}  # rows of nobody are for those who see everything
        if len(bearing) != 1:
            kind = "unknown" if not bearing else "not only one"
            raise AccessDenied(
                f"The access file gives {user} “{wanted}”, which is {kind} in this build ({relation}). "
                "Whoever keeps the file can mend it with an id."
            )
        found |= bearing
    return frozenset(found)


# --- what a restricted reader finds ----------------------------------------------------------------


def view_sql(catalog: str, schema: str, table: str, columns: Sequence[str], scope: Scope) -> str:
    """The select over a published table that has the scope's rows only.

    What cannot be told to be anybody's is left out: a table that is new in the published database is
    empty for restricted readers until somebody decides about it.
    """
    full = f"{schema}.{table}"
    hidden = _HIDDEN_COLUMNS.get(full, set())
    selected = ", ".join(f"NULL as {name(c)}" if c in hidden else name(c) for c in columns)
    where = "true" if full in OPEN_TABLES else _restriction(catalog, full, set(columns), scope)
    return f"select {selected} from {catalog}.{name(schema)}.{name(table)} where {where}"


def _restriction(catalog: str, table: str, columns: set[str], scope: Scope) -> str:
    owners, teams = _among("owner_id", scope.owners), _among("team_id", scope.teams)
    if table == "core.dim_teams":
        # A rep's own team has a name too, though not all of its rows are seen.
        own = f"select team_id from {catalog}.core.dim_owners where {owners}"
        return f"{teams} or team_id in ({own})"
    if table == "core.bridge_team_ancestors":
        visible = _restriction(catalog, "core.dim_teams", set(), scope)
        return f"team_id in (select team_id from {catalog}.core.dim_teams where {visible})"
    if table in ("core.fct_deal_states", "core.fct_deal_stage_visit_owners"):
        # Their owner is the one of the time; the row belongs to the deal's owner of today.
        return _of("deal_id", f"{catalog}.core.fct_deals", owners)
    if table == "core.bridge_activity_records":
        activities = f"select (activity_type, activity_id) from {catalog}.core.fct_activities where {owners}"
        return f"(activity_type, activity_id) in ({activities})"
    if "assignee_kind" in columns:
        return f"case assignee_kind when 'team' then {teams} else {owners} end"
    if "owner_id" in columns:
        return owners
    if "deal_id" in columns:
        return _of("deal_id", f"{catalog}.core.fct_deals", owners)
    if "contact_id" in columns:
        return _of("contact_id", f"{catalog}.core.dim_contacts", owners)
    return "false"


def _among(column: str, ids: Iterable[str]) -> str:
    return f"{column} in (select unnest({literal(sorted(ids))}::varchar[]))"


def _of(key: str, relation: str, where: str) -> str:
    return f"{key} in (select {key} from {relation} where {conditions([where])})"


def user_of(headers: Mapping[str, Any], header: str | None) -> str | None:
    """The user that the proxy names; None without the setting. Raises AccessDenied without the header."""
    if header is None:
        return None
    user = (headers.get(header) or "").strip()
    if not user:
        raise AccessDenied(
            f"This viewer is reached through a proxy that says in the header {header} who looks; this "
            "request does not have it. Use the address of the proxy."
        )
    return user
