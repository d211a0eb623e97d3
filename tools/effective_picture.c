/* SPDX-License-Identifier: MIT */
/*
 * Two panels side by side: what the trained network looks at, and what it would look at if all its weights were
 * one. Small inputs are enlarged, so that a position is a block of pixels.
 */
#include "effective_answer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "field_drawing.h"

enum { LARGEST_INPUT = 4096, PANEL_SIDE = 256, GAP = 8 };

/* Where the panels lie. */
typedef struct layout {
    int rows, columns; /* of the input */
    int scale;         /* pixels of a position along a side */
    int left[2];       /* of each panel */
} layout;

static double effective_level(const effective_answer *answer, int row, int column)
{
    const rf_effective_field *field = answer->field;
    return field->largest > 0 ? field->weights[row * field->extents[1] + column] / field->largest : 0;
}

static double largest_paths(const rf_field_map *map)
{
    double largest = 0;
    for (size_t i = 0; i < map->count; i++)
        largest = fmax(largest, map->paths[i]);
    return largest;
}

/* More paths than a double holds are drawn as the most that it does. */
static double path_level(const effective_answer *answer, double largest, int row, int column)
{
    const rf_field_map *map = answer->theory.map;
    const rf_range *rows = &map->axes[0], *columns = &map->axes[1];
    if (row < rows->first || row > rows->last || column < columns->first || column > columns->last || !(largest > 0))
        return 0;
    double paths = map->paths[(row - rows->first) * (columns->last - columns->first + 1) + column - columns->first];
    return isfinite(paths) ? paths / largest : 1;
}

/* Black, red, yellow, white. */
static guchar colour(double level, int channel)
{
    double part = 3 * level - channel;
    return (guchar)lround(255 * fmin(1, fmax(0, part)));
}

static guchar *pixel_at(GdkPixbuf *drawing, int x, int y)
{
    return gdk_pixbuf_get_pixels(drawing) + (size_t)y * (size_t)gdk_pixbuf_get_rowstride(drawing) + 3 * (size_t)x;
}

/* The picture shows through darkly where the level is low. */
static void paint(GdkPixbuf *drawing, const GdkPixbuf *behind, const layout *where, int panel, int row, int column,
                  double level)
{
    guchar base[3] = {0, 0, 0};
    if (behind) {
        const guchar *from = gdk_pixbuf_read_pixels(behind) + (size_t)row * (size_t)gdk_pixbuf_get_rowstride(behind)
                             + (size_t)column * (size_t)gdk_pixbuf_get_n_channels(behind);
        for (int c = 0; c < 3; c++)
            base[c] = (guchar)(from[gdk_pixbuf_get_n_channels(behind) < 3 ? 0 : c] / 3);
    }
    for (int y = 0; y < where->scale; y++)
        for (int x = 0; x < where->scale; x++)
            for (int c = 0; c < 3; c++)
                pixel_at(drawing, where->left[panel] + column * where->scale + x, row * where->scale + y)[c] =
                    (guchar)(base[c] + (255 - base[c]) * colour(level, c) / 255);
}

static void mark(GdkPixbuf *drawing, int x, int y)
{
    static const guchar blue[3] = {64, 144, 255};
    memcpy(pixel_at(drawing, x, y), blue, sizeof blue);
}

/* Around the theoretical field, as far as it is within the input. */
static void outline(GdkPixbuf *drawing, const effective_answer *answer, const layout *where, int panel)
{
    const rf_range *rows = &answer->theory.result.clipped[0], *columns = &answer->theory.result.clipped[1];
    if (rows->last < rows->first || columns->last < columns->first)
        return;
    int left = where->left[panel] + (int)columns->first * where->scale;
    int right = where->left[panel] + (int)(columns->last + 1) * where->scale - 1;
    int top = (int)rows->first * where->scale, bottom = (int)(rows->last + 1) * where->scale - 1;
    for (int x = left; x <= right; x++) {
        mark(drawing, x, top);
        mark(drawing, x, bottom);
    }
    for (int y = top; y <= bottom; y++) {
        mark(drawing, left, y);
        mark(drawing, right, y);
    }
}

static void draw_panels(GdkPixbuf *drawing, const GdkPixbuf *behind, const effective_answer *answer,
                        const layout *where)
{
    double largest = largest_paths(answer->theory.map);
    for (int row = 0; row < where->rows; row++)
        for (int column = 0; column < where->columns; column++) {
            paint(drawing, behind, where, 0, row, column, effective_level(answer, row, column));
            paint(drawing, behind, where, 1, row, column, path_level(answer, largest, row, column));
        }
    outline(drawing, answer, where, 0);
    outline(drawing, answer, where, 1);
}

static int lay_out(const effective_answer *answer, layout *where)
{
    const rf_effective_field *field = answer->field;
    const char *input = answer->theory.model->analysis->inputs[field->input].name;
    if (field->axis_count != 2)
        return complain(answer->theory.model->path, "input '%.80s' has %d spatial axes; a picture has 2", input,
                        (int)field->axis_count);
    if (field->extents[0] > LARGEST_INPUT || field->extents[1] > LARGEST_INPUT)
        return complain(answer->theory.model->path, "input '%.80s' has %" PRId64 "x%" PRId64 " pixels; up to %d along "
                        "a side are drawn", input, field->extents[0], field->extents[1], LARGEST_INPUT);
    where->rows = (int)field->extents[0];
    where->columns = (int)field->extents[1];
    int longer = where->rows > where->columns ? where->rows : where->columns;
    where->scale = longer < PANEL_SIDE ? (PANEL_SIDE + longer - 1) / longer : 1;
    where->left[0] = 0;
    where->left[1] = where->columns * where->scale + GAP;
    return DONE;
}

int draw_effective(const effective_answer *answer, const char *picture, const char *png)
{
    layout where = {.scale = 1};
    int code = lay_out(answer, &where);
    if (code != DONE)
        return code;
    GdkPixbuf *behind = picture ? drawing_load(picture, where.columns, where.rows) : NULL;
    if (picture && !behind)
        return BAD_INPUT;
    GdkPixbuf *drawing = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, where.left[1] + where.columns * where.scale,
                                        where.rows * where.scale);
    if (drawing) {
        gdk_pixbuf_fill(drawing, 0x808080ff);
        draw_panels(drawing, behind, answer, &where);
        code = drawing_save(drawing, png);
        g_object_unref(drawing);
    } else {
        code = complain(png, "no memory for the picture");
    }
    if (behind)
        g_object_unref(behind);
    return code;
}
