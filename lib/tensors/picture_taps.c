/* SPDX-License-Identifier: MIT */
/*
 * Bilinear resampling in one dimension. A triangle is put over the point of the
 * input that an output's centre falls on. It reaches one input pixel to both
 * sides or, where the axis shrinks and pixels would otherwise be skipped, one
 * output pixel. Weights are those of the triangle at the pixels' centres,
 * divided by their sum, so that what the triangle has outside the picture is
 * shared out among the pixels inside.
 */
#include "tensors/picture_taps.h"

#include <math.h>

/* Input pixels for each output pixel. */
static double scale_of(const rf_axis_resize *axis)
{
    return (double)axis->input / (double)axis->resized;
}

static double reach_of(const rf_axis_resize *axis)
{
    double scale = scale_of(axis);
    return axis->antialias && scale > 1 ? scale : 1;
}

/* Kept within the axis: a double may be a little beside it. */
static int64_t clip(double position, int64_t most)
{
    return position <= 0 ? 0 : position >= (double)most ? most : (int64_t)position;
}

/* The first pixel whose centre lies beyond `position`. */
static int64_t pixel_after(const rf_axis_resize *axis, double position)
{
    return clip(floor(position + 0.5), axis->input);
}

size_t rf_taps_limit(const rf_axis_resize *axis)
{
    double most = 2 * reach_of(axis) + 2;
    return (size_t)(most >= (double)axis->input ? axis->input : (int64_t)most);
}

/* The two nearest pixels, where no more are averaged; past an edge, its pixel twice. */
static rf_taps nearest_two(const rf_axis_resize *axis, double centre, float *weights)
{
    double left = floor(centre - 0.5);
    float share = (float)(centre - 0.5 - left);
    int64_t last = axis->input - 1;
    rf_taps taps = {clip(left, last), 2};
    if (left >= 0 && taps.first < last) {
        weights[0] = 1 - share;
        weights[1] = share;
        return taps;
    }
    weights[0] = 1;
    taps.count = 1;
    return taps;
}

static void normalise(float *weights, int64_t count, double sum)
{
    for (int64_t i = 0; i < count; i++)
        weights[i] = (float)(weights[i] / sum);
}

rf_taps rf_taps_of(const rf_axis_resize *axis, int64_t i, float *weights)
{
    double centre = ((double)(axis->first + i) + 0.5) * scale_of(axis), reach = reach_of(axis), sum = 0;
    if (reach <= 1)
        return nearest_two(axis, centre, weights);
    int64_t first = pixel_after(axis, centre - reach), end = pixel_after(axis, centre + reach);
    int64_t limit = (int64_t)rf_taps_limit(axis);
    rf_taps taps = {first, end - first < limit ? end - first : limit};
    for (int64_t k = 0; k < taps.count; k++) {
        double distance = fabs((double)(first + k) + 0.5 - centre);
        double weight = distance < reach ? 1 - distance / reach : 0;
        weights[k] = (float)weight;
        sum += (double)weights[k];
    }
    normalise(weights, taps.count, sum);
    return taps;
}
