#include "COpenBLAS.h"

void openblas_set_num_threads(int threads);

/* Before main, for every program and test that links OpenBLAS, whatever OPENBLAS_NUM_THREADS says. */
__attribute__((constructor)) static void use_one_thread(void) { openblas_set_num_threads(1); }
