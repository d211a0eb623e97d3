/* SPDX-License-Identifier: MIT */
#include "picture_input.h"

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "command.h"

/* A few bytes of a file can claim any size; what is larger than this is no input of a network. */
enum { LARGEST_SIDE = 32768 };

int picture_open(const char *path, picture_input **picture)
{
    GError *error = NULL;
    int width = 0, height = 0;
    *picture = NULL;
    if (gdk_pixbuf_get_file_info(path, &width, &height) && (width > LARGEST_SIDE || height > LARGEST_SIDE))
        return complain(path, "the picture has %dx%d pixels; at most %d along a side are read", width, height,
                        LARGEST_SIDE);
    GdkPixbuf *pixels = gdk_pixbuf_new_from_file(path, &error);
    *picture = (picture_input *)pixels;
    if (pixels)
        return DONE;
    int code = complain(path, "%s", error->message);
    g_error_free(error);
    return code;
}

rf_pixels picture_pixels(const picture_input *picture)
{
    const GdkPixbuf *pixels = (const GdkPixbuf *)picture;
    return (rf_pixels){
        .data = gdk_pixbuf_read_pixels(pixels),
        .width = gdk_pixbuf_get_width(pixels),
        .height = gdk_pixbuf_get_height(pixels),
        .row_bytes = gdk_pixbuf_get_rowstride(pixels),
        .channels = gdk_pixbuf_get_n_channels(pixels),
    };
}

void picture_close(picture_input *picture)
{
    if (picture)
        g_object_unref(picture);
}
