"""The waterfall: from the amount at the beginning to that at the end, step by step.

Belongs here: the one chart whose marks begin where the last one ended. Vega adds up the positions; the
last bar stands on its own, so that it meets the steps only if they are right.
"""

from __future__ import annotations

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.view import View, lines

BEGIN, END = "begin", "end"
_MEANING = {"won": "Won", "lost": "Lost", BEGIN: "Pipeline", END: "Pipeline"}
_COLOURS = {
    "Pipeline": palette.BLUE,
    "Adds": palette.TEAL,
    "Takes away": palette.ORANGE,
    "Won": palette.GREEN,
    "Lost": palette.RED,
}


def waterfall(view: View) -> altair.LayerChart:
    """Steps that are not zero, in the report's order; of several groups all together."""
    measure = view.measures[0]
    order = list(dict.fromkeys(row["category"] for row in view.rows))
    keys = view.keys("category") if not view.has_groups else ["category"]
    values = [
        {
            **{key: row[key] for key in keys},
            "value": row[measure] or 0,
            "deals": row["deal_count"] or 0,
            "place": order.index(row["category"]),
            "row": lines(row["text_category"]),
        }
        for row in view.disjoint_rows
    ]
    base = layout.data(values).transform_aggregate(
        value="sum(value)", deals="sum(deals)", groupby=[*keys, "place", "row"]
    )
    base = base.transform_filter(
        f"datum.value != 0 || datum.deals > 0 || indexof({[BEGIN, END]}, datum.category) >= 0"
    )
    base = base.transform_calculate(step=f"datum.category == '{END}' ? 0 : datum.value")
    base = base.transform_window(upto="sum(step)", sort=[altair.SortField("place")], frame=[None, 0])
    base = base.transform_calculate(
        # To the cent: sums of doubles are off by less, and would put the axis below 0.
        start=f"indexof({[BEGIN, END]}, datum.category) >= 0 ? 0"
        " : round(100 * (datum.upto - datum.value)) / 100",
        stop=f"datum.category == '{END}' ? datum.value : round(100 * datum.upto) / 100",
        meaning=f"{_MEANING!r}[datum.category] || (datum.value < 0 ? 'Takes away' : 'Adds')",
        short=f"(datum.value > 0 && indexof({[BEGIN, END]}, datum.category) < 0 ? '+' : '')"
        f" + {view.expression('value', measure)}",
        full=view.expression("value", measure, compact=False),
        counted=view.expression("deals", "deal_count", compact=False),
    )
    base = base.transform_calculate(right="max(datum.start, datum.stop)")
    drawn = {row["category"] for row in view.rows if row[measure] or row["deal_count"]} | {BEGIN, END}
    names = [lines(formats.words(name, "category")) for name in order if name in drawn]
    y = altair.Y(
        field="row",
        type="nominal",
        sort=names,
        axis=layout.name_axis(),
        scale=altair.Scale(domain=names, padding=0.18),
    )
    reach = [abs(row[measure] or 0) for row in view.disjoint_rows]
    x = altair.X(
        field="start", type="quantitative", scale=layout.end_space(56), axis=view.value_axis(measure, reach)
    )
    point = layout.selection(keys)
    bars = (
        base.mark_bar(cursor="pointer", cornerRadius=2)
        .encode(
            y=y,
            x=x,
            x2=altair.X2(field="stop"),
            color=altair.Color(
                field="meaning",
                type="nominal",
                scale=layout.scale_of(_COLOURS),
                legend=layout.legend(list(_COLOURS), names),
            ),
            opacity=layout.faded(point),
            tooltip=layout.tooltip(
                [("Step", "row"), (formats.heading(measure), "full"), ("Deals", "counted")]
            ),
        )
        .add_params(point)
    )
    text = base.mark_text(align="left", dx=5, color=view.text_colour).encode(
        y=y, x=altair.X(field="right", type="quantitative"), text=altair.Text(field="short", type="nominal")
    )
    says = f"{formats.heading(measure)} of the pipeline from beginning to end"
    return layout.finish(view, [bars, text], height=34 * len(names), says=says)
