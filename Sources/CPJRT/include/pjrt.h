// The part of the PJRT interface that the harness uses: positions in the plugin's function table, and the structs that its
// functions take. Positions, field order and numbers are facts of the interface (version 0.81 and later); a struct's first field
// holds its size, by which plugins of other versions know which fields it has.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What `GetPjrtApi` returns begins with this; the function table follows.
typedef struct {
  size_t struct_size;
  void *extensions;
  size_t version_struct_size;
  void *version_extensions;
  int major_version;
  int minor_version;
} pjrt_api_header;

// Positions in the function table.
enum pjrt_function {
  pjrt_error_destroy = 0,
  pjrt_error_message = 1,
  pjrt_error_get_code = 2,
  pjrt_plugin_initialize = 3,
  pjrt_plugin_attributes = 4,
  pjrt_event_destroy = 5,
  pjrt_event_await = 8,
  pjrt_client_create = 10,
  pjrt_client_destroy = 11,
  pjrt_client_platform_name = 12,
  pjrt_client_platform_version = 14,
  pjrt_client_addressable_devices = 16,
  pjrt_client_compile = 20,
  pjrt_client_buffer_from_host_buffer = 22,
  pjrt_device_description_id = 23,
  pjrt_device_description_kind = 26,
  pjrt_device_get_description = 29,
  pjrt_device_memory_stats = 34,
  pjrt_executable_destroy = 40,
  pjrt_executable_num_outputs = 44,
  pjrt_executable_size_of_code = 45,
  pjrt_executable_optimized_program = 48,
  pjrt_executable_serialize = 49,
  pjrt_loaded_executable_destroy = 50,
  pjrt_loaded_executable_get_executable = 51,
  pjrt_loaded_executable_execute = 55,
  pjrt_executable_deserialize_and_load = 56,
  pjrt_buffer_destroy = 58,
  pjrt_buffer_element_type = 59,
  pjrt_buffer_dimensions = 60,
  pjrt_buffer_on_device_size = 64,
  pjrt_buffer_is_deleted = 68,
  pjrt_buffer_to_host_buffer = 70,
  pjrt_topology_create = 82,
  pjrt_topology_destroy = 83,
  pjrt_compile = 89,
  pjrt_executable_memory_stats = 96,
};

// Every function takes a pointer to one struct, which begins with its size and an extension that we never give.
#define PJRT_ARGUMENTS size_t struct_size; void *extensions;

// Whatever a struct holds beside its object: one object in, or one number, pointer or text out.
typedef struct { PJRT_ARGUMENTS } pjrt_no_arguments;
typedef struct { PJRT_ARGUMENTS void *object; } pjrt_object;
typedef struct { PJRT_ARGUMENTS const void *object; const char *text; size_t text_size; } pjrt_object_text;
typedef struct { PJRT_ARGUMENTS const void *object; int number; } pjrt_object_int;
typedef struct { PJRT_ARGUMENTS void *object; size_t size; } pjrt_object_size;
typedef struct { PJRT_ARGUMENTS void *object; int64_t size; } pjrt_object_int64;
typedef struct { PJRT_ARGUMENTS void *object; void *other; } pjrt_object_object;
typedef struct { PJRT_ARGUMENTS void *object; bool flag; } pjrt_object_flag;
typedef struct { PJRT_ARGUMENTS void *object; void *const *list; size_t count; } pjrt_object_list;
typedef struct { PJRT_ARGUMENTS void *object; const int64_t *dims; size_t count; } pjrt_object_dims;

enum pjrt_value_type { pjrt_value_string = 0, pjrt_value_int64, pjrt_value_int64_list, pjrt_value_float, pjrt_value_bool };

typedef struct {
  PJRT_ARGUMENTS
  const char *name;
  size_t name_size;
  int type;
  union {
    const char *string_value;
    int64_t int64_value;
    const int64_t *int64_list;
    float float_value;
    bool bool_value;
  };
  size_t value_size;
} pjrt_named_value;

typedef struct {
  PJRT_ARGUMENTS
  const pjrt_named_value *attributes;
  size_t count;
} pjrt_attributes;

typedef struct {
  PJRT_ARGUMENTS
  const pjrt_named_value *options;
  size_t option_count;
  void *callbacks_of_several_hosts[4];
  void *client;
  void *more_callbacks_of_several_hosts[2];
} pjrt_client_creation;

typedef struct {
  PJRT_ARGUMENTS
  char *code;
  size_t code_size;
  const char *format;
  size_t format_size;
} pjrt_program;

typedef struct {
  PJRT_ARGUMENTS
  void *client;
  const pjrt_program *program;
  const char *options;
  size_t options_size;
  void *executable;
} pjrt_client_compilation;

typedef struct {
  PJRT_ARGUMENTS
  void *topology;
  const pjrt_program *program;
  const char *options;
  size_t options_size;
  void *client;
  void *executable;
} pjrt_compilation;

typedef struct {
  PJRT_ARGUMENTS
  const char *name;
  size_t name_size;
  const pjrt_named_value *options;
  size_t option_count;
  void *topology;
} pjrt_topology_creation;

enum pjrt_element_type {
  pjrt_pred = 1,
  pjrt_s32 = 4,
  pjrt_s64 = 5,
  pjrt_u8 = 6,
  pjrt_u32 = 8,
  pjrt_u64 = 9,
  pjrt_f32 = 11,
  pjrt_bf16 = 13,
};

enum pjrt_host_semantics { pjrt_immutable_during_call = 0 };

typedef struct {
  PJRT_ARGUMENTS
  void *client;
  const void *data;
  int type;
  const int64_t *dims;
  size_t dim_count;
  const int64_t *byte_strides;
  size_t byte_stride_count;
  int semantics;
  void *device;
  void *memory;
  void *device_layout;
  void *done_with_host_buffer;
  void *buffer;
} pjrt_buffer_creation;

typedef struct {
  PJRT_ARGUMENTS
  void *source;
  void *host_layout;
  void *destination;
  size_t destination_size;
  void *event;
} pjrt_buffer_fetch;

typedef struct {
  PJRT_ARGUMENTS
  void *device;
  int64_t in_use;
  int64_t peak;
  bool has_peak;
  int64_t allocations;
  bool has_allocations;
  int64_t largest_allocation;
  bool has_largest_allocation;
  int64_t limit;
  bool has_limit;
  int64_t reserved;
  bool has_reserved;
  int64_t peak_reserved;
  bool has_peak_reserved;
  int64_t reservable;
  bool has_reservable;
  int64_t largest_free_block;
  bool has_largest_free_block;
  int64_t pool;
  bool has_pool;
  int64_t peak_pool;
  bool has_peak_pool;
} pjrt_device_memory;

typedef struct {
  PJRT_ARGUMENTS
  void *executable;
  pjrt_program *program;
} pjrt_optimized_program;

typedef struct {
  PJRT_ARGUMENTS
  const void *executable;
  const char *bytes;
  size_t byte_count;
  void *owner;
  void (*release)(void *owner);
} pjrt_serialization;

typedef struct {
  PJRT_ARGUMENTS
  void *client;
  const char *bytes;
  size_t byte_count;
  void *executable;
  const char *options;
  size_t options_size;
} pjrt_deserialization;

typedef struct {
  PJRT_ARGUMENTS
  void *executable;
  int64_t code, arguments, outputs, aliased, temporaries;
  int64_t host_code, host_arguments, host_outputs, host_aliased, host_temporaries;
  int64_t peak;
} pjrt_executable_memory;

typedef struct {
  PJRT_ARGUMENTS
  void *send_callbacks;
  void *receive_callbacks;
  size_t send_count;
  size_t receive_count;
  int launch_id;
  const int64_t *not_donated;
  size_t not_donated_count;
  void *context;
  const char *call_location;
  size_t task_count;
  int *task_ids;
  int64_t *incarnation_ids;
} pjrt_execution_options;

typedef struct {
  PJRT_ARGUMENTS
  void *executable;
  pjrt_execution_options *options;
  void *const *const *arguments;
  size_t device_count;
  size_t argument_count;
  void **const *outputs;
  void **events;
  void *device;
} pjrt_execution;
