"""The keys of one accepted table: rows without one, and rows that share one (H9, H11).

Belongs here: which rows have to be turned away because of their key, and the sequence of versions that
share an instant. Works on the temporary table of accepted rows, and leaves `turned_away` and `crowd`.
"""

from __future__ import annotations

from orchestration.ingest.contract import TEXT, Table
from orchestration.ingest.delivery import ROW_NUMBER as _ROW
from orchestration.ingest.values import WANTED, literal, quoted

TEMPORARY_TABLES = ("crowded_hashes", "crowd", "turned_away")


class Keys:
    """The keys of the rows of `relation`, in which `__row` numbers the rows."""

    def __init__(self, connection, table: Table, relation: str) -> None:
        self.connection = connection
        self.table = table
        self.relation = relation
        # Versions at one instant are told apart by their sequence, which may have to be found (H9).
        self.columns = [c for c in table.key if not (table.history_of and c == "sequence")]
        # An optional part of a key may be missing: two such rows have the same key.
        self.needed = [c for c in self.columns if (table.name, c) != ("associations", "type_id")]
        self.is_there = " and ".join(f"{quoted(column)} is not null" for column in self.needed)

    def has_crowds(self) -> bool:
        """Whether several rows have one key, or several versions one instant.

        Rows of one key have one hash: only those with a hash that comes twice are compared by their keys.
        """
        key = ", ".join(quoted(column) for column in self.columns)
        self.connection.execute(
            f"create or replace temp table crowded_hashes as select hash({key}) as key_hash "
            f"from {self.relation} where {self.is_there} group by key_hash having count(*) > 1"
        )
        if not self._count("select count(*) from crowded_hashes"):
            return False
        return bool(self._count(f"select count(*) from ({self._crowded_keys()}) as crowded"))

    def _crowded_keys(self) -> str:
        key = ", ".join(quoted(column) for column in self.columns)
        return (
            f"select {key} from {self.relation} where {self.is_there} "
            f"and hash({key}) in (select key_hash from crowded_hashes) group by {key} having count(*) > 1"
        )

    def find_turned_away(self) -> None:
        """`turned_away`: rows without a key, and rows whose key an earlier row has (H11).

        `crowd`: the rows that share a key; versions with the sequence that they have or get (H9).
        """
        reasons = ", ".join(
            f"case when {quoted(column)} is null then {literal(self._missing_reason(column))} end"
            for column in self.needed
        )
        same_key = " and ".join(f"a.{quoted(c)} is not distinct from k.{quoted(c)}" for c in self.columns)
        sequence = "sequence" if self.table.history_of else "cast(null as bigint)"
        same_row = "key_number, sequence" if self.table.history_of else "key_number"
        self.connection.execute(
            f"""
            create or replace temp table crowd as
            with crowded as (
                select *, row_number() over () as key_number from ({self._crowded_keys()}) as k
            ),

            members as (
                select k.key_number, a.{_ROW}, {sequence} as sequence
                from {self.relation} as a
                inner join crowded as k on {same_key}
            ),

            -- A missing sequence is the order of the rows, after the sequences that are given.
            placed as (
                select
                    key_number,
                    {_ROW},
                    coalesce(
                        sequence,
                        coalesce(max(sequence) over (partition by key_number), -1)
                        + row_number() over (partition by key_number, sequence is null order by {_ROW})
                    ) as sequence
                from members
            )

            select {_ROW}, sequence, min({_ROW}) over (partition by {same_row}) as first_row
            from placed
            """
        )
        self.connection.execute(
            f"""
            create or replace temp table turned_away as
            select {_ROW}, concat_ws('; ', {reasons}) as reason
            from {self.relation}
            where not ({self.is_there})
            union all
            select {_ROW}, 'same key as row ' || first_row from crowd where {_ROW} > first_row
            """
        )

    def remove_turned_away(self) -> None:
        """Take the rows out that were found, and give versions of one instant the sequence they got."""
        self.connection.execute(
            f"delete from {self.relation} where {_ROW} in (select {_ROW} from turned_away)"
        )
        if self.table.history_of:
            # Versions alone at their instant keep a missing sequence: it is 0.
            self.connection.execute(
                f"update {self.relation} as a set sequence = crowd.sequence from crowd "
                f"where a.{_ROW} = crowd.{_ROW} and a.sequence is null"
            )

    def _missing_reason(self, column: str) -> str:
        wanted = WANTED.get(self.table.columns.get(column, TEXT))
        return f"{column} is missing or not {wanted}" if wanted else f"{column} is missing"

    def _count(self, sql: str) -> int:
        return self.connection.execute(sql).fetchone()[0]
