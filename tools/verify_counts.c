/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "trial.h"
#include "verify.h"

/* One kind of operation, in both accounts. */
typedef struct kind {
    const char *name;
    size_t offset;
} kind;

static const kind kinds[] = {
    {"multiplications", offsetof(rf_counts, multiplications)},
    {"additions", offsetof(rf_counts, additions)},
    {"activations", offsetof(rf_counts, activations)},
    {"comparisons", offsetof(rf_counts, comparisons)},
    {"divisions", offsetof(rf_counts, divisions)},
    {"exponentials", offsetof(rf_counts, exponentials)},
    {"square roots", offsetof(rf_counts, square_roots)},
    {"macs", offsetof(rf_counts, macs)},
};

static uint64_t count_of(const rf_counts *counts, const kind *of)
{
    return *(const uint64_t *)((const char *)counts + of->offset);
}

static bool compare_layer(const rf_layer_analysis *layer, const rf_counts *seen)
{
    bool same = true;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint64_t said = count_of(&layer->valid, &kinds[k]), done = count_of(seen, &kinds[k]);
        if (said == done)
            continue;
        printf("counts: layer '");
        print_name(layer->name);
        printf("' (");
        print_name(layer->type);
        printf("): %s: %llu said, %llu done\n", kinds[k].name, (unsigned long long)said, (unsigned long long)done);
        same = false;
    }
    return same;
}

static bool note_progress(void *context, const rf_session *session, size_t step)
{
    (void)session;
    show_progress("counting, layer", step + 1, rf_model_step_count(context));
    return true;
}

static void compare(const open_model *model, const trial *it, uint64_t *differences)
{
    uint64_t layers = 0, operations = 0;
    for (size_t s = 0; s < rf_model_step_count(it->model); s++) {
        rf_model_step step = rf_model_step_at(it->model, s);
        if (step.index >= model->analysis->layer_count || !*step.type)
            continue;
        const rf_layer_analysis *layer = &model->analysis->layers[step.index];
        rf_counts seen = rf_session_counts(it->session, s);
        if (layer->uncounted)
            continue;
        *differences += !compare_layer(layer, &seen);
        layers++;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            operations += count_of(&seen, &kinds[k]);
    }
    printf("counts: %llu layers run by counting loops, %llu operations\n", (unsigned long long)layers,
           (unsigned long long)operations);
}

int verify_counts(const open_model *model, uint64_t *differences)
{
    trial it;
    rf_error error;
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.reference = true;
    int code = trial_open(&it, model, &how, 1);
    if (code == DONE) {
        rf_session_observe(it.session, note_progress, it.model);
        rf_status status = rf_run(it.session, &error);
        show_progress("", 0, 0);
        if (status == RF_OK)
            compare(model, &it, differences);
        else
            code = complain(model->path, "%s", error.message);
    }
    trial_close(&it);
    return code;
}
