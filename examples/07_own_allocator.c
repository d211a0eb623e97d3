/* SPDX-License-Identifier: MIT */
/*
 * Lesson 7: memory on your terms. Every object takes its memory from an allocator that you may give,
 * stays within limits that you may set, and gives everything back.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rfield/rfield.h>

static const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 3, 32, 32)};
static const rf_layer layers[] = {
    {.name = "conv", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 16), RF_INTS("kernel_shape", 3, 3))},
    {.name = "relu", .type = "Relu"},
    {.name = "mean", .type = "GlobalAveragePool"},
};
static const rf_network network = {.inputs = &image, .input_count = 1, .layers = layers,
                                   .layer_count = sizeof layers / sizeof *layers};

/* The library keeps no state of its own: this is the caller's, reached through `context`. */
typedef struct account {
    size_t held, most;
} account;

static void *allocate(void *context, size_t bytes)
{
    account *mine = context;
    void *memory = malloc(bytes);
    if (!memory)
        return NULL;
    mine->held += bytes;
    if (mine->held > mine->most)
        mine->most = mine->held;
    return memory;
}

static void release(void *context, void *memory, size_t bytes)
{
    account *mine = context;
    mine->held -= bytes;
    free(memory);
}

static rf_status analyze_within(uint64_t memory_bytes, account *mine, rf_error *error)
{
    rf_allocator allocator = {allocate, release, mine};
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.allocator = &allocator; /* copied: it need not outlive the call */
    options.limits.memory_bytes = memory_bytes;
    const rf_analysis *analysis;
    rf_status status = rf_analyze(&network, &options, &analysis, error);
    rf_analysis_free(analysis);
    return status;
}

int main(void)
{
    account mine = {0};
    rf_error error;
    if (analyze_within(1 << 20, &mine, &error) != RF_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("within 1 MiB: took %s, %zu bytes not given back\n",
           mine.most <= 1 << 20 ? "no more than that" : "too much", mine.held);

    rf_status status = analyze_within(1 << 10, &mine, &error);
    printf("within 1 KiB: %s: %s\n", rf_status_name(status), error.message);
    printf("not given back: %zu bytes\n", mine.held);
    return mine.held != 0 || status == RF_OK;
}
