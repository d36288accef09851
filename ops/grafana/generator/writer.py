"""Makes Grafana's JSON of a page; the one file that knows grafana-foundation-sdk.

What is shown of a moment (tiles, gauges, tables) is asked for as of now, so that a daemon that does
not answer shows as such and not with its last word. Tiles with a line below them are the exception.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from ops.grafana.generator.model import (
    GRID_COLUMNS,
    Column,
    Mark,
    Meanings,
    Page,
    Panel,
    Section,
    Steps,
    Variable,
)

PREFIX = "papertape"
EXCHANGE_TIME = "America/New_York"
SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEADING_HEIGHT = 1


def written(page: Page) -> str:
    """The page as the text of a JSON file."""
    made = (
        dashboard.Dashboard(f"{PREFIX}: {page.title}")
        .uid(f"{PREFIX}-{page.key}")
        .description(page.description)
        .tags([PREFIX])
        .readonly()
        .timezone(EXCHANGE_TIME)
        .time(page.span, "now")
        .refresh(page.refresh)
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([_source_variable(), *map(_variable, page.variables)])
        .annotations([_mark(mark) for mark in page.marks])
        .link(
            dashboard.DashboardLink(PREFIX)
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([PREFIX])
            .include_vars(True)
            .keep_time(True)
            .placement("")  # beside the drop-downs, not in a menu
        )
    )
    for panel in _placed(page):
        made = (
            made.with_panel(panel) if not isinstance(panel, dashboard.Row) else made.with_row(panel)
        )
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(made.build()) + "\n"


# --- the drop-downs and the marks ---------------------------------------------------------------


def _source_variable() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _variable(variable: Variable) -> dashboard.QueryVariable:
    made = (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .datasource(SOURCE)
        .query(variable.query)
        .definition(variable.query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(variable.several)
        .include_all(variable.several)
    )
    if variable.several:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        made.all_value(".+").current(everything)
    return made


def _mark(mark: Mark) -> dashboard.AnnotationQuery:
    made = (
        dashboard.AnnotationQuery()
        .name(mark.name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(mark.colour)
        .expr(mark.expression)
        .step("60s")
        .title_format(mark.name)
        .text_format(mark.text)
    )
    if mark.labels:
        made.tag_keys(mark.labels)
    if mark.value_is_time:
        made.use_value_for_time(True)
    return made


# --- panels in their places ---------------------------------------------------------------------


def _placed(page: Page) -> Iterator[Any]:
    top, number = 0, 0
    for section in page.sections:
        if section.title:
            number += 1
            yield _heading(section, number, top)
            top += HEADING_HEIGHT
        for band in section.bands:
            left = 0
            for panel in band.panels:
                assert left + panel.width <= GRID_COLUMNS, f"no room for {panel.title}"
                number += 1
                place = models.GridPos(h=band.height, w=panel.width, x=left, y=top)
                yield _panel(panel).id(number).grid_pos(place)
                left += panel.width
            top += band.height


def _heading(section: Section, number: int, top: int) -> dashboard.Row:
    place = models.GridPos(h=HEADING_HEIGHT, w=GRID_COLUMNS, x=0, y=top)
    return dashboard.Row(section.title).id(number).grid_pos(place)


def _panel(panel: Panel) -> Any:
    make: dict[str, Callable[[Panel], Any]] = {
        "stat": _tile,
        "timeseries": _lines,
        "bars": _bars,
        "timeline": _timeline,
        "gauge": _gauge,
        "table": _table,
        "text": _text,
    }
    made = make[panel.kind](panel).title(panel.title).description(panel.description)
    if panel.kind == "text":
        return made
    made.datasource(SOURCE).unit(panel.unit).targets(list(_targets(panel)))
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.minimum is not None:
        made.min(panel.minimum)
    if panel.maximum is not None:
        made.max(panel.maximum)
    if panel.meanings:
        made.mappings([_mapping(panel.meanings)])
    if panel.steps:
        made.thresholds(_thresholds(panel.steps))
    if panel.text:
        made.no_value(panel.text)
    if panel.coarsest:
        made.interval(panel.coarsest)
    return made


def _targets(panel: Panel) -> Iterator[prometheus.Dataquery]:
    of_now = panel.kind in ("gauge", "table") or (panel.kind == "stat" and not panel.sparkline)
    for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        made = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(query.expression)
        made = made.instant() if of_now else made.range()
        if panel.kind == "table":
            made.format(PromQueryFormat.TABLE)
        yield made.legend_format(query.legend or panel.title)


def _mapping(meanings: Meanings) -> models.ValueMap:
    results = {
        str(number): models.ValueMappingResult(text=told.text, color=told.colour, index=place)
        for place, (number, told) in enumerate(meanings.items())
    }
    return models.ValueMap(options=results)


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


# --- one function a kind of panel ---------------------------------------------------------------


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _by_steps() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


def _tile(panel: Panel) -> stat.Panel:
    """A tile; one that shows a state is filled with its colour, to be seen from afar."""
    filled = panel.named or (bool(panel.meanings) and not panel.steps)
    colour = kinds.BigValueColorMode
    text_mode = kinds.BigValueTextMode
    return (
        stat.Panel()
        .reduce_options(_last())
        .color_scheme(_by_steps())
        .color_mode(colour.BACKGROUND_SOLID if filled else colour.VALUE)
        .text_mode(text_mode.NAME if panel.named else text_mode.AUTO)
        .graph_mode(
            kinds.BigValueGraphMode.AREA if panel.sparkline else kinds.BigValueGraphMode.NONE
        )
        .justify_mode(kinds.BigValueJustifyMode.CENTER)
        .orientation(kinds.VizOrientation.AUTO)
    )


def _lines(panel: Panel) -> timeseries.Panel:
    shape = kinds.LineInterpolation
    return (
        _axes(timeseries.Panel())
        .draw_style(kinds.GraphDrawStyle.LINE)
        .line_width(2)
        .fill_opacity(0)
        .line_interpolation(shape.STEP_AFTER if panel.stepped else shape.LINEAR)
        .show_points(kinds.VisibilityMode.NEVER)
    )


def _bars(panel: Panel) -> timeseries.Panel:
    """Columns of counts; each stands before the instant up to which it counts."""
    stacking = kinds.StackingMode.NORMAL if panel.stacked else kinds.StackingMode.NONE
    return (
        _axes(timeseries.Panel())
        .min(0)
        .draw_style(kinds.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .bar_alignment(kinds.BarAlignment.BEFORE)
        .stacking(common.StackingConfig().mode(stacking))
    )


def _axes(made: timeseries.Panel) -> timeseries.Panel:
    tooltip = kinds.TooltipDisplayMode.MULTI
    return made.legend(_legend()).tooltip(
        common.VizTooltipOptions().mode(tooltip).sort(kinds.SortOrder.DESCENDING)
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(kinds.LegendDisplayMode.LIST)
        .placement(kinds.LegendPlacement.BOTTOM)
        .calcs([])
    )


def _timeline(_: Panel) -> statetimeline.Panel:
    return (
        statetimeline.Panel()
        .color_scheme(_by_steps())
        .merge_values(True)
        .show_value(kinds.VisibilityMode.AUTO)
        .row_height(0.9)
        .fill_opacity(80)
        .line_width(0)
        .legend(common.VizLegendOptions().show_legend(False).calcs([]))
    )


def _gauge(_: Panel) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .reduce_options(_last())
        .color_scheme(_by_steps())
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .show_unfilled(True)
        .min_viz_height(16)
    )


def _table(panel: Panel) -> table.Panel:
    """One row a label, one column a query: joined, the others left out, named and in order."""
    names = list(panel.columns)
    made = table.Panel().cell_height(kinds.TableCellHeight.SM)
    if len(panel.queries) > 1:
        made.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    made.with_transformation(
        models.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": names}}
        )
    ).with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": {name: column.title for name, column in panel.columns.items()},
            },
        )
    )
    for column in panel.columns.values():
        made.override_by_name(column.title, list(_properties(column)))
    return made


def _properties(column: Column) -> Iterator[models.DynamicConfigValue]:
    yield models.DynamicConfigValue(id_val="unit", value=column.unit)
    if column.decimals is not None:
        yield models.DynamicConfigValue(id_val="decimals", value=column.decimals)
    if column.meanings:
        mappings = [_mapping(column.meanings).to_json()]
        yield models.DynamicConfigValue(id_val="mappings", value=mappings)
    if column.steps:
        steps = _thresholds(column.steps).build().to_json()
        yield models.DynamicConfigValue(id_val="thresholds", value=steps)
    if column.meanings or column.steps:
        cell = {"type": "color-text"}
        yield models.DynamicConfigValue(id_val="custom.cellOptions", value=cell)
    if column.link:
        link = {"title": column.title, "url": column.link}
        yield models.DynamicConfigValue(id_val="links", value=[link])


def _text(panel: Panel) -> text.Panel:
    return text.Panel().mode(TextMode.MARKDOWN).content(panel.text)
