/* SPDX-License-Identifier: MIT */
/*
 * Files for test_mpi.sh, and what became of them.
 *
 *     mpi_files make DIRECTORY          a classifier, examples of three classes, single examples
 *     mpi_files compare A B LARGEST     whether the constants of two networks differ by no more
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rfield/rfield.h>

enum { EXAMPLES = 50, SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 3 };

static const char network_text[] =
    "{\"rfield\": 1, \"inputs\": [{\"name\": \"x\", \"shape\": [1, 1, 8, 8]}], \"layers\": ["
    "{\"type\": \"Conv\", \"filters\": 6, \"kernel\": 3, \"pad\": 1}, {\"type\": \"Relu\"},"
    "{\"type\": \"MaxPool\", \"kernel\": 2, \"stride\": 2}, {\"type\": \"Flatten\"},"
    "{\"name\": \"y\", \"type\": \"Gemm\", \"filters\": 3}]}";

static int failed(const char *what, const rf_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->message);
    return 1;
}

/* ---- Files -------------------------------------------------------------------------------- */

static int save_tensor(const char *directory, const char *name, rf_tensor tensor)
{
    char path[512];
    rf_error error;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return rf_tensor_save(&tensor, path, &error) == RF_OK ? 0 : failed(path, &error);
}

static int save_text(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (!file)
        return 1;
    int code = fputs(text, file) < 0;
    return fclose(file) != 0 || code;
}

/* Noise, and a bright third of the picture that tells the class. */
static void fill(float *examples, int64_t *labels)
{
    rf_random random = rf_random_make(5);
    for (size_t n = 0; n < EXAMPLES; n++) {
        labels[n] = (int64_t)rf_random_below(&random, CLASSES);
        for (size_t i = 0; i < PIXELS; i++) {
            bool bright = (int64_t)(i * CLASSES / PIXELS) == labels[n];
            examples[n * PIXELS + i] = (float)(0.5 * rf_random_normal(&random) + (bright ? 1 : 0));
        }
    }
}

static int make(const char *directory)
{
    static float examples[EXAMPLES * PIXELS];
    int64_t labels[EXAMPLES];
    fill(examples, labels);
    rf_tensor data = {.name = "", .dtype = RF_FLOAT32, .shape = RF_SHAPE(EXAMPLES, 1, SIDE, SIDE), .data = examples,
                      .data_bytes = sizeof examples};
    rf_tensor classes = {.name = "", .dtype = RF_INT64, .shape = RF_SHAPE(EXAMPLES), .data = labels,
                         .data_bytes = sizeof labels};
    rf_tensor single = {.name = "", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 1, SIDE, SIDE),
                        .data_bytes = PIXELS * sizeof(float)};
    int code = save_text(directory, "network.json", network_text) || save_tensor(directory, "data.npy", data)
               || save_tensor(directory, "labels.npy", classes);
    for (size_t n = 0; n < 7 && !code; n++) {
        char name[64];
        snprintf(name, sizeof name, "files/example %zu.npy", (n * 3) % 7);
        single.data = examples + (n * 3) % 7 * PIXELS;
        code = save_tensor(directory, name, single);
    }
    labels[EXAMPLES / 2] = CLASSES;
    code = code || save_tensor(directory, "wrong_labels.npy", classes);
    examples[EXAMPLES / 2 * PIXELS] = NAN;
    return code || save_tensor(directory, "wrong_data.npy", data);
}

/* ---- Networks ----------------------------------------------------------------------------- */

static double largest_difference(const rf_tensor *a, const rf_tensor *b)
{
    const char *left = a->data, *right = b->data;
    double largest = 0;
    if (strcmp(a->name, b->name) != 0 || a->data_bytes != b->data_bytes || a->dtype != RF_FLOAT32)
        return a->dtype == b->dtype && a->data_bytes == b->data_bytes && memcmp(left, right, a->data_bytes) == 0
                   ? 0 : INFINITY;
    for (size_t i = 0; i < a->data_bytes; i += sizeof(float)) {
        float x, y;
        memcpy(&x, left + i, sizeof x);
        memcpy(&y, right + i, sizeof y);
        double difference = fabs((double)x - (double)y);
        largest = difference <= largest ? largest : difference;
    }
    return largest;
}

static int compare(const char *a, const char *b, double most)
{
    const rf_network *first, *second;
    rf_error error;
    double largest = 0;
    if (rf_network_load(a, NULL, &first, &error) != RF_OK)
        return failed(a, &error);
    if (rf_network_load(b, NULL, &second, &error) != RF_OK)
        return failed(b, &error);
    if (first->constant_count != second->constant_count || first->constant_count == 0)
        largest = INFINITY;
    for (size_t i = 0; i < first->constant_count && isfinite(largest); i++)
        largest = fmax(largest, largest_difference(&first->constants[i], &second->constants[i]));
    printf("largest difference %g\n", largest);
    rf_network_free(first);
    rf_network_free(second);
    return !(largest <= most);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "make") == 0)
        return make(argv[2]);
    if (argc == 5 && strcmp(argv[1], "compare") == 0)
        return compare(argv[2], argv[3], strtod(argv[4], NULL));
    return 2;
}
