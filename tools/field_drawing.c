/* SPDX-License-Identifier: MIT */
#include "field_drawing.h"

#include <inttypes.h>

enum { LARGEST_SIDE = 16384 };

int drawing_size(const field_answer *answer, int *width, int *height)
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

GdkPixbuf *drawing_load(const char *path, int width, int height)
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

int drawing_save(GdkPixbuf *picture, const char *path)
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
