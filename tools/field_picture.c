/* SPDX-License-Identifier: MIT */
#include "field_drawing.h"

/* A position in pixels; the last row and column are within. */
typedef struct rectangle {
    int left, top, right, bottom;
} rectangle;

static void mark(GdkPixbuf *picture, int x, int y)
{
    static const guchar colour[3] = {255, 64, 32};
    guchar *pixel = gdk_pixbuf_get_pixels(picture)
                    + (size_t)y * (size_t)gdk_pixbuf_get_rowstride(picture)
                    + (size_t)x * (size_t)gdk_pixbuf_get_n_channels(picture);
    for (int i = 0; i < 3; i++)
        pixel[i] = colour[i];
    if (gdk_pixbuf_get_has_alpha(picture))
        pixel[3] = 255;
}

static void outline(GdkPixbuf *picture, const rectangle *field)
{
    for (int x = field->left; x <= field->right; x++) {
        mark(picture, x, field->top);
        mark(picture, x, field->bottom);
    }
    for (int y = field->top; y <= field->bottom; y++) {
        mark(picture, field->left, y);
        mark(picture, field->right, y);
    }
}

int draw_field(const field_answer *answer, const char *picture, const char *png)
{
    const rf_range *rows = &answer->result.clipped[0], *columns = &answer->result.clipped[1];
    int width = 0, height = 0;
    int code = drawing_size(answer, &width, &height);
    if (code != DONE)
        return code;
    GdkPixbuf *scaled = drawing_load(picture, width, height);
    if (!scaled)
        return BAD_INPUT;
    const rectangle field = {(int)columns->first, (int)rows->first, (int)columns->last,
                             (int)rows->last};
    if (rows->first <= rows->last && columns->first <= columns->last)
        outline(scaled, &field);
    code = drawing_save(scaled, png);
    g_object_unref(scaled);
    return code;
}
