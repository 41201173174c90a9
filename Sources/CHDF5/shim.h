#ifndef PROLOGUE_HDF5_SHIM_H
#define PROLOGUE_HDF5_SHIM_H

#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>

/* The constants of HDF5 are macros over run-time variables, which Swift cannot import. */
static inline hid_t h5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t h5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t h5_native_int32(void) { return H5T_NATIVE_INT32; }
static inline hid_t h5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t h5_native_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t h5_new_property_list_for_file_access(void) { return H5Pcreate(H5P_FILE_ACCESS); }
static inline hid_t h5_new_property_list_for_file_creation(void) { return H5Pcreate(H5P_FILE_CREATE); }
static inline hid_t h5_new_property_list_for_group_creation(void) { return H5Pcreate(H5P_GROUP_CREATE); }
static inline hid_t h5_new_property_list_for_dataset_creation(void) { return H5Pcreate(H5P_DATASET_CREATE); }
static inline hid_t h5_new_property_list_for_links(void) { return H5Pcreate(H5P_LINK_CREATE); }
static inline hid_t h5_default(void) { return H5P_DEFAULT; }
static inline hid_t h5_all(void) { return H5S_ALL; }
static inline hsize_t h5_unlimited(void) { return H5S_UNLIMITED; }

static inline unsigned h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned h5_swmr_read(void) { return H5F_ACC_RDONLY | H5F_ACC_SWMR_READ; }
static inline unsigned h5_read_write(void) { return H5F_ACC_RDWR; }
static inline unsigned h5_truncate(void) { return H5F_ACC_TRUNC; }

/* Variable-length UTF-8: what h5py gives back as `str`. */
static inline hid_t h5_new_string_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0) {
        H5Tset_size(type, H5T_VARIABLE);
        H5Tset_cset(type, H5T_CSET_UTF8);
    }
    return type;
}

/* A link into another file is never followed: all that is read is in the file that was named. */
static inline herr_t h5_refuse_external_link(
    const char *parent_file, const char *parent_group, const char *file, const char *object, unsigned *flags, hid_t access,
    void *context) {
    (void)parent_file; (void)parent_group; (void)file; (void)object; (void)flags; (void)access; (void)context;
    return -1;
}

/* For opening data sets, and for every other path. */
static inline hid_t h5_new_property_list_for_reading(void) {
    hid_t list = H5Pcreate(H5P_DATASET_ACCESS);
    if (list >= 0) H5Pset_elink_cb(list, h5_refuse_external_link, NULL);
    return list;
}

/* What a link leads to. A link that leads nowhere, or to what is damaged, leads to nothing. */
typedef enum { H5_LEADS_NOWHERE, H5_LEADS_TO_GROUP, H5_LEADS_TO_DATASET } h5_target;

typedef struct {
    void (*take)(const char *name, h5_target target, int is_hard, uint64_t address, void *context);
    void *context;
    hid_t access;
} h5_link_visitor;

#if H5_VERSION_GE(1, 12, 0)
typedef H5O_info1_t h5_object_info;
#else
typedef H5O_info_t h5_object_info;
#endif

static inline h5_target h5_look(hid_t group, const char *name, hid_t access, uint64_t *address) {
    h5_object_info info;
    if (H5Oget_info_by_name1(group, name, &info, access) < 0) return H5_LEADS_NOWHERE;
    *address = (uint64_t)info.addr;
    if (info.type == H5O_TYPE_GROUP) return H5_LEADS_TO_GROUP;
    return info.type == H5O_TYPE_DATASET ? H5_LEADS_TO_DATASET : H5_LEADS_NOWHERE;
}

static inline herr_t h5_visit_link(hid_t group, const char *name, const H5L_info_t *link, void *context) {
    h5_link_visitor *visitor = (h5_link_visitor *)context;
    uint64_t address = 0;
    h5_target target = h5_look(group, name, visitor->access, &address);
    visitor->take(name, target, link->type == H5L_TYPE_HARD, address, visitor->context);
    return 0;
}

static inline herr_t h5_visit_links(hid_t group, h5_link_visitor visitor) {
    return H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, h5_visit_link, &visitor);
}

/* Instead of printing: the description of the innermost error (the cause, not the calls it failed) of the first
   call that fails goes into a text of this size. Later calls, such as the closing of identifiers, clear HDF5's own stack. */
enum { H5_MESSAGE_SIZE = 600 };

static inline herr_t h5_take_innermost(unsigned n, const H5E_error2_t *error, void *text) {
    if (n == 0 && error->desc) snprintf((char *)text, H5_MESSAGE_SIZE, "%s", error->desc);
    return 0;
}

static inline herr_t h5_note_failure(hid_t stack, void *text) {
    if (*(char *)text == 0) H5Ewalk2(stack, H5E_WALK_UPWARD, h5_take_innermost, text);
    return 0;
}

static inline void h5_note_failures(char *text) {
    text[0] = 0;
    H5Eset_auto2(H5E_DEFAULT, h5_note_failure, text);
}

#endif
