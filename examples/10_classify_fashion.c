/* SPDX-License-Identifier: MIT */
/*
 * A real use: classifies the test pictures of Fashion-MNIST (10,000 grey pictures of clothes, 28 by
 * 28) in batches on all processors, and prints which class was taken for which.
 *
 *     10_classify_fashion fashion_mnist.onnx t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz
 *
 * The files are those that the data set comes as, packed or unpacked. Needs zlib.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <rfield/rfield.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, BATCH = 100, MOST_PICTURES = 1000000 };
enum { MAGIC_LABELS = 0x801, MAGIC_PICTURES = 0x803 };

static const char *const class_names[CLASSES] = {"T-shirt", "Trousers", "Pullover", "Dress", "Coat",
                                                 "Sandal", "Shirt", "Sneaker", "Bag", "Boot"};

/* ---- The data set's files ---------------------------------------------------------------- */

static bool read_number(gzFile file, uint32_t *number)
{
    uint8_t bytes[4];
    if (gzread(file, bytes, sizeof bytes) != (int)sizeof bytes)
        return false;
    *number = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

/* The header of an idx file: what it holds, how many, and for pictures their extents. */
static bool read_header(gzFile file, uint32_t magic, uint32_t *count)
{
    uint32_t found, height = SIDE, width = SIDE;
    if (!read_number(file, &found) || found != magic || !read_number(file, count))
        return false;
    if (magic == MAGIC_PICTURES && (!read_number(file, &height) || !read_number(file, &width)))
        return false;
    return height == SIDE && width == SIDE && *count > 0 && *count <= MOST_PICTURES;
}

/* `count` items of `item_bytes` each, to be freed; NULL, after a line on stderr, where that fails. */
static uint8_t *read_items(const char *path, uint32_t magic, size_t item_bytes, uint32_t *count)
{
    gzFile file = gzopen(path, "rb"); /* reads unpacked files as they are */
    uint8_t *items = NULL;
    if (file && read_header(file, magic, count))
        items = malloc(*count * item_bytes);
    if (items && gzread(file, items, (unsigned)(*count * item_bytes)) != (int)(*count * item_bytes)) {
        free(items);
        items = NULL;
    }
    if (!items)
        fprintf(stderr, "%s: cannot be read, or is not the idx file expected here\n", path);
    if (file)
        gzclose(file);
    return items;
}

static bool labels_fit(const uint8_t *labels, size_t count, size_t pictures)
{
    bool fit = count == pictures;
    for (size_t n = 0; fit && n < count; n++)
        fit = labels[n] < CLASSES;
    if (!fit)
        fprintf(stderr, "expected %zu labels, each below %d\n", pictures, CLASSES);
    return fit;
}

/* ---- Running ----------------------------------------------------------------------------- */

typedef struct classifier {
    const rf_network *network;
    rf_model *model;
    rf_threads *threads;
    rf_session *session;
    float pixels[BATCH][PIXELS];
    float scores[BATCH][CLASSES];
} classifier;

static rf_status open_classifier(classifier *c, const char *path, rf_error *error)
{
    rf_binding binding = {.name = "pixels", .shape = RF_SHAPE(BATCH, 1, SIDE, SIDE)};
    rf_compile_options compile = RF_COMPILE_OPTIONS_DEFAULT;
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    rf_executor executor;
    compile.bindings = &binding;
    compile.binding_count = 1;
    rf_status status = rf_network_load(path, NULL, &c->network, error);
    if (status == RF_OK)
        status = rf_compile(c->network, &compile, &c->model, error);
    if (status == RF_OK)
        status = rf_threads_make(0, &c->threads, error);
    if (status != RF_OK)
        return status;
    executor = rf_threads_executor(c->threads);
    options.executor = &executor;
    status = rf_session_make(c->model, &options, &c->session, error);
    if (status == RF_OK)
        status = rf_session_bind_input(c->session, "pixels", c->pixels, sizeof c->pixels, error);
    if (status == RF_OK)
        status = rf_session_bind(c->session, "scores", c->scores, sizeof c->scores, error);
    return status;
}

static void close_classifier(classifier *c)
{
    rf_session_free(c->session);
    rf_threads_free(c->threads);
    rf_model_free(c->model);
    rf_network_free(c->network);
}

static size_t best_class(const float *scores)
{
    size_t best = 0;
    for (size_t k = 1; k < CLASSES; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

/* The last batch may hold fewer pictures; what else is in the buffer is run too, and not looked at. */
static rf_status classify(classifier *c, const uint8_t *pictures, size_t count, uint8_t *found,
                          rf_error *error)
{
    for (size_t first = 0; first < count; first += BATCH) {
        size_t here = count - first < BATCH ? count - first : BATCH;
        for (size_t k = 0; k < here * PIXELS; k++)
            c->pixels[k / PIXELS][k % PIXELS] = (float)pictures[first * PIXELS + k] / 255;
        rf_status status = rf_run(c->session, error);
        if (status != RF_OK)
            return status;
        for (size_t n = 0; n < here; n++)
            found[first + n] = (uint8_t)best_class(c->scores[n]);
    }
    return RF_OK;
}

/* ---- Telling ----------------------------------------------------------------------------- */

static void print_confusion(const uint8_t *labels, const uint8_t *found, size_t count)
{
    size_t seen[CLASSES][CLASSES] = {{0}}, right = 0;
    for (size_t n = 0; n < count; n++) {
        seen[labels[n]][found[n]]++;
        right += labels[n] == found[n];
    }
    printf("%-10s", "taken for:");
    for (size_t k = 0; k < CLASSES; k++)
        printf(" %8s", class_names[k]);
    putchar('\n');
    for (size_t n = 0; n < CLASSES; n++) {
        printf("%-10s", class_names[n]);
        for (size_t k = 0; k < CLASSES; k++)
            printf(" %8zu", seen[n][k]);
        putchar('\n');
    }
    printf("test accuracy: %.4f\n", (double)right / (double)count);
}

int main(int argc, char **argv)
{
    static classifier c;
    rf_error error;
    uint32_t count = 0, label_count = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: %s MODEL PICTURES LABELS\n", argv[0]);
        return 2;
    }
    uint8_t *pictures = read_items(argv[2], MAGIC_PICTURES, PIXELS, &count);
    uint8_t *labels = read_items(argv[3], MAGIC_LABELS, 1, &label_count);
    uint8_t *found = malloc((size_t)count + 1);
    bool ready = pictures && labels && found && labels_fit(labels, label_count, count);
    rf_status status = ready ? open_classifier(&c, argv[1], &error) : RF_OK;
    if (ready && status == RF_OK)
        status = classify(&c, pictures, count, found, &error);
    if (status != RF_OK)
        fprintf(stderr, "%s: %s\n", rf_status_name(status), error.message);
    else if (ready)
        print_confusion(labels, found, count);
    close_classifier(&c);
    free(found);
    free(labels);
    free(pictures);
    return !ready || status != RF_OK;
}
