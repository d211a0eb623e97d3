/* SPDX-License-Identifier: MIT */
/* What train_fashion_mnist and train_digits share: the loop over epochs, its options, and what it tells. */
#ifndef TRAINING_LOOP_H
#define TRAINING_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <rfield/rfield.h>

/* Pictures [count, channels, height, width] and their classes. */
typedef struct labelled {
    float *pixels;
    int64_t *classes;
    size_t count, pixels_each;
} labelled;

typedef struct training {
    const rf_network *network; /* without weights; one input "pixels", one output "scores" */
    rf_shape shape;            /* of a batch of pictures */
    size_t classes;
    labelled learn, test;      /* what is learnt from, and what is held out */
    size_t mirror_row;         /* 0, or the width of rows that are mirrored at random */
    double rate;               /* the largest; it rises and falls in one cycle */
    double decay;
    /* Options of the command line. */
    unsigned long epochs, seed, threads;
    const char *data;          /* where the data set lies */
    const char *output;        /* NULL, or the ONNX file to write */
} training;

/* Reads --epochs, --seed, --threads, --data and --output into what is set already; false after a line on stderr. */
bool training_options(training *it, int argc, char **argv);

/* Room for `count` pictures; false without memory. */
bool labelled_make(labelled *made, size_t count, size_t pixels_each);
void labelled_free(labelled *of);

/* Trains, saves and ends with the line "test accuracy: 0.NNNN". The exit status. */
int training_run(training *it);

#endif
