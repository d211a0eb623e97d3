/* SPDX-License-Identifier: MIT */
/*
 * A network while another process wants a processor too: a child that only counts, on any processor or kept
 * to one. Workers of a run wait for each other, so that one which has lost its processor could hold up all.
 *
 * usage: bench_competition [--threads N] [--runs N] [--turns N] MODEL.onnx ...
 */
#define _GNU_SOURCE 1 /* for sched_setaffinity() */

#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rfield/rfield.h>

#include "bench_tools.h"

/* Who else there is. */
enum { NOBODY, ANYWHERE, KEPT, RIVALS };

enum { REST = 20, MOST_RUNS = 100000, MOST_TURNS = 1000 };

typedef struct contest {
    const char *path;
    long threads, runs, turns;
    const rf_network *network;
    rf_model *model;
    rf_threads *pool;
    rf_session *session;
    float *input;
    double *times[RIVALS]; /* milliseconds, turn after turn */
} contest;

static bool complain(const char *path, const char *words)
{
    fprintf(stderr, "bench_competition: %s: %s\n", path, words);
    return false;
}

/* ---- The rival ---------------------------------------------------------------------------- */

/* Counts until it is ended, or has nobody to compete with any more. */
static void count_for_ever(pid_t parent)
{
    for (volatile unsigned long count = 0;; count++)
        if (count % (1UL << 24) == 0 && getppid() != parent)
            _exit(0);
}

static bool keep_to_one_processor(void)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return false;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed)) {
            CPU_SET(i, &one);
            return sched_setaffinity(0, sizeof one, &one) == 0;
        }
    return false;
}

static pid_t start_rival(int kind)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    if (kind == KEPT && !keep_to_one_processor())
        _exit(1);
    count_for_ever(parent);
    return -1;
}

static void end_rival(pid_t rival)
{
    if (rival <= 0)
        return;
    kill(rival, SIGKILL);
    waitpid(rival, NULL, 0);
}

/* ---- The network -------------------------------------------------------------------------- */

static bool bind_input(contest *it)
{
    rf_error error;
    size_t count, floats = 1;
    const rf_tensor *inputs = rf_model_inputs(it->model, &count);
    if (count != 1 || inputs[0].dtype != RF_FLOAT32)
        return complain(it->path, "only networks with one float32 input are timed");
    for (int32_t k = 0; k < inputs[0].shape.rank; k++)
        floats *= (size_t)inputs[0].shape.dims[k];
    it->input = bench_allocate(floats * sizeof *it->input);
    if (!it->input)
        return complain(it->path, "no memory for the input");
    bench_fill(it->input, floats, 1);
    return rf_session_bind_input(it->session, inputs[0].name, it->input, floats * sizeof *it->input, &error) == RF_OK
           || complain(it->path, error.message);
}

static bool prepare(contest *it)
{
    rf_error error;
    rf_session_options how = RF_SESSION_OPTIONS_DEFAULT;
    if (rf_network_load(it->path, NULL, &it->network, &error) != RF_OK
        || rf_compile(it->network, NULL, &it->model, &error) != RF_OK
        || rf_threads_make((size_t)it->threads, &it->pool, &error) != RF_OK)
        return complain(it->path, error.message);
    rf_executor executor = rf_threads_executor(it->pool);
    how.executor = &executor;
    if (rf_session_make(it->model, &how, &it->session, &error) != RF_OK)
        return complain(it->path, error.message);
    for (int kind = 0; kind < RIVALS; kind++) {
        it->times[kind] = calloc((size_t)(it->runs * it->turns), sizeof *it->times[kind]);
        if (!it->times[kind])
            return complain(it->path, "no memory for the times");
    }
    return bind_input(it);
}

static void release(contest *it)
{
    for (int kind = 0; kind < RIVALS; kind++)
        free(it->times[kind]);
    rf_session_free(it->session);
    rf_threads_free(it->pool);
    rf_model_free(it->model);
    rf_network_free(it->network);
    free(it->input);
}

/* ---- Turns -------------------------------------------------------------------------------- */

/* The first run doesn't count. */
static bool take_turn(const contest *it, double *times)
{
    rf_error error;
    for (long r = -1; r < it->runs; r++) {
        double start = bench_now();
        if (rf_run(it->session, &error) != RF_OK)
            return complain(it->path, error.message);
        if (r >= 0)
            times[r] = bench_now() - start;
    }
    return true;
}

static bool compete(const contest *it, int kind, double *times)
{
    pid_t rival = kind == NOBODY ? 0 : start_rival(kind);
    if (rival < 0)
        return complain(it->path, "no process to compete with");
    bench_rest(REST);
    bool good = take_turn(it, times);
    end_rival(rival);
    return good;
}

/* Processors change hands every few milliseconds: some runs meet nobody and some lose a whole turn, so that a
 * median would tell of one kind only. */
static double mean(const double *times, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += times[i];
    return sum / (double)count;
}

static void print(const contest *it)
{
    size_t count = (size_t)(it->runs * it->turns);
    double alone = bench_median(it->times[NOBODY], count), least = it->times[NOBODY][0];
    double anywhere = mean(it->times[ANYWHERE], count), kept = mean(it->times[KEPT], count);
    bench_median(it->times[KEPT], count); /* puts them in order */
    printf("%-28s %9.3f %9.3f %9.3f %9.3f %8.2f %8.2f %8.2f\n", it->path, least, alone, anywhere, kept,
           anywhere / alone, kept / alone, it->times[KEPT][count - 1 - count / 20] / alone);
}

static bool run(contest *it)
{
    bool good = prepare(it);
    for (long turn = 0; good && turn < it->turns; turn++)
        for (int kind = 0; good && kind < RIVALS; kind++)
            good = compete(it, kind, it->times[kind] + turn * it->runs);
    if (good)
        print(it);
    release(it);
    return good;
}

static bool take_number(const char *word, long most, long *number)
{
    char *end;
    *number = strtol(word, &end, 10);
    return end != word && *end == 0 && *number >= 1 && *number <= most;
}

static int misuse(void)
{
    fprintf(stderr, "usage: bench_competition [--threads N] [--runs N] [--turns N] MODEL.onnx ...\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"threads", required_argument, NULL, 't'}, {"runs", required_argument, NULL, 'r'},
        {"turns", required_argument, NULL, 'n'}, {0},
    };
    long threads = 2, runs = 40, turns = 5;
    int answer;
    bool good = true;
    while ((answer = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (answer == 't' ? !take_number(optarg, 1024, &threads)
            : answer == 'r' ? !take_number(optarg, MOST_RUNS, &runs)
                            : answer != 'n' || !take_number(optarg, MOST_TURNS, &turns))
            return misuse();
    if (optind == argc)
        return misuse();
    printf("%-28s %9s %9s %9s %9s %8s %8s %8s\n", "milliseconds", "least", "alone", "rival", "kept", "rival /",
           "kept /", "95 % /");
    for (int i = optind; i < argc; i++) {
        contest it = {.path = argv[i], .threads = threads, .runs = runs, .turns = turns};
        good &= run(&it);
    }
    return good ? 0 : 1;
}
