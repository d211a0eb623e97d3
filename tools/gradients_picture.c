/* SPDX-License-Identifier: MIT */
/*
 * Bars: for each layer, from left to right, |dL/dA| and |dL/db| on a logarithmic scale with a line at each power of
 * ten, and hanging below the share of saturated activations.
 */
#include "gradients_answer.h"

#include <math.h>

#include "field_drawing.h"

enum { MARGIN = 16, PLOT = 320, SHARE = 80, MOST_WIDTH = 16384, WIDEST_BAR = 10 };

typedef struct colour {
    guchar rgb[3];
} colour;

static const colour paper = {{255, 255, 255}}, line = {{208, 208, 208}}, axis = {{64, 64, 64}}, weights = {{46, 110, 190}},
                    biases = {{240, 150, 50}}, saturated = {{200, 50, 50}};

static void fill(GdkPixbuf *picture, int left, int top, int width, int height, const colour *of)
{
    guchar *pixels = gdk_pixbuf_get_pixels(picture);
    size_t stride = (size_t)gdk_pixbuf_get_rowstride(picture);
    for (int y = top; y < top + height; y++)
        for (int x = left; x < left + width; x++)
            for (int c = 0; c < 3; c++)
                pixels[(size_t)y * stride + 3 * (size_t)x + (size_t)c] = of->rgb[c];
}

/* Pixels that a norm reaches up; what is not finite reaches the top. */
static int height_of(double norm, int lowest, int highest)
{
    if (!(norm > 0))
        return norm == 0 ? 0 : PLOT;
    double share = (log10(norm) - lowest) / (highest - lowest);
    return share > 1 ? PLOT : share < 0 ? 0 : (int)(share * PLOT + 0.5);
}

static void draw_bars(GdkPixbuf *picture, const rf_gradient_report *report, int bar)
{
    int lowest, highest;
    gradients_decades(report, &lowest, &highest);
    fill(picture, 0, 0, gdk_pixbuf_get_width(picture), gdk_pixbuf_get_height(picture), &paper);
    for (int decade = lowest; decade <= highest; decade++)
        fill(picture, MARGIN, MARGIN + PLOT - (decade - lowest) * PLOT / (highest - lowest),
             gdk_pixbuf_get_width(picture) - 2 * MARGIN, 1, decade == lowest ? &axis : &line);
    for (size_t i = 0; i < report->layer_count; i++) {
        const rf_layer_gradient *layer = &report->layers[i];
        int left = MARGIN + (int)i * 3 * bar, bottom = MARGIN + PLOT;
        int weight = height_of(layer->weight_norm, lowest, highest);
        int bias = layer->bias ? height_of(layer->bias_norm, lowest, highest) : 0;
        fill(picture, left, bottom - weight, bar, weight, &weights);
        fill(picture, left + bar, bottom - bias, bar, bias, &biases);
        if (layer->saturated >= 0)
            fill(picture, left, bottom + 1, 2 * bar, (int)(layer->saturated * SHARE + 0.5), &saturated);
    }
}

int draw_gradients(const gradients_answer *answer, const char *png)
{
    size_t layers = answer->report->layer_count;
    int bar = WIDEST_BAR;
    while (bar > 1 && layers > (size_t)(MOST_WIDTH - 2 * MARGIN) / (size_t)(3 * bar))
        bar--;
    if (layers > (size_t)(MOST_WIDTH - 2 * MARGIN) / (size_t)(3 * bar))
        return complain(png, "%zu layers do not fit into a picture of %d pixels", layers, MOST_WIDTH);
    GdkPixbuf *picture = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, 2 * MARGIN + (int)layers * 3 * bar,
                                        2 * MARGIN + PLOT + SHARE);
    if (!picture)
        return complain(png, "no memory for a picture of %zu layers", layers);
    draw_bars(picture, answer->report, bar);
    int code = drawing_save(picture, png);
    g_object_unref(picture);
    return code;
}
