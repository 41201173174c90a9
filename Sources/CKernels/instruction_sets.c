#include "vector.h"
#include <stdio.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const char *const names[] = {"plain", "avx2", "avx512", "avx512-bf16", "amx"};
enum { SETS = sizeof names / sizeof *names };

int kernels_chosen;
__thread int kernels_most = SETS - 1;

#if defined(__x86_64__)

/* Whether the processor has tiles with products of bfloat16, and Linux lets this process use them: their registers are large, so it
 * has to be asked (arch_prctl(2), Documentation/arch/x86/xstate.rst). */
static int has_tiles(void) {
    enum { ASK_FOR_REGISTERS = 0x1023, TILE_REGISTERS = 18, WITH_BFLOAT16 = 1 << 22, WITH_TILES = 1 << 24 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & WITH_BFLOAT16) || !(d & WITH_TILES)) return 0;
    return syscall(SYS_arch_prctl, ASK_FOR_REGISTERS, TILE_REGISTERS) == 0;
}

static int largest_set(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) {
        if (!__builtin_cpu_supports("avx512bf16")) return KERNELS_AVX512;
        return has_tiles() ? KERNELS_AMX : KERNELS_AVX512_BF16;
    }
    return __builtin_cpu_supports("x86-64-v3") ? KERNELS_AVX2 : KERNELS_PLAIN;
}

#else

static int largest_set(void) { return KERNELS_PLAIN; }

#endif

static int supported;

int kernels_supported(void) { return supported; }

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
    supported = largest_set();
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
