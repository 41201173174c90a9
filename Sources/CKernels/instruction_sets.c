#include "vector.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {"plain", "avx2", "avx512", "avx512-bf16"};
enum { SETS = sizeof names / sizeof *names };

int kernels_chosen;
__thread int kernels_most = SETS - 1;

int kernels_supported(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4"))
        return __builtin_cpu_supports("avx512bf16") ? KERNELS_AVX512_BF16 : KERNELS_AVX512;
    if (__builtin_cpu_supports("x86-64-v3")) return KERNELS_AVX2;
#endif
    return KERNELS_PLAIN;
}

int kernels_used(void) { return kernels_in_use(); }

int kernels_limit(int set) {
    int before = kernels_most;
    kernels_most = set;
    return before;
}

int kernels_limited(void) { return kernels_most < SETS - 1; }

const char *kernels_name(int set) { return names[set]; }

static int set_called(const char *name) {
    for (int set = 0; set < SETS; set++)
        if (strcmp(name, names[set]) == 0) return set;
    return -1;
}

/* Before main, so that every program and test obeys it. */
__attribute__((constructor)) static void choose(void) {
    const int supported = kernels_supported();
    kernels_chosen = supported;
    const char *wanted = getenv("PROLOGUE_KERNELS");
    if (!wanted || !*wanted) return;
    const int set = set_called(wanted);
    if (set >= 0 && set <= supported) {
        kernels_chosen = set;
        return;
    }
    fprintf(stderr, set < 0 ? "error: PROLOGUE_KERNELS=%s names no set of instructions; this processor has"
                            : "error: this processor cannot do PROLOGUE_KERNELS=%s; it has", wanted);
    for (int i = supported; i >= 0; i--) fprintf(stderr, "%s %s", i < supported ? "," : "", names[i]);
    fprintf(stderr, "\n");
    exit(2);
}
