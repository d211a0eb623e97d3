/* SPDX-License-Identifier: MIT */
/*
 * A real use: finds lines of text in a picture, with a detector of PaddleOCR's family (a
 * convolutional network that puts out, for each pixel, how likely it lies in a line's core).
 *
 *     12_find_text ch_PP-OCRv4_det_infer.onnx PICTURE [OUTPUT.png]
 *
 * Prints X,Y,WIDTH,HEIGHT, a tab and the likelihood of each line, as far as lines are level, and
 * draws the boxes where an output is named. Needs gdk-pixbuf; see 11_read_line for the models.
 */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <rfield/rfield.h>

/* Sides are multiples of what the network's strides come to, and shrunk to the most. */
enum { STEP = 32, MOST_SIDE = 960, LEAST_REGION_SIDE = 3 };
static const float text_threshold = 0.3F, box_threshold = 0.6F;
/* Lines are found by a core without their rim; a box grows by this much of its area over its perimeter. */
static const double unclip_ratio = 1.6;

/* ---- Regions ----------------------------------------------------------------------------- */

/* The likelihoods, and which pixels have been visited. */
typedef struct text_map {
    const float *likelihood;
    int64_t width, height;
    bool *seen;
    int64_t *waiting; /* room for every pixel: each waits once at most */
} text_map;

typedef struct region {
    int64_t left, top, right, bottom; /* the pixels at the edges, included */
    int64_t pixels;
    double sum; /* of likelihoods */
} region;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static size_t wait_for_neighbours(text_map *map, int64_t x, int64_t y, size_t count)
{
    for (int64_t v = most(y - 1, 0); v <= least(y + 1, map->height - 1); v++)
        for (int64_t u = most(x - 1, 0); u <= least(x + 1, map->width - 1); u++) {
            int64_t at = v * map->width + u;
            if (map->seen[at] || !(map->likelihood[at] > text_threshold))
                continue;
            map->seen[at] = true;
            map->waiting[count++] = at;
        }
    return count;
}

/* The pixels above the threshold that touch the one at `start`, by sides or corners. */
static region region_at(text_map *map, int64_t start)
{
    region found = {.left = map->width, .top = map->height, .right = -1, .bottom = -1};
    size_t count = 1;
    map->seen[start] = true;
    map->waiting[0] = start;
    while (count > 0) {
        int64_t at = map->waiting[--count], x = at % map->width, y = at / map->width;
        found.left = least(found.left, x);
        found.right = most(found.right, x);
        found.top = least(found.top, y);
        found.bottom = most(found.bottom, y);
        found.sum += (double)map->likelihood[at];
        found.pixels++;
        count = wait_for_neighbours(map, x, y, count);
    }
    return found;
}

/* ---- Boxes ------------------------------------------------------------------------------- */

static void draw_box(GdkPixbuf *picture, const int64_t box[4])
{
    static const guint32 red = 0xFF0000FF;
    const int64_t sides[4][4] = {{box[0], box[1], box[2], 1},
                                 {box[0], box[1] + box[3] - 1, box[2], 1},
                                 {box[0], box[1], 1, box[3]},
                                 {box[0] + box[2] - 1, box[1], 1, box[3]}};
    for (int k = 0; k < 4; k++) {
        GdkPixbuf *side = gdk_pixbuf_new_subpixbuf(picture, (int)sides[k][0], (int)sides[k][1],
                                                   (int)sides[k][2], (int)sides[k][3]);
        gdk_pixbuf_fill(side, red);
        g_object_unref(side);
    }
}

/* From the map's pixels to the picture's, grown and kept within the picture: x, y, width, height. */
static void box_of(const region *found, const text_map *map, const GdkPixbuf *picture, int64_t box[4])
{
    double width = (double)(found->right - found->left + 1);
    double height = (double)(found->bottom - found->top + 1);
    double rim = width * height * unclip_ratio / (2 * (width + height));
    int64_t picture_width = gdk_pixbuf_get_width(picture), picture_height = gdk_pixbuf_get_height(picture);
    double across = (double)picture_width / (double)map->width;
    double down = (double)picture_height / (double)map->height;
    box[0] = most((int64_t)floor(((double)found->left - rim) * across), 0);
    box[1] = most((int64_t)floor(((double)found->top - rim) * down), 0);
    box[2] = least((int64_t)ceil(((double)found->right + 1 + rim) * across), picture_width) - box[0];
    box[3] = least((int64_t)ceil(((double)found->bottom + 1 + rim) * down), picture_height) - box[1];
}

static void print_boxes(text_map *map, GdkPixbuf *picture, bool draw)
{
    for (int64_t at = 0; at < map->width * map->height; at++) {
        if (map->seen[at] || !(map->likelihood[at] > text_threshold))
            continue;
        region found = region_at(map, at);
        double likelihood = found.sum / (double)found.pixels;
        if (likelihood < (double)box_threshold || found.right - found.left + 1 < LEAST_REGION_SIDE
            || found.bottom - found.top + 1 < LEAST_REGION_SIDE)
            continue;
        int64_t box[4];
        box_of(&found, map, picture, box);
        printf("%d,%d,%d,%d\t%.3f\n", (int)box[0], (int)box[1], (int)box[2], (int)box[3], likelihood);
        if (draw)
            draw_box(picture, box);
    }
}

/* ---- Running ----------------------------------------------------------------------------- */

static int64_t side_for(int64_t side, int64_t longer)
{
    double shrunk = (double)side * fmin(1, (double)MOST_SIDE / (double)longer);
    return most((int64_t)(shrunk / STEP + 0.5) * STEP, STEP);
}

/* Means and deviations are meant for red, green and blue, but the network was trained with blue first. */
static rf_status fill_elements(const GdkPixbuf *picture, const rf_shape *shape, float *elements,
                               rf_error *error)
{
    rf_pixels pixels = {.data = gdk_pixbuf_read_pixels(picture),
                        .width = gdk_pixbuf_get_width(picture),
                        .height = gdk_pixbuf_get_height(picture),
                        .row_bytes = gdk_pixbuf_get_rowstride(picture),
                        .channels = gdk_pixbuf_get_n_channels(picture)};
    rf_picture_options options = RF_PICTURE_OPTIONS_DEFAULT;
    static const float mean[3] = {0.485F, 0.456F, 0.406F}, deviation[3] = {0.229F, 0.224F, 0.225F};
    options.order = RF_CHANNELS_BGR;
    for (int k = 0; k < 3; k++) {
        options.mean[k] = mean[k];
        options.deviation[k] = deviation[k];
    }
    return rf_picture_to_tensor(&pixels, &options, 3, shape->dims[2], shape->dims[3], elements, error);
}

static rf_status print_text(const rf_tensor *scores, GdkPixbuf *picture, bool draw, rf_error *error)
{
    const int64_t *dims = scores->shape.dims;
    if (scores->dtype != RF_FLOAT32 || scores->shape.rank != 4 || dims[0] != 1 || dims[1] != 1) {
        *error = (rf_error){.status = RF_ERROR_SHAPE, .message = "expected scores of [1, 1, height, width]"};
        return error->status;
    }
    size_t count = (size_t)(dims[2] * dims[3]);
    text_map map = {.likelihood = scores->data, .width = dims[3], .height = dims[2],
                    .seen = calloc(count + 1, sizeof *map.seen),
                    .waiting = malloc((count + 1) * sizeof *map.waiting)};
    bool ready = map.seen && map.waiting;
    if (ready)
        print_boxes(&map, picture, draw);
    else
        *error = (rf_error){.status = RF_ERROR_MEMORY, .message = "no memory for the map of text"};
    free(map.seen);
    free(map.waiting);
    return ready ? RF_OK : error->status;
}

static rf_status find_text(const rf_network *network, GdkPixbuf *picture, bool draw, rf_error *error)
{
    int64_t height = gdk_pixbuf_get_height(picture), width = gdk_pixbuf_get_width(picture);
    int64_t longer = most(height, width);
    rf_binding binding = {.name = network->input_count == 1 ? network->inputs[0].name : "x",
                          .shape = RF_SHAPE(1, 3, side_for(height, longer), side_for(width, longer))};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    rf_model *model = NULL;
    rf_session *session = NULL;
    rf_tensor scores = {.name = NULL};
    options.bindings = &binding;
    options.binding_count = 1;

    size_t outputs, bytes = (size_t)(3 * binding.shape.dims[2] * binding.shape.dims[3]) * sizeof(float);
    float *elements = malloc(bytes);
    rf_status status = fill_elements(picture, &binding.shape, elements, error);
    if (status == RF_OK)
        status = rf_compile(network, &options, &model, error);
    if (status == RF_OK)
        status = rf_session_make(model, NULL, &session, error);
    if (status == RF_OK)
        status = rf_session_bind_input(session, binding.name, elements, bytes, error);
    if (status == RF_OK)
        status = rf_run(session, error);
    if (status == RF_OK)
        status = rf_session_output(session, rf_model_outputs(model, &outputs)[0].name, &scores, error);
    if (status == RF_OK)
        status = print_text(&scores, picture, draw, error);
    rf_session_free(session);
    rf_model_free(model);
    free(elements);
    return status;
}

/* The exit status of a failure. */
static int complain(const char *path, GError *reason)
{
    fprintf(stderr, "%s: %s\n", path, reason->message);
    g_error_free(reason);
    return 1;
}

int main(int argc, char **argv)
{
    const rf_network *network = NULL;
    rf_error error;
    GError *reason = NULL;
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s MODEL PICTURE [OUTPUT.png]\n", argv[0]);
        return 2;
    }
    GdkPixbuf *picture = gdk_pixbuf_new_from_file(argv[2], &reason);
    if (!picture)
        return complain(argv[2], reason);
    rf_status status = rf_network_load(argv[1], NULL, &network, &error);
    if (status == RF_OK)
        status = find_text(network, picture, argc > 3, &error);
    int failed = status != RF_OK;
    if (failed)
        fprintf(stderr, "%s: %s\n", rf_status_name(status), error.message);
    else if (argc > 3 && !gdk_pixbuf_save(picture, argv[3], "png", &reason, NULL))
        failed = complain(argv[3], reason);
    rf_network_free(network);
    g_object_unref(picture);
    return failed;
}
