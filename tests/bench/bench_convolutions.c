/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of well-known networks, ours against oneDNN's, one shape after the other.
 *
 * The sides take turns in one process, some runs each, so that whatever else
 * the machine does meets all of them.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_tools.h"
#include "convolution_case.h"

static const char help[] =
    "usage: bench_convolutions [options]\n"
    "\n"
    "Prints, for each shape, the median and least milliseconds of our kernel and of oneDNN's direct and\n"
    "Winograd ones, and the ratio of ours to the better of the two (below 1: ours is faster).\n"
    "\n"
    "  --filter TEXT   only shapes whose name has this in it\n"
    "  --threads N     workers of either side, 1 by default\n"
    "  --isa NAME      our kernels of no better instruction set (oneDNN has ONEDNN_MAX_CPU_ISA)\n"
    "  --exact         of ours, only algorithms that round as a sum of products does\n"
    "  --runs N        timed runs of each side, 60 by default\n"
    "  --cold          weights and tensors change with each run, so that they come from memory\n"
    "  --help\n";

/* Those that the project is measured by. */
static const convolution_shape shapes[] = {
    {"r50_conv1 7x7s2", 1, 3, 224, 64, 7, 2, 3},
    {"r50_2_1x1a", 1, 64, 56, 64, 1, 1, 0},
    {"r50_2_3x3", 1, 64, 56, 64, 3, 1, 1},
    {"r50_2_1x1b", 1, 64, 56, 256, 1, 1, 0},
    {"r50_3_3x3", 1, 128, 28, 128, 3, 1, 1},
    {"r50_3_3x3s2", 1, 128, 56, 128, 3, 2, 1},
    {"r50_3_1x1b", 1, 128, 28, 512, 1, 1, 0},
    {"r50_4_3x3", 1, 256, 14, 256, 3, 1, 1},
    {"r50_4_1x1b", 1, 256, 14, 1024, 1, 1, 0},
    {"r50_5_3x3", 1, 512, 7, 512, 3, 1, 1},
    {"r50_5_1x1b", 1, 512, 7, 2048, 1, 1, 0},
    {"vgg_1_2", 1, 64, 224, 64, 3, 1, 1},
    {"vgg_3_2", 1, 256, 56, 256, 3, 1, 1},
    {"vgg_5_1", 1, 512, 14, 512, 3, 1, 1},
    {"mb2_dw_112", 96, 96, 112, 96, 3, 2, 1},
    {"mb2_dw_56", 144, 144, 56, 144, 3, 1, 1},
    {"mb2_dw_14", 384, 384, 14, 384, 3, 1, 1},
    {"incep5x5", 1, 96, 32, 96, 5, 1, 2},
    {"rx50_g32", 32, 128, 56, 128, 3, 1, 1},
};

enum { OURS, DIRECT, WINOGRAD, SIDES, BURST = 5, MOST_RUNS = 10000, MOST_THREADS = 256 };

/* Beyond what a core's share of any last cache holds. */
static const size_t cold_bytes = 160 << 20, most_copies = 64;

typedef struct bench_request {
    const char *filter, *isa;
    long threads, runs;
    bool exact, cold, help;
} bench_request;

/* ---- The case ----------------------------------------------------------------------------- */

static bool make_case(const convolution_shape *shape, convolution_case *problem)
{
    const convolution_shape *s = shape;
    int64_t extent = (s->extent + 2 * s->pad - s->kernel) / s->stride + 1;
    *problem = (convolution_case){
        .shape = *shape, .output_extent = extent, .input_floats = (size_t)(s->channels * s->extent * s->extent),
        .weight_floats = (size_t)(s->outputs * (s->channels / s->groups) * s->kernel * s->kernel),
        .output_floats = (size_t)(s->outputs * extent * extent),
    };
    problem->input = bench_allocate(problem->input_floats * sizeof(float));
    problem->weights = bench_allocate(problem->weight_floats * sizeof(float));
    problem->bias = bench_allocate((size_t)s->outputs * sizeof(float));
    if (!problem->input || !problem->weights || !problem->bias)
        return false;
    bench_fill(problem->input, problem->input_floats, 1);
    bench_fill(problem->weights, problem->weight_floats, 2);
    bench_fill(problem->bias, (size_t)s->outputs, 3);
    return true;
}

static void free_case(convolution_case *problem)
{
    free(problem->input);
    free(problem->weights);
    free(problem->bias);
}

static size_t copies_for(const convolution_case *problem, bool cold)
{
    size_t bytes = sizeof(float) * (problem->input_floats + problem->weight_floats + problem->output_floats);
    size_t copies = cold ? cold_bytes / bytes + 1 : 1;
    return copies < most_copies || bytes * most_copies < cold_bytes ? copies : most_copies;
}

/* ---- Timing ------------------------------------------------------------------------------- */

/* A burst begins with a run that does not count: the other side has just had the caches. */
static void take_burst(const contender *side, double *times, long done, long runs)
{
    side->run(side->self, (size_t)done % side->copies);
    for (long r = done; r < done + BURST && r < runs; r++) {
        double begin = bench_now();
        side->run(side->self, (size_t)(r + 1) % side->copies);
        times[r] = bench_now() - begin;
    }
}

static void take_turns(const contender *sides, double *const *times, const bench_request *request)
{
    for (long done = 0; done < request->runs; done += BURST)
        for (int side = 0; side < SIDES; side++) {
            if (!sides[side].self)
                continue;
            if (request->threads > 1)
                bench_rest(10);
            take_burst(&sides[side], times[side], done, request->runs);
        }
}

/* Largest difference of results over the largest result; NAN without memory. */
static double largest_error(const convolution_case *problem, const contender *a, const contender *b)
{
    float *left = calloc(problem->output_floats, sizeof *left), *right = calloc(problem->output_floats, sizeof *right);
    double error = NAN, largest = 0;
    a->run(a->self, 0);
    b->run(b->self, 0);
    if (left && right && a->result(a->self, left) && b->result(b->self, right)) {
        error = 0;
        for (size_t i = 0; i < problem->output_floats; i++) {
            error = fmax(error, fabs((double)left[i] - (double)right[i]));
            largest = fmax(largest, fabs((double)right[i]));
        }
    }
    free(left);
    free(right);
    return error / largest;
}

/* ---- Results ------------------------------------------------------------------------------ */

typedef struct totals {
    double log_median, log_least;
    int shapes;
} totals;

static double better(double direct, double winograd)
{
    return winograd > 0 && winograd < direct ? winograd : direct;
}

static void print_times(double median, double least)
{
    if (median > 0)
        printf(" %8.4f %8.4f", median, least);
    else
        printf(" %8s %8s", "-", "-");
}

static void print_row(const convolution_case *problem, const contender *sides, const double *median,
                      const double *least, totals *sums)
{
    double flops = 2.0 * (double)problem->weight_floats * (double)(problem->output_extent * problem->output_extent);
    double by_median = median[OURS] / better(median[DIRECT], median[WINOGRAD]);
    double by_least = least[OURS] / better(least[DIRECT], least[WINOGRAD]);
    printf("%-16s", problem->shape.name);
    for (int side = 0; side < SIDES; side++)
        print_times(median[side], least[side]);
    printf(" %8.1f %6.3f %6.3f %8.1e  %s | %s\n", flops / median[OURS] * 1e-6, by_median, by_least,
           largest_error(problem, &sides[OURS], &sides[DIRECT]), sides[OURS].algorithm, sides[DIRECT].algorithm);
    fflush(stdout);
    sums->log_median += log(by_median);
    sums->log_least += log(by_least);
    sums->shapes++;
}

static bool bench_sides(const convolution_case *problem, const contender *sides, const bench_request *request,
                        totals *sums)
{
    size_t runs = (size_t)request->runs;
    double *all = calloc(SIDES * runs, sizeof *all), median[SIDES] = {0}, least[SIDES] = {0};
    double *const times[SIDES] = {all, all + runs, all + 2 * runs};
    if (!all)
        return false;
    take_turns(sides, times, request);
    for (int side = 0; side < SIDES; side++) {
        if (!sides[side].self)
            continue;
        median[side] = bench_median(times[side], runs);
        least[side] = bench_least(times[side], runs);
    }
    free(all);
    print_row(problem, sides, median, least, sums);
    return true;
}

static bool bench_shape(const convolution_shape *shape, const bench_request *request, totals *sums)
{
    convolution_case problem;
    contender sides[SIDES] = {{0}};
    bool done = make_case(shape, &problem);
    size_t copies = copies_for(&problem, request->cold);
    done = done && contender_ours(&problem, request->isa, request->exact, (size_t)request->threads, copies,
                                  &sides[OURS]);
    done = done && contender_dnnl(&problem, false, copies, &sides[DIRECT]);
    if (done && shape->kernel == 3 && shape->stride == 1 && shape->groups == 1
        && !contender_dnnl(&problem, true, copies, &sides[WINOGRAD]))
        sides[WINOGRAD].self = NULL;
    if (done)
        done = bench_sides(&problem, sides, request, sums);
    else
        fprintf(stderr, "%s: one of the sides has no kernel, or no memory\n", shape->name);
    for (int side = 0; side < SIDES; side++)
        if (sides[side].self)
            sides[side].free(sides[side].self);
    free_case(&problem);
    return done;
}

/* ---- The command line --------------------------------------------------------------------- */

static bool take_number(const char *option, long most, long *number)
{
    char *end;
    *number = strtol(optarg, &end, 10);
    if (*optarg && !*end && *number >= 1 && *number <= most)
        return true;
    fprintf(stderr, "--%s: '%s' is not a number from 1 to %ld\n", option, optarg, most);
    return false;
}

static bool take_option(int answer, bench_request *request)
{
    switch (answer) {
    case 'f': request->filter = optarg; return true;
    case 'i': request->isa = optarg; return true;
    case 'e': request->exact = true; return true;
    case 'c': request->cold = true; return true;
    case 'h': request->help = true; return true;
    case 't': return take_number("threads", MOST_THREADS, &request->threads);
    case 'r': return take_number("runs", MOST_RUNS, &request->runs);
    default: return false;
    }
}

static bool read_words(int argc, char **argv, bench_request *request)
{
    static const struct option options[] = {
        {"filter", required_argument, NULL, 'f'},  {"isa", required_argument, NULL, 'i'},
        {"threads", required_argument, NULL, 't'}, {"runs", required_argument, NULL, 'r'},
        {"exact", no_argument, NULL, 'e'},         {"cold", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},          {0},
    };
    int answer;
    while ((answer = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(answer, request))
            return false;
    return optind == argc;
}

int main(int argc, char **argv)
{
    bench_request request = {.threads = 1, .runs = 60};
    totals sums = {0};
    bool done = true;
    if (!read_words(argc, argv, &request) || request.help) {
        fputs(help, request.help ? stdout : stderr);
        return request.help ? 0 : 2;
    }
    if (!contender_ours_has(request.isa)) {
        fprintf(stderr, "--isa: '%s' is unknown or not this machine's\n", request.isa);
        return 1;
    }
    if (!contender_dnnl_threads((size_t)request.threads)) {
        fprintf(stderr, "this oneDNN does not say how to set its threads\n");
        return 1;
    }
    printf("%-16s %17s %17s %17s %8s %6s %6s %8s  %s\n%-16s %8s %8s %8s %8s %8s %8s %8s %6s %6s\n", "milliseconds",
           "ours", "direct", "Winograd", "GFLOP/s", "ratio", "of", "error", "algorithm | oneDNN's direct", "",
           "median", "least", "median", "least", "median", "least", "ours", "median", "least");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!request.filter || strstr(shapes[i].name, request.filter))
            done &= bench_shape(&shapes[i], &request, &sums);
    if (sums.shapes)
        printf("geometric mean of %d: %.3f by medians, %.3f by least times\n", sums.shapes,
               exp(sums.log_median / sums.shapes), exp(sums.log_least / sums.shapes));
    return done ? 0 : 1;
}
