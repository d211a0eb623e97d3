/* SPDX-License-Identifier: MIT */
/*
 * Lesson 2: load a network from a file, give its input a shape, and print the totals.
 *
 *     02_load_onnx MODEL [INPUT DIM ...]
 *
 * MODEL is an ONNX file, or a JSON network. Weights are never read: the file is mapped and only its
 * structure is looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <rfield/rfield.h>

static int fail(const rf_error *error)
{
    fprintf(stderr, "%s: %s\n", rf_status_name(error->status), error->message);
    return 1;
}

static void print_totals(const rf_analysis *analysis)
{
    printf("%s: %zu layers\n", analysis->name, analysis->layer_count);
    printf("parameters       %12" PRIu64 "\n", analysis->parameters);
    printf("multiplications  %12" PRIu64 "\n", analysis->dense.multiplications);
    printf("  off padding    %12" PRIu64 "\n", analysis->valid.multiplications);
    printf("peak activations %12" PRIu64 " bytes\n", analysis->peak_activation_bytes);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc - 3 > RF_MAX_RANK) {
        fprintf(stderr, "usage: %s MODEL [INPUT DIM ...]\n", argv[0]);
        return 2;
    }

    const rf_network *network;
    rf_error error;
    if (rf_network_load(argv[1], NULL, &network, &error) != RF_OK)
        return fail(&error);

    /* The shape overrides the file's; without one, only an unknown batch size has a default: 1. */
    rf_binding binding = {.name = argc > 2 ? argv[2] : NULL};
    for (int k = 3; k < argc; k++)
        binding.shape.dims[binding.shape.rank++] = strtoll(argv[k], NULL, 10);

    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = argc > 2;

    const rf_analysis *analysis;
    rf_status status = rf_analyze(network, &options, &analysis, &error);
    if (status == RF_OK)
        print_totals(analysis);

    /* The analysis points into the network, so it goes first. Both take NULL. */
    rf_analysis_free(analysis);
    rf_network_free(network);
    return status == RF_OK ? 0 : fail(&error);
}
