/* SPDX-License-Identifier: MIT */
/*
 * How long an analysis takes and how much memory it touches. Prints, never judges.
 *
 *     bench_analysis [MODEL ...]
 *
 * Each case runs in a process of its own, so that no case finds memory or pages that another one
 * left. MODELs are loaded and analysed; described networks are only analysed.
 */
#include <rfield/rfield.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_networks.h"

typedef bool (*work_function)(const void *context, size_t *layers);

typedef struct measurement {
    bool done;
    size_t layers;
    double first_ms, median_ms, least_ms;
    long resident_kib; /* growth of the peak by the first run */
} measurement;

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* The largest that this process's resident memory has been; -1 where the system does not say. */
static long peak_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

enum { MOST_RUNS = 1001, FEWEST_RUNS = 5 };

/* As many runs as fit two seconds. */
static void take_times(work_function work, const void *context, measurement *taken)
{
    static double times[MOST_RUNS];
    size_t runs = 0;
    double begin = now_ms();
    while (runs < MOST_RUNS && (runs < FEWEST_RUNS || now_ms() - begin < 2000)) {
        double start = now_ms();
        taken->done &= work(context, &taken->layers);
        times[runs++] = now_ms() - start;
    }
    qsort(times, runs, sizeof *times, by_size);
    taken->median_ms = times[runs / 2];
    taken->least_ms = times[0];
}

static measurement measure_here(work_function work, const void *context)
{
    measurement taken = {.done = false};
    long before = peak_kib();
    double start = now_ms();
    taken.done = work(context, &taken.layers);
    taken.first_ms = now_ms() - start;
    taken.resident_kib = peak_kib() - before;
    if (taken.done)
        take_times(work, context, &taken);
    return taken;
}

/* Measures in a child process. */
static measurement measure(work_function work, const void *context)
{
    measurement taken = {.done = false};
    int ends[2];
    if (pipe(ends) != 0)
        return taken;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        taken = measure_here(work, context);
        _exit(write(ends[1], &taken, sizeof taken) == (ssize_t)sizeof taken ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &taken, sizeof taken) != (ssize_t)sizeof taken)
        taken.done = false;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return taken;
}

static bool analyse(const rf_network *network, size_t *layers)
{
    const rf_analysis *analysis;
    rf_error error;
    if (rf_analyze(network, NULL, &analysis, &error) != RF_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    *layers = analysis->layer_count;
    rf_analysis_free(analysis);
    return true;
}

static bool analyse_description(const void *context, size_t *layers)
{
    return analyse(context, layers);
}

static bool load_and_analyse(const void *context, size_t *layers)
{
    const rf_network *network;
    rf_error error;
    if (rf_network_load(context, NULL, &network, &error) != RF_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    bool done = analyse(network, layers);
    rf_network_free(network);
    return done;
}

static bool print(const char *name, const measurement *taken)
{
    if (taken->done)
        printf("%-29.29s %7zu layers %10.3f ms %10.3f ms %10.3f ms %8ld KiB\n", name, taken->layers,
               taken->median_ms, taken->least_ms, taken->first_ms, taken->resident_kib);
    else
        printf("%-29.29s failed\n", name);
    return taken->done;
}

static bool bench_description(const char *name, bench_network *described, measurement *taken)
{
    *taken = (measurement){.done = false};
    if (described)
        *taken = measure(analyse_description, &described->network);
    bench_network_free(described);
    return print(name, taken);
}

static bool bench_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    measurement taken = measure(load_and_analyse, path);
    return print(slash ? slash + 1 : path, &taken);
}

int main(int argc, char **argv)
{
    measurement resnet, shorter, longer;
    printf("%-29s %14s %13s %13s %13s %12s\n", "case", "", "median", "least", "first", "peak growth");
    bool done = bench_description("ResNet-152 described in C", bench_resnet152(), &resnet);
    done &= bench_description("chain of convolutions, short", bench_chain(1000), &shorter);
    done &= bench_description("chain of convolutions, long", bench_chain(20000), &longer);
    if (shorter.done && longer.done)
        printf("20 times the layers take %.1f times as long, the first time %.1f times\n",
               longer.median_ms / shorter.median_ms, longer.first_ms / shorter.first_ms);
    for (int i = 1; i < argc; i++)
        done &= bench_file(argv[i]);
    return done ? 0 : 1;
}
