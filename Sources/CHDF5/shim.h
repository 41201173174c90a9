#ifndef PROLOGUE_HDF5_SHIM_H
#define PROLOGUE_HDF5_SHIM_H

#include <hdf5.h>
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
