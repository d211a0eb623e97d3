/* SPDX-License-Identifier: MIT */
#include "field_answer.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <inttypes.h>

enum { LARGEST_SIDE = 16384 };

/* A position in pixels; the last row and column are within. */
typedef struct rectangle {
    int left, top, right, bottom;
} rectangle;

/* Rows and columns of the input as pixels: its last two axes. */
static int input_size(const field_answer *answer, int *width, int *height)
{
    const rf_tensor *input = &answer->model->analysis->inputs[answer->query.input];
    const rf_shape *shape = &input->shape;
    if (answer->result.axis_count != 2)
        return complain(answer->model->path, "input '%.80s' has %d spatial axes; a picture has 2",
                        input->name, (int)answer->result.axis_count);
    int64_t rows = shape->dims[shape->rank - 2], columns = shape->dims[shape->rank - 1];
    if (rows < 1 || columns < 1 || rows > LARGEST_SIDE || columns > LARGEST_SIDE)
        return complain(answer->model->path, "input '%.80s' has %" PRId64 "x%" PRId64
                        " pixels; pictures have up to %d along a side", input->name, rows, columns,
                        LARGEST_SIDE);
    *width = (int)columns;
    *height = (int)rows;
    return DONE;
}

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

/* The picture scaled to the input's size; NULL after a complaint. */
static GdkPixbuf *load_scaled(const char *path, int width, int height)
{
    GError *error = NULL;
    GdkPixbuf *original = gdk_pixbuf_new_from_file(path, &error);
    if (!original) {
        complain(path, "%s", error->message);
        g_error_free(error);
        return NULL;
    }
    GdkPixbuf *scaled = gdk_pixbuf_scale_simple(original, width, height, GDK_INTERP_BILINEAR);
    g_object_unref(original);
    if (!scaled)
        complain(path, "no memory to scale it to %dx%d", width, height);
    return scaled;
}

static int save(GdkPixbuf *picture, const char *path)
{
    gchar *bytes;
    gsize count;
    GError *error = NULL;
    output_file output;
    if (!gdk_pixbuf_save_to_buffer(picture, &bytes, &count, "png", &error, NULL)) {
        int code = complain(path, "%s", error->message);
        g_error_free(error);
        return code;
    }
    int code = output_open(&output, path);
    if (code == DONE) {
        output_write(&output, bytes, count);
        code = output_finish(&output);
    }
    g_free(bytes);
    return code;
}

int draw_field(const field_answer *answer, const char *picture, const char *png)
{
    const rf_range *rows = &answer->result.clipped[0], *columns = &answer->result.clipped[1];
    int width = 0, height = 0;
    int code = input_size(answer, &width, &height);
    if (code != DONE)
        return code;
    GdkPixbuf *scaled = load_scaled(picture, width, height);
    if (!scaled)
        return BAD_INPUT;
    const rectangle field = {(int)columns->first, (int)rows->first, (int)columns->last,
                             (int)rows->last};
    if (rows->first <= rows->last && columns->first <= columns->last)
        outline(scaled, &field);
    code = save(scaled, png);
    g_object_unref(scaled);
    return code;
}
