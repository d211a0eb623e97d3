/* SPDX-License-Identifier: MIT */
/*
 * Makes a picture whose text is known: black lines of text on white, one below another.
 *
 *     render_text PICTURE.png SIZE TEXT ...
 *
 * Prints, for each line, the pixels that its ink covers: X,Y,WIDTH,HEIGHT. Needs cairo.
 */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void set_font(cairo_t *cairo, double size)
{
    cairo_select_font_face(cairo, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, size);
}

/* The widest line, which only a surface with the font can tell. */
static double widest(double size, char **lines, int count)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    double most = 1;
    set_font(cairo, size);
    for (int k = 0; k < count; k++) {
        cairo_text_extents_t extents;
        cairo_text_extents(cairo, lines[k], &extents);
        most = fmax(most, extents.x_bearing + extents.width);
    }
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return most;
}

static void draw_line(cairo_t *cairo, const char *text, double x, double baseline)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cairo, text, &extents);
    cairo_move_to(cairo, x, baseline);
    cairo_show_text(cairo, text);
    double left = floor(x + extents.x_bearing), top = floor(baseline + extents.y_bearing);
    printf("%.0f,%.0f,%.0f,%.0f\n", left, top, ceil(x + extents.x_bearing + extents.width) - left,
           ceil(baseline + extents.y_bearing + extents.height) - top);
}

int main(int argc, char **argv)
{
    double size = argc > 3 ? strtod(argv[2], NULL) : 0;
    if (!(size >= 4 && size <= 400)) {
        fprintf(stderr, "usage: %s PICTURE.png SIZE TEXT ...\n", argv[0]);
        return 2;
    }
    int count = argc - 3, pitch = (int)(size * 2.5), margin = (int)size / 2;
    int width = (int)ceil(widest(size, argv + 3, count)) + 2 * margin;
    int height = count == 1 ? (int)(size * 1.5) : pitch * count;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cairo = cairo_create(surface);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_set_source_rgb(cairo, 0, 0, 0);
    set_font(cairo, size);
    double first = count == 1 ? size * 1.1 : pitch * 0.6;
    for (int k = 0; k < count; k++)
        draw_line(cairo, argv[3 + k], margin, first + (double)k * pitch);
    cairo_status_t status = cairo_surface_write_to_png(surface, argv[1]);
    if (status != CAIRO_STATUS_SUCCESS)
        fprintf(stderr, "%s: %s\n", argv[1], cairo_status_to_string(status));
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return status != CAIRO_STATUS_SUCCESS;
}
