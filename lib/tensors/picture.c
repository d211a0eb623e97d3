/* SPDX-License-Identifier: MIT */
/*
 * A picture as a network's input. Rows are combined first, one output row at a
 * time, then the columns of that one row: the memory taken is a row of the
 * picture, whatever its height.
 */
#include <rfield/tensors.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/options.h"
#include "tensors/picture_taps.h"

/* One call. */
typedef struct picture_job {
    const rf_pixels *pixels;
    rf_picture_options options;
    int32_t channels; /* of the tensor */
    int32_t colours;  /* of the picture: 1 or 3 */
    int64_t height, width;
    rf_axis_resize rows, columns;
    float *elements;
    rf_error *error;

    /* Working memory: */
    float *row;           /* the picture's row combined from several, `colours` floats a pixel */
    float *row_weights;
    float *column_weights; /* `taps_limit` for each output column */
    rf_taps *column_taps;
    size_t taps_limit;
} picture_job;

static rf_status bad(rf_error *error, const char *subject, const char *expected, int64_t given)
{
    return rf_fail(error, RF_ERROR_ARGUMENT, subject,
                   "rf_picture_to_tensor: %s is %" PRId64 "; expected %s", subject, given, expected);
}

static rf_status null_argument(rf_error *error, const char *subject)
{
    return rf_fail(error, RF_ERROR_ARGUMENT, subject, "rf_picture_to_tensor: %s is NULL", subject);
}

static rf_status check_pixels(const rf_pixels *pixels, rf_error *error)
{
    int64_t needed, bytes;
    if (!pixels)
        return null_argument(error, "pixels");
    if (!pixels->data)
        return null_argument(error, "pixels.data");
    if (pixels->width < 1)
        return bad(error, "pixels.width", "at least 1", pixels->width);
    if (pixels->height < 1)
        return bad(error, "pixels.height", "at least 1", pixels->height);
    if (pixels->channels < 1 || pixels->channels > 4)
        return bad(error, "pixels.channels", "1 to 4", pixels->channels);
    if (!rf_checked_mul(pixels->width, pixels->channels, &needed) || pixels->row_bytes < needed)
        return bad(error, "pixels.row_bytes", "at least width * channels", pixels->row_bytes);
    if (!rf_checked_mul(pixels->row_bytes, pixels->height, &bytes) || bytes > PTRDIFF_MAX)
        return bad(error, "pixels.height", "a picture of at most PTRDIFF_MAX bytes", pixels->height);
    return RF_OK;
}

static rf_status check_tensor(const picture_job *job)
{
    int64_t count = (int64_t)sizeof(float);
    if (!job->elements)
        return null_argument(job->error, "elements");
    if (job->channels != 1 && job->channels != 3)
        return bad(job->error, "channels", "1 or 3", job->channels);
    if (job->height < 1)
        return bad(job->error, "height", "at least 1", job->height);
    if (job->width < 1)
        return bad(job->error, "width", "at least 1", job->width);
    if (!rf_checked_mul(count, job->channels, &count) || !rf_checked_mul(count, job->height, &count)
        || !rf_checked_mul(count, job->width, &count) || count > PTRDIFF_MAX)
        return bad(job->error, "height", "a tensor of at most PTRDIFF_MAX bytes", job->height);
    return RF_OK;
}

static rf_status check_options(const picture_job *job)
{
    const rf_picture_options *options = &job->options;
    if (options->shorter_side < 0)
        return bad(job->error, "options.shorter_side", "0 or more", options->shorter_side);
    if (options->order != RF_CHANNELS_RGB && options->order != RF_CHANNELS_BGR)
        return bad(job->error, "options.order", "RF_CHANNELS_RGB or RF_CHANNELS_BGR", options->order);
    if (options->layout != RF_NCHW && options->layout != RF_NHWC)
        return bad(job->error, "options.layout", "RF_NCHW or RF_NHWC", options->layout);
    for (int32_t i = 0; i < job->channels; i++) {
        if (!isfinite(options->mean[i]))
            return rf_fail(job->error, RF_ERROR_ARGUMENT, "options.mean",
                           "rf_picture_to_tensor: options.mean[%d] is not finite", (int)i);
        if (!isfinite(options->deviation[i]) || options->deviation[i] == 0)
            return rf_fail(job->error, RF_ERROR_ARGUMENT, "options.deviation",
                           "rf_picture_to_tensor: options.deviation[%d] is %g; expected a finite number "
                           "other than 0", (int)i, (double)options->deviation[i]);
    }
    return RF_OK;
}

/* ---- Extents ----------------------------------------------------------------------------- */

/* The longer side in proportion, rounded down: side * longer / shorter, which may not fit. */
static bool in_proportion(int64_t side, int64_t longer, int64_t shorter, int64_t *resized)
{
    int64_t whole, rest;
    return rf_checked_mul(longer / shorter, side, &whole) && rf_checked_mul(longer % shorter, side, &rest)
           && rf_checked_add(whole, rest / shorter, resized);
}

static rf_status set_resized(picture_job *job)
{
    int64_t side = job->options.shorter_side, width = job->pixels->width, height = job->pixels->height;
    job->rows.resized = side ? side : job->height;
    job->columns.resized = side ? side : job->width;
    if (side == 0)
        return RF_OK;
    bool fits = width < height ? in_proportion(side, height, width, &job->rows.resized)
                               : in_proportion(side, width, height, &job->columns.resized);
    if (!fits)
        return bad(job->error, "options.shorter_side", "less, for a picture of these proportions", side);
    return RF_OK;
}

/* The middle; of two middles the even one, as torchvision has it. */
static int64_t middle(int64_t resized, int64_t kept)
{
    int64_t rest = resized - kept;
    return rest / 2 + (rest % 2 && rest / 2 % 2);
}

static rf_status set_extents(picture_job *job)
{
    job->rows = (rf_axis_resize){.input = job->pixels->height, .count = job->height,
                                 .antialias = job->options.antialias};
    job->columns = (rf_axis_resize){.input = job->pixels->width, .count = job->width,
                                    .antialias = job->options.antialias};
    RF_TRY(set_resized(job));
    if (job->rows.resized < job->height || job->columns.resized < job->width)
        return rf_fail(job->error, RF_ERROR_SHAPE, "options.shorter_side",
                       "a crop of %" PRId64 "x%" PRId64 " does not fit the picture resized to %" PRId64
                       "x%" PRId64 " (width by height)",
                       job->width, job->height, job->columns.resized, job->rows.resized);
    job->rows.first = middle(job->rows.resized, job->height);
    job->columns.first = middle(job->columns.resized, job->width);
    return RF_OK;
}

/* ---- Pixels ------------------------------------------------------------------------------ */

/* Row `y` of the result, not yet resized along its columns. */
static void combine_rows(picture_job *job, int64_t y)
{
    rf_taps taps = rf_taps_of(&job->rows, y, job->row_weights);
    const rf_pixels *pixels = job->pixels;
    size_t width = (size_t)pixels->width, colours = (size_t)job->colours, step = (size_t)pixels->channels;
    memset(job->row, 0, width * colours * sizeof *job->row);
    for (int64_t k = 0; k < taps.count; k++) {
        const uint8_t *from = pixels->data + (taps.first + k) * pixels->row_bytes;
        float weight = job->row_weights[k];
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < colours; c++)
                job->row[x * colours + c] += weight * (float)from[x * step + c];
    }
}

static void combine_columns(const picture_job *job, int64_t x, float colour[3])
{
    rf_taps taps = job->column_taps[x];
    const float *weights = job->column_weights + (size_t)x * job->taps_limit;
    size_t colours = (size_t)job->colours;
    for (size_t c = 0; c < colours; c++) {
        const float *from = job->row + (size_t)taps.first * colours + c;
        float sum = 0;
        for (int64_t k = 0; k < taps.count; k++)
            sum += weights[k] * from[(size_t)k * colours];
        colour[c] = sum;
    }
    if (colours == 1)
        colour[1] = colour[2] = colour[0];
}

static void store(const picture_job *job, int64_t y, int64_t x, const float colour[3])
{
    const rf_picture_options *options = &job->options;
    size_t at = (size_t)(y * job->width + x), channels = (size_t)job->channels;
    size_t plane = (size_t)(job->height * job->width);
    for (size_t c = 0; c < channels; c++) {
        float pixel = colour[options->order == RF_CHANNELS_BGR ? 2 - c : c];
        if (channels == 1 && job->colours == 3)
            pixel = 0.299f * colour[0] + 0.587f * colour[1] + 0.114f * colour[2];
        float element = (pixel / 255 - options->mean[c]) / options->deviation[c];
        job->elements[options->layout == RF_NHWC ? at * channels + c : c * plane + at] = element;
    }
}

static void fill(picture_job *job)
{
    for (int64_t x = 0; x < job->width; x++)
        job->column_taps[x] =
            rf_taps_of(&job->columns, x, job->column_weights + (size_t)x * job->taps_limit);
    for (int64_t y = 0; y < job->height; y++) {
        combine_rows(job, y);
        for (int64_t x = 0; x < job->width; x++) {
            float colour[3];
            combine_columns(job, x, colour);
            store(job, y, x, colour);
        }
    }
}

/* ---- Memory ------------------------------------------------------------------------------ */

static void *take(size_t count, size_t each, size_t size)
{
    size_t bytes;
    if (!rf_checked_mul(count, each, &bytes) || !rf_checked_mul(bytes, size, &bytes) || bytes > PTRDIFF_MAX)
        return NULL;
    return malloc(bytes);
}

static bool take_memory(picture_job *job)
{
    job->taps_limit = rf_taps_limit(&job->columns);
    job->row = take((size_t)job->pixels->width, (size_t)job->colours, sizeof *job->row);
    job->row_weights = take(rf_taps_limit(&job->rows), 1, sizeof *job->row_weights);
    job->column_weights = take((size_t)job->width, job->taps_limit, sizeof *job->column_weights);
    job->column_taps = take((size_t)job->width, 1, sizeof *job->column_taps);
    return job->row && job->row_weights && job->column_weights && job->column_taps;
}

static void release_memory(picture_job *job)
{
    free(job->row);
    free(job->row_weights);
    free(job->column_weights);
    free(job->column_taps);
}

rf_status rf_picture_to_tensor(const rf_pixels *pixels, const rf_picture_options *options,
                               int32_t channels, int64_t height, int64_t width, float *elements,
                               rf_error *error)
{
    picture_job job = {.pixels = pixels, .options = RF_PICTURE_OPTIONS_DEFAULT, .channels = channels,
                       .height = height, .width = width, .elements = elements, .error = error};
    RF_TRY(rf_options_take(&job.options, sizeof job.options, options, "rf_picture_options",
                           "RF_PICTURE_OPTIONS_DEFAULT", error));
    RF_TRY(check_pixels(pixels, error));
    RF_TRY(check_tensor(&job));
    RF_TRY(check_options(&job));
    RF_TRY(set_extents(&job));
    job.colours = pixels->channels < 3 ? 1 : 3;
    bool enough = take_memory(&job);
    if (enough)
        fill(&job);
    release_memory(&job);
    return enough ? RF_OK : rf_fail(error, RF_ERROR_MEMORY, "pixels", "no memory to resize the picture");
}
