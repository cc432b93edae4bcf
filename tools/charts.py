# SPDX-License-Identifier: MIT
"""What of uPlot goes onto the device: one plot of lines and areas over time, whose ticks, texts and ranges the page
gives (`firmware/wattport/web/static/hour.js`). Legend, points, bands, logarithms, dragging, plots that follow each
other and formats of dates would be two thirds of it.

The source is pinned, so it can be cut by its text: each cut finds something, or the build stops. What a cut makes
unreachable the minifier leaves out.
"""

import re

_ALONE = r"(?<![.\w])"  # a variable, no property
# (what, what stands there instead); a dot is any character where the first one has .*? or looks ahead
_CUTS = (
    (r"\tuPlot\.assign = assign;.*(?=\treturn uPlot;)", ""),
    (r"(\w+) +\?\?= (.*?);", r"\1 = \1 ?? \2;"),  # newer than the browsers of 2020

    # one kind of plot: x to the right, everything linear, no bands, no scale that follows another
    (r"(?:const|let) mode = \w+\.mode;", ""),
    (r"ifNull\(opts\.mode, 1\)", "1"),
    (_ALONE + r"mode (?=[=!]= \d)", "1 "),
    (r"\b(?:\w+\.)?(?:distr|xScaleDistr) +(?:== +(?:[234]|100)|>= 3)", "false"),
    (r"\bsc\.distr == 1\b", "true"),
    (r"\b(?:scaleX|sx)\.ori == 0", "true"),
    (r"\bscaleX\.ori == 1", "false"),
    (r"\b(?:sc|scale)\.dir == -1", "false"),
    (r"const dir = scaleX\.dir .*", ""),
    (r"findGaps\(dataX, dataY, idx0, idx1, dir,", "findGaps(dataX, dataY, idx0, idx1, 1,"),
    (_ALONE + r"dir (?=== -?1)", "1 "),
    (r"i \+= dir\b", "i++"),
    (r"accX \+ dir\b", "accX + 1"),
    (r"let \[ bandFillDir, bandClipDir \] = .*", ""),
    (r"dataMax, bandFillDir\)", "dataMax)"),
    (_ALONE + r"band(?:Fill|Clip)Dir\b", "0"),
    (r"flags != 0 && bands\.forEach\(.*?\n\t\t\t\}\);\n", ""),
    (r"const bands   = self\.bands  = opts\.bands \|\| \[\];", ""),
    (r"\t\tbands\.forEach\(b => \{.*?\n\t\t\}\);\n", ""),
    (r"\|\| bandClip\b", ""),
    (r"if \(bandClip\) \{.*?\n\t\t\t\}\n\t\t\telse", ""),
    (r"\b\w+\.from != null\b", "false"),
    (r"\b\w+\.from == null\b", "true"),
    (r"\b\w+ instanceof Map\b", "false"),
    (r"const (?:xySeriesOpts|facet) = \{.*?\n\t\};\n", ""),

    # ticks, their texts and the ranges are the page's
    (r"const FEAT_TIME .*", ""),
    (_ALONE + r"FEAT_TIME\b", "true"),
    (r"const \[ timeIncrs\w+ *,.*", ""),
    (r"\tgenIncrs\(2, .*", ""),
    (r"const (?:decIncrs|oneIncrs|wholeIncrs|numIncrs|days3|months3|numFormatter|localTz) +?= .*", ""),
    (r"const (?:engNames|subs|autoRangePart|_eqRangePart|_eqRange) = \{.*?\n\t\};\n", ""),
    (r"let isTime = .*", ""),
    (_ALONE + r"isTime\b", "false"),
    (r"const _(?:tzDate|fmtDate|timeAxisSplits|timeAxisVals|timeSeriesVal) +=.*", ""),
    (r"axis\.incrs  \|\| \(.*?\)\);", "axis.incrs);"),
    (r"axis\.filter \|\| \(.*?\)\);", "retArg1);"),
    (r"axis\.splits \|\| \(.*?\)\);", "numAxisSplits);"),
    (r"axis\.values = \(.*?\n\t\t\t\t\);", ""),
    (r"let av = axis\.values;", ""),
    (r"s\.(?:value|label) = .*", ""),
    (r"axis\.label != null", "false"),
    (r"axis\.labelFont = .*", ""),
    (r"\[axis\.font, axis\.labelFont\]", "[axis.font]"),
    (r"\t\tlabelFont,\n", ""),
    (r"axis\.rotate\(self, values, i, _space\)", "0"),
    (r"let angle = .*", ""),
    (_ALONE + r"angle\b", "0"),
    (r"sc\.range = fnOrSelf\(.*?\n\t+\)\);", ""),
    (r"let rn = sc\.range;", ""),
    (r"if \(scaleKey != xScaleKey \|\| .*?\n\t\t\t\t\t\}\n", ""),
    (r"let rangeIsArr = .*", ""),
    (r"rangeIsArr \? false : ", ""),
    (r"else if \(scaleX\.time\)\n", "else if (true)\n"),

    # no legend, no series that come and go, no title
    (r"const legend     = \(self\.legend = .*", ""),
    (r"legend\.idxs? = .*", ""),
    (r"const showLegend = .*", ""),
    (_ALONE + r"showLegend\b", "false"),
    (r"(?:let )?multiValLegend = .*", ""),
    (_ALONE + r"multiValLegend\b", "false"),
    (r"\blegend\.(?:live|show)\b", "false"),
    (r"const markers    = legend\.markers;\n\n\t\t\{.*?\n\t\t\}\n", ""),
    (r"if \(shouldSetLegend\) \{.*?\n\t\t\t\}\n", ""),
    (r"\bshouldSetCursor = shouldSetLegend = true", "shouldSetCursor = true"),
    (r"(?:let )?\bshouldSetLegend = .*", ""),
    (r"self\.(?:addSeries|delSeries|setSeries|addBand|setBand|delBand|setLegend|setSelect|batch|setScale|posToIdx|pub)"
     r" = \w+;", ""),
    (r"self\.(?:redraw|setCursor) = .*?\n\t\t\};\n", ""),
    (r"self\.valToIdx = .*", ""),
    (r"legendTable\?\.remove\(\);", ""),
    (r"\(opts\.plugins \|\| \[\]\)\.forEach\(p => \{.*?\n\t\t\}\);\n", ""),
    (r"if \(opts\.title\) \{.*?\n\t\t\}\n", ""),
    (r"if \(opts\.id != null\)\n.*", ""),

    # no points, nothing that lights up
    (r"const pointsPath = .*", ""),
    (r"\t\t\t\t\t\t\{\n\t+let _gaps = .*?\n\t\t\t\t\t\t\}\n", ""),
    (r"const (?:cursorFocus|cursorOnePt) = .*", ""),
    (_ALONE + r"(?:cursorFocus|cursorOnePt)\b", "false"),
    (r"\bpt = initCursorPt\(s, i\);", ";"),
    (r"\bpt != null", "false"),
    (r"cacheStrokeFill\(i, true\);", ""),
    (r"let _ptDia = .*?points\.pxAlign = s\.pxAlign;", ""),
    (r"\t\tlet points = cursor\.points;.*?(?=\t\tconst focus =)", ""),
    (r"\t\tif \(cursor\.dataIdx == null\) \{.*?\n\t\t\}\n", ""),
    (r"\t+// closest pt values.*?(?=\t+// nit: cursor\.drag)", "\t\t\t}\n"),
    (r"let shouldAlpha = .*", ""),
    (_ALONE + r"shouldAlpha\b", "false"),
    (r"const focus = self\.focus = .*", ""),
    (r"\t\tpoints: \{\n\t\t\t(?:one|show: seriesPointsShow).*?\n\t\t\},\n", ""),
    (r"\t\t(?:focus|hover|drag): \{\n.*?\n\t\t\},\n", ""),

    # one plot at a time, which is not dragged
    (r"\bpubSync\(.*\);", "0;"),
    (r"\bsyncKey != null\b", "false"),
    (r"\be != null\b", "true"),
    (r"\bsrc != null\b", "false"),
    (r"\bsrc == null\b", "true"),
    (r"\t\tconst seriesIdxMatcher = .*?(?=\t\tfunction destroy)", ""),
    (r"sync\.unsub\(self\);", ""),
    (r"events\[\"setSeries\"\] = .*?\n\t\t\};\n", ""),
    (r"events\.\w+ = \w+;", ""),
    (r"const events = \{\};", ""),
    (r"\bselect\.show\b", "false"),
    (r"const select = self\.select = .*?\}, opts\.select\);", ""),
    (r"let dragging = false;", ""),
    (r"dragging = true;", ""),
    (r"\bdragging = drag\._x = drag\._y = false;", ""),
    (_ALONE + r"dragging = (?:false|_dragging);", ";"),
    (r"let _dragging = dragging;", ""),
    (_ALONE + r"_?dragging\b", "false"),
    (r"drag\._[xy] = drag[XY];", ""),
    (r"const drag = cursor\.drag;", ""),
    (r"let drag[XY] = drag\.[xy];", ""),
    (r"\{drag: \{y: 1 == 2\}\}, ", ""),
    (r"onMouse\((?:mousedown|dblclick), .*", ""),
    (r"\t+(?:mousedown|mouseup|click|dblclick): +filtBtn0,.*", ""),
    (r"on\(\"click\", wrap, .*?\n\t\t\}, true\);\n", ""),
    (r"rawMouse(?:Left|Top)1 = .*", ""),
)
_UNUSED_STYLES = "title|legend|inline|series"


class ChartsError(Exception):
    """The charts are not the ones that were cut before; the text says where."""


def script(source):
    """The part of `dist/uPlot.iife.js` that our charts use."""
    for what, instead in _CUTS:
        across = re.DOTALL if ".*?" in what or "(?=\\t" in what else 0
        source, count = re.subn(what, instead, source, flags=across)
        if not count:
            raise ChartsError("uPlot has nothing that looks like %s" % what)
    return source


def style(source):
    """Of `dist/uPlot.min.css`, in the page's letters."""
    source = re.sub(r"font-family:[^;}]*;", "", source)
    return re.sub(r"[^{}]*\.u-(?:%s)\b[^{}]*\{[^{}]*\}" % _UNUSED_STYLES, "", source)
