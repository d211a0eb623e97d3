/* SPDX-License-Identifier: MIT */
/* Networks of any length, described in memory. */
#ifndef BENCH_NETWORKS_H
#define BENCH_NETWORKS_H

#include <rfield/network.h>

typedef struct bench_network {
    rf_network network;
    rf_tensor input;
    rf_layer *layers;
    struct bench_layer *parts; /* what the layers point to */
} bench_network;

/* NULL without memory; given back with bench_network_free. */
bench_network *bench_resnet152(void);

/* `layers` layers, convolutions and activations by turns. */
bench_network *bench_chain(size_t layers);

void bench_network_free(bench_network *described);

#endif
