// A PJRT plugin for tests: the plugin TROUBLED_PLUGIN, except that programs called TROUBLED_PROGRAM are, as TROUBLED_BY says,
// refused (`refusal`), out of memory (`memory`), or the end of the process (`crash`) when they are compiled.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "pjrt.h"

typedef void *(*function)(void *);

static void *table[512];
static function real_compile, real_code;
static void (*real_message)(void *), (*real_destroy)(void *);
// Its address stands for the error.
static char out_of_memory;

static void message(pjrt_object_text *arguments) {
  if (arguments->object != &out_of_memory) return real_message(arguments);
  arguments->text = "RESOURCE_EXHAUSTED: failed to allocate 123 GiB";
  arguments->text_size = strlen(arguments->text);
}

static void destroy(pjrt_object *arguments) {
  if (arguments->object != &out_of_memory) real_destroy(arguments);
}

static void *code(pjrt_object_int *arguments) {
  if (arguments->object != &out_of_memory) return real_code(arguments);
  arguments->number = 8;
  return NULL;
}

static void *compile(pjrt_client_compilation *arguments) {
  char name[128] = "module @";
  strncat(name, getenv("TROUBLED_PROGRAM"), 100);
  strcat(name, " ");
  if (strncmp(arguments->program->code, name, strlen(name))) return real_compile(arguments);
  const char *trouble = getenv("TROUBLED_BY");
  if (!strcmp(trouble, "crash")) abort();
  if (!strcmp(trouble, "memory")) return &out_of_memory;
  pjrt_program program = *arguments->program;
  program.code = "no program";
  program.code_size = strlen(program.code);
  pjrt_client_compilation other = *arguments;
  other.program = &program;
  return real_compile(&other);
}

const void *GetPjrtApi(void) {
  void *library = dlopen(getenv("TROUBLED_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
  const void *api = ((const void *(*)(void))dlsym(library, "GetPjrtApi"))();
  size_t size = *(const size_t *)api;
  memcpy(table, api, size < sizeof table ? size : sizeof table);
  void **functions = table + sizeof(pjrt_api_header) / sizeof *table;
  real_compile = functions[pjrt_client_compile];
  real_code = functions[pjrt_error_get_code];
  real_message = functions[pjrt_error_message];
  real_destroy = functions[pjrt_error_destroy];
  functions[pjrt_client_compile] = compile;
  functions[pjrt_error_get_code] = code;
  functions[pjrt_error_message] = message;
  functions[pjrt_error_destroy] = destroy;
  return table;
}
