/* SPDX-License-Identifier: MIT */
/*
 * Which of two causes makes gradients vanish. A step back multiplies a gradient by slopes and by weights; their
 * typical sizes, in the geometric mean over layers, are compared: the smaller one is the cause.
 */
#include "training/gradient_verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of a step back, and from the last layer to the first. */
static const double shrinks_below = 0.5, grows_above = 2, shrinks_in_all = 0.01, grows_in_all = 100;

void rf_compare_layers(rf_layer_gradient *layers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rf_layer_gradient *at = &layers[i];
        const rf_layer_gradient *next = i + 1 < count ? at + 1 : NULL;
        at->ratio = next ? at->delta_norm / next->delta_norm : (double)NAN;
        at->weight_ratio = next ? at->weight_norm / next->weight_norm : (double)NAN;
        at->factor = next ? next->spectral * at->mean_slope : (double)NAN;
        at->bound = next ? next->spectral * at->most_slope : (double)NAN;
    }
}

/* ---- Means -------------------------------------------------------------------------------- */

static void take_means(rf_gradient_report *report)
{
    const rf_layer_gradient *layers = report->layers;
    size_t steps = report->layer_count - 1, activated = 0;
    double weights = 0, slopes = 0, saturated = 0;
    for (size_t i = 0; i < report->layer_count; i++) {
        if (layers[i].saturated >= 0) {
            saturated += layers[i].saturated;
            activated++;
        }
        if (i < steps && layers[i].steepest > 0) {
            weights += log(layers[i + 1].gain * layers[i].steepest);
            slopes += log(layers[i].rms_slope / layers[i].steepest);
        }
    }
    double first = layers[0].delta_norm, last = layers[steps].delta_norm;
    report->ratio = steps == 0 || first == last ? 1 : pow(first / last, 1 / (double)steps);
    report->weights = steps ? exp(weights / (double)steps) : 1;
    report->slopes = steps ? exp(slopes / (double)steps) : 1;
    report->saturated = activated ? saturated / (double)activated : (double)NAN;
}

/* The most that spectral norms and steepest slopes let any step multiply a gradient by. */
static double largest_bound(const rf_gradient_report *report)
{
    double most = 0;
    for (size_t i = 0; i + 1 < report->layer_count; i++) {
        double bound = report->layers[i + 1].spectral * report->layers[i].steepest;
        most = bound > most ? bound : most;
    }
    return most;
}

/* ---- Verdict ------------------------------------------------------------------------------ */

static bool all_finite(const rf_gradient_report *report)
{
    for (size_t i = 0; i < report->layer_count; i++)
        if (!isfinite(report->layers[i].delta_norm) || !isfinite(report->layers[i].weight_norm))
            return false;
    return isfinite(report->loss);
}

static rf_gradient_verdict verdict_of(const rf_gradient_report *report)
{
    double first = report->layers[0].delta_norm, last = report->layers[report->layer_count - 1].delta_norm;
    if (!all_finite(report) || report->ratio > grows_above || first > grows_in_all * last)
        return RF_GRADIENTS_EXPLODING;
    if (report->ratio >= shrinks_below && first >= shrinks_in_all * last)
        return RF_GRADIENTS_HEALTHY;
    bool slopes = report->slopes < report->weights || report->weights >= 1;
    return slopes ? RF_GRADIENTS_SATURATION : RF_GRADIENTS_SMALL_WEIGHTS;
}

/* What all reasons end with. */
static void add_parts(const rf_gradient_report *report, char *text, size_t room)
{
    size_t used = strlen(text);
    snprintf(text + used, room - used, ": a step back multiplies them by %.3g: weights by %.3g where slopes are "
             "steepest, and slopes are %.3g of the steepest", report->ratio, report->weights, report->slopes);
}

bool rf_judge_gradients(rf_gradient_report *report, rf_arena *arena)
{
    static const char *const beginnings[] = {
        [RF_GRADIENTS_HEALTHY] = "gradients neither vanish nor explode",
        [RF_GRADIENTS_SMALL_WEIGHTS] = "gradients vanish because the weights are small",
        [RF_GRADIENTS_SATURATION] = "gradients vanish because activations are saturated",
        [RF_GRADIENTS_EXPLODING] = "gradients explode",
    };
    char text[512];
    take_means(report);
    report->verdict = verdict_of(report);
    snprintf(text, sizeof text, "%s", all_finite(report) ? beginnings[report->verdict]
                                                         : "gradients or the loss are not finite");
    if (report->layer_count > 1)
        add_parts(report, text, sizeof text);
    double bound = largest_bound(report);
    size_t used = strlen(text);
    if (report->verdict == RF_GRADIENTS_SMALL_WEIGHTS && bound < 1)
        snprintf(text + used, sizeof text - used, "; spectral norm times steepest slope is at most %.3g, so that no "
                 "direction escapes", bound);
    if (report->verdict == RF_GRADIENTS_SATURATION && report->saturated >= 0)
        snprintf(text + used, sizeof text - used, "; %.1f %% of activations are saturated", 100 * report->saturated);
    report->reason = rf_arena_text(arena, text, strlen(text));
    return report->reason != NULL;
}

const char *rf_gradient_verdict_name(rf_gradient_verdict verdict)
{
    switch (verdict) {
    case RF_GRADIENTS_HEALTHY: return "healthy";
    case RF_GRADIENTS_SMALL_WEIGHTS: return "small weights";
    case RF_GRADIENTS_SATURATION: return "saturation";
    case RF_GRADIENTS_EXPLODING: return "exploding";
    }
    return "";
}
