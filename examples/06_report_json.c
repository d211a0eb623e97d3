/* SPDX-License-Identifier: MIT */
/*
 * Lesson 6: a whole report through a callback. The library prints nothing itself; it hands text over
 * in pieces, which may go to a file, a socket or, as here, a buffer of a size that we chose.
 */
#include <stdio.h>
#include <string.h>

#include <rfield/rfield.h>

static const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 1, 28, 28)};
static const rf_layer layers[] = {
    {.name = "conv", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 8), RF_INTS("kernel_shape", 5, 5))},
    {.name = "relu", .type = "Relu"},
    {.name = "digits", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", 10))},
};
static const rf_network network = {.name = "tiny", .inputs = &image, .input_count = 1,
                                   .layers = layers, .layer_count = sizeof layers / sizeof *layers};

typedef struct buffer {
    char text[8192];
    size_t used;
} buffer;

/* Returning false stops the report with RF_ERROR_IO. */
static bool append(void *context, const char *text, size_t bytes)
{
    buffer *to = context;
    if (bytes >= sizeof to->text - to->used)
        return false;
    memcpy(to->text + to->used, text, bytes);
    to->used += bytes;
    to->text[to->used] = '\0';
    return true;
}

static rf_status report(const rf_analysis *analysis, buffer *to, rf_error *error)
{
    rf_report_options options = {
        .size = sizeof options,
        .format = RF_REPORT_JSON,
        .convention = "torchvision", /* what another tool would count, beside our counts */
    };
    return rf_report(analysis, &options, append, to, error);
}

int main(void)
{
    static buffer json;
    const rf_analysis *analysis;
    rf_error error;
    rf_status status = rf_analyze(&network, NULL, &analysis, &error);
    if (status == RF_OK)
        status = report(analysis, &json, &error);
    if (status == RF_OK)
        fputs(json.text, stdout);
    else
        fprintf(stderr, "%s\n", error.message);
    rf_analysis_free(analysis);
    return status != RF_OK;
}
